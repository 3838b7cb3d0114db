package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
)

// A JobError is what a job of a [Pool] fails with that was not done because of its child, its time,
// its context, or the Pool. It Is [viaduct.ErrNotBegun] if it is certain that no child has begun
// it. Of [Map] all errors are JobErrors, those that the methods return, too.
type JobError struct {
	Method   string
	Index    int             // which argument of [Map], from 0; -1: it was not Map
	Worker   string          // the child that has had the job last, such as "worker[3]"; "" if none has
	Attempts int             // how many children have begun it, or may have
	Exit     *procspawn.Exit // how the child has ended, if the job was lost with it
	Err      error           // what has happened
}

func (e *JobError) Error() string {
	var text strings.Builder
	text.WriteString("rpcpipe: ")
	if e.Worker != "" {
		text.WriteString(e.Worker + ": ")
	}
	text.WriteString("job " + e.Method)
	if e.Index >= 0 {
		fmt.Fprintf(&text, " of argument %d", e.Index)
	}
	switch {
	case e.Attempts == 0:
		text.WriteString(" was not begun")
	case e.Attempts > 1:
		fmt.Fprintf(&text, ", in its attempt %d", e.Attempts)
	}
	fmt.Fprintf(&text, ": %v", e.Err)
	return text.String()
}

// Unwrap returns Err. That Is [viaduct.ErrNotBegun] only if no child can have begun the job.
func (e *JobError) Unwrap() error {
	if e.Attempts > 0 && errors.Is(e.Err, viaduct.ErrNotBegun) {
		return &hiding{e.Err, []error{viaduct.ErrNotBegun}}
	}
	return e.Err
}

func (e *JobError) Is(target error) bool {
	return target == viaduct.ErrNotBegun && e.Attempts == 0
}

// A jobTimeoutError reports a job that has taken too long.
type jobTimeoutError struct{ limit time.Duration }

func (e *jobTimeoutError) Error() string {
	return fmt.Sprintf("took longer than PoolOptions.Timeout (%v)", e.limit)
}

func (*jobTimeoutError) Unwrap() error { return context.DeadlineExceeded }

// Call is CallContext without a context.
func (p *Pool) Call(serviceMethod string, args, reply any) error {
	return p.CallContext(context.Background(), serviceMethod, args, reply)
}

// CallContext calls serviceMethod in the child that has the fewest jobs, as [Peer.CallContext]
// does. It waits for one that has time, until ctx ends; while no child at all is up, for
// SuperviseOptions.MaxWait in all.
//
// Its error is what the method returned, or says why the argument or the reply did not fit, as with
// a Peer. All others are a [*JobError].
func (p *Pool) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	j := job{p: p, method: serviceMethod, index: -1}
	return j.run(ctx, func(ctx context.Context, peer *Peer) error {
		return peer.CallContext(ctx, serviceMethod, args, reply)
	})
}

// Go calls as CallContext without waiting for anything: the call is sent to done, or to the Done of
// the call returned, when it has ended, as with [Peer.Go]. The arguments are encoded before Go
// returns.
func (p *Pool) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	if done == nil {
		done = make(chan *rpc.Call, 10)
	} else if cap(done) == 0 {
		panic("rpcpipe: done channel is unbuffered")
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Done: done}
	encoded, err := p.encode(serviceMethod, args)
	if err == nil && !p.spawn(func() { p.deliver(call, p.Call(serviceMethod, encoded, reply)) }) {
		p.counts.jobs.Add(1)
		err = (&job{p: p, method: serviceMethod, index: -1}).fail(p.noChild(nil, 0))
	}
	if err != nil {
		p.deliver(call, err)
	}
	return call
}

// encode encodes arguments as the latest child wants them.
func (p *Pool) encode(method string, args any) (any, error) {
	latest := p.latest.Load()
	if latest == nil {
		return args, nil // no child has come up: none will take it
	}
	return latest.endpoint.Encode(method, args)
}

// spawn runs f in a goroutine that Wait waits for. It reports false if it is too late for that.
func (p *Pool) spawn(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != poolOpen {
		return false
	}
	p.running.Go(f)
	return true
}

// deliver ends a call by Go.
func (p *Pool) deliver(call *rpc.Call, err error) {
	deliver(call, err, p.opts.Supervise.Peer.Logger)
}

// With is one job that calls f, with the child that has the fewest, for what belongs to one child:
// streams, offers, several calls in their order. It waits for a child as CallContext does. The
// context that f gets ends with ctx, with PoolOptions.Timeout, and when the child is gone. The job
// is over when f has returned and what f has begun in the child, and given up, has ended. It is
// never repeated. With returns what f does, or a [*JobError].
func (p *Pool) With(ctx context.Context, f func(context.Context, *Peer) error) error {
	j := job{p: p, method: "With", index: -1, once: true}
	return j.run(ctx, func(ctx context.Context, peer *Peer) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-peer.Done():
				cancel(peer.Err())
			case <-ended:
			}
		}()
		return f(ctx, peer)
	})
}

// A job is one call, or one With.
type job struct {
	p      *Pool
	method string
	index  int  // of Map; -1: none
	once   bool // it is a With

	asked    *waiter // for the first attempt; nil: it is asked for when that begins
	worker   string
	attempts int
	waited   time.Duration   // while no child at all was up
	took     time.Duration   // in the child that has had it last
	exit     *procspawn.Exit // of that, if its error does not have it
}

// run has call run with a child, or, if they die, with several.
func (j *job) run(ctx context.Context, call func(context.Context, *Peer) error) error {
	p := j.p
	p.counts.jobs.Add(1)
	if !p.enter() {
		if j.asked != nil {
			p.withdraw(j.asked)
		}
		return j.fail(p.noChild(nil, 0))
	}
	defer p.leave()
	for {
		w := j.asked
		if j.asked = nil; w == nil {
			w = p.ask(ctx)
		}
		pl, err := p.await(ctx, w, &j.waited)
		if err != nil {
			return j.fail(err)
		}
		p.counts.wait.Add(time.Since(w.since))
		j.worker = pl.worker.supervisor.opts.Name
		end, err := j.try(ctx, pl, call)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, viaduct.ErrOverload):
			return j.fail(err)
		case end == jobDone && !(j.attempts > 0 && errors.Is(err, viaduct.ErrNotBegun)), end == jobGivenUp && j.once:
			p.counts.failed.Add(1)
			return err // as the method, or f of With, has returned it
		case end == jobDied:
			p.counts.lost.Add(1)
		}
		if end <= jobGivenUp || j.once || j.attempts >= p.opts.Attempts || ctx.Err() != nil {
			return j.fail(err)
		}
		p.counts.repeated.Add(1)
	}
}

// try runs call in pl.
func (j *job) try(ctx context.Context, pl *place, call func(context.Context, *Peer) error) (end jobEnd, err error) {
	p, limited := j.p, ctx
	begin := time.Now() // before the limit's
	if p.opts.Timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, p.opts.Timeout)
		defer cancel()
	}
	end = jobGivenUp // if call panics
	defer func() { p.release(pl, end, j.method) }()
	j.attempts++
	err = call(limited, pl.child.peer)
	j.took = time.Since(begin)
	p.counts.took.Add(j.took)
	// What f of With returns may be of another link, and it may have begun something before.
	died := err != nil && isDeath(err) && !j.once || isEnd(err) && pl.child.peer.endpoint.Ending()
	notBegun := err != nil && errors.Is(err, viaduct.ErrNotBegun)
	if notBegun && !j.once {
		j.attempts--
	}
	switch {
	case died && notBegun:
		return jobRefused, err
	case died:
		j.exit = exitAfter(ctx, pl.child.peer, err)
		return jobDied, err
	case err == nil && !j.once: // also if it has come as the time was over
		return jobDone, nil
	case limited.Err() == nil && !(j.once && pl.child.peer.endpoint.CanSettle()) && !j.late(ctx, err):
		return jobDone, err
	case j.once: // f may have given up something
		return jobGivenUp, err
	case j.late(ctx, err):
		err = &jobTimeoutError{p.opts.Timeout}
	}
	if notBegun {
		return jobExpired, err
	}
	return jobGivenUp, err
}

// isEnd reports whether err is of a link that has ended, or is about to, as a method has panicked.
func isEnd(err error) bool {
	var panicked *viaduct.PanicError
	return err != nil && (isDeath(err) || errors.As(err, &panicked) && panicked.Ends)
}

// late reports whether err says that PoolOptions.Timeout is over, on this side or, a moment
// earlier, on the other one.
func (j *job) late(ctx context.Context, err error) bool {
	limit := j.p.opts.Timeout
	return limit > 0 && !j.once && ctx.Err() == nil && j.took >= limit && errors.Is(err, context.DeadlineExceeded)
}

// fail makes the error of a job that was not done.
func (j *job) fail(err error) error {
	j.p.counts.failed.Add(1)
	e := &JobError{Method: j.method, Index: j.index, Worker: j.worker, Attempts: j.attempts, Err: err}
	if isDeath(err) {
		errors.As(err, &e.Exit)
	}
	if e.Exit == nil && j.attempts > 0 {
		e.Exit = j.exit
	}
	return e
}

// dyingTime is how long the end of a child is waited for that has said that it ends.
const dyingTime = time.Second

// exitAfter returns how the process of p has ended, of which err says that it does. One that panics
// says so before it ends.
func exitAfter(ctx context.Context, p *Peer, err error) *procspawn.Exit {
	process := p.Process()
	if process == nil || errors.As(err, new(*procspawn.Exit)) {
		return nil
	}
	timer := time.NewTimer(dyingTime)
	defer timer.Stop()
	select {
	case <-process.Done():
	case <-timer.C:
	case <-ctx.Done():
	}
	return process.Exit()
}
