package rpcpipe

import (
	"container/list"
	"context"
	"errors"
	"io"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Pool keeps several children of the same kind, and gives each job, which is a call, to the one
// that has the fewest: see [NewPool]. Its methods may be called from any goroutine.
//
// A child has one job at a time, unless PoolOptions.Concurrency says more; the others wait, in
// their order. So a job whose child dies of it, or that takes too long, costs itself alone. It
// fails with a [*JobError], which names it and has the [*procspawn.Exit], and is not given to
// another child unless PoolOptions.Attempts says so: one that kills whoever gets it cannot take the
// Pool down.
//
// A method of this side that serves a call of a child, and gives the Pool a further job, has to do
// that with the context of the call. Such a job does not wait: where all children have jobs it goes
// to the child that waits for it, beyond PoolOptions.Concurrency.
type Pool struct {
	// Immutable.
	opts      PoolOptions // complete
	start     startFunc
	command   commandFunc
	life      context.Context // ends when no child is started any more
	endLife   context.CancelFunc
	ended     chan struct{} // closed when nothing of the Pool runs any more
	recycling chan struct{} // one slot, held while a child is replaced
	telling   chan struct{} // one slot, held while Supervise.Events is called
	label     string        // what it is called by DebugHandler

	running sync.WaitGroup // workers, and what goes on besides; grows under mu, before state is final
	latest  atomic.Pointer[Peer]
	counts  poolCounts

	mu      sync.Mutex // guards what follows
	state   poolState
	why     error                // why no child is up
	failure error                // what Wait returns
	workers []*worker            // by their numbers; nil: there is none of that number
	alive   map[*worker]struct{} // those whose Supervisor has not ended, also when they have no number any more
	places  map[*Peer]*place
	up      int           // workers that have a place
	manned  int           // places that jobs can go to, or that have some
	changed chan struct{} // closed, and made anew, when manned becomes 0 or 1, or state changes
	queue   list.List     // of *waiter, the jobs that wait for a place
	jobs    int           // that were accepted and have not ended
	fewJobs chan struct{} // made by who waits for jobs to be few, and closed then
	few     int           // how many these are: those that wait themselves
	growing bool          // a timer runs that looks whether one more child is needed
	idling  *time.Timer   // looks for children that are not needed; nil: it does not run
}

// poolState is what a Pool is about.
//
//	Open      Shutdown                 Draining: no new jobs
//	          Close, no child is left  Ending
//	Draining  no jobs are left         Ending
//	Ending    everything has ended     Down
type poolState uint8

const (
	poolOpen poolState = iota
	poolDraining
	poolEnding
	poolDown
)

// NewPool starts children and gives them jobs. The function command makes the Cmd for each, as with
// [Supervise]; it is called by several goroutines at once, and may return an ssh, docker or kubectl
// command (with Options.Stdio), so that the children are on several machines.
//
// It returns when PoolOptions.Size children have been started, or could not be, and at least one is
// ready: the others are tried again, as PoolOptions.Supervise.Restart has it. If none is, it
// returns why, and nothing is left running. ctx bounds that alone, not the life of the Pool. An
// error of o names the field.
//
// A Go child of a Pool computes with as many threads as its part of the processors: GOMAXPROCS is
// set to that in its environment, if it has no such variable there. See PoolOptions.Size.
func NewPool(ctx context.Context, command func(Incarnation) (*exec.Cmd, error), o *PoolOptions) (*Pool, error) {
	return newPool(ctx, Start, command, o)
}

func newPool(ctx context.Context, start startFunc, command commandFunc, o *PoolOptions) (*Pool, error) {
	if command == nil {
		return nil, errors.New("rpcpipe: NewPool with a nil command function: one that returns a new *exec.Cmd was expected")
	}
	var opts PoolOptions
	if o != nil {
		opts = *o
	}
	if err := opts.complete(); err != nil {
		return nil, err
	}
	p := &Pool{
		opts:      opts,
		start:     start,
		command:   command,
		ended:     make(chan struct{}),
		recycling: make(chan struct{}, 1),
		telling:   make(chan struct{}, 1),
		alive:     make(map[*worker]struct{}),
		places:    make(map[*Peer]*place),
		changed:   make(chan struct{}),
	}
	p.life, p.endLife = context.WithCancel(context.Background())
	if peer := opts.Supervise.Peer; peer.Env != nil && !passesThreads(peer.Env) {
		peer.Env = append(slices.Clone(peer.Env), p.threadsOfOne())
	}
	if w := opts.Supervise.Stderr; w != nil {
		p.opts.Supervise.Stderr = &oneAtATime{w: w}
	}
	if f := opts.Supervise.Events; f != nil {
		p.opts.Supervise.Events = func(e Event) {
			p.telling <- struct{}{}
			defer func() { <-p.telling }()
			f(e)
		}
	}
	live.enterPool(p)
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// oneAtATime is a writer for several children.
type oneAtATime struct {
	mu sync.Mutex // held while w is written to
	w  io.Writer
}

func (o *oneAtATime) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(b)
}

// begin starts the first children.
func (p *Pool) begin(ctx context.Context) error {
	started := make(chan error, p.opts.Size)
	p.mu.Lock()
	for range p.opts.Size {
		p.addLocked(ctx, func(err error) { started <- err })
	}
	p.mu.Unlock()
	ready := false
	var failed error
	for range p.opts.Size {
		if err := <-started; err == nil {
			ready = true
		} else if failed == nil {
			failed = err
		}
	}
	if ready && p.isOpen() {
		return nil
	}
	if failed == nil {
		failed = p.noChild(nil, 0)
	}
	p.end(failed)
	p.closeWorkers((*Supervisor).Close)
	p.Wait()
	return failed
}

// changeLocked has whoever waits for a change look again.
func (p *Pool) changeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// enter takes a job in. It reports false if that is not to be.
func (p *Pool) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != poolOpen {
		return false
	}
	p.jobs++
	return true
}

// leave is called when a job has ended.
func (p *Pool) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.jobs--
	p.fewJobsLocked()
}

func (p *Pool) fewJobsLocked() {
	if p.jobs <= p.few && p.fewJobs != nil {
		close(p.fewJobs)
		p.fewJobs = nil
	}
}

var errPoolClosed = errors.New("the Pool was closed")

// end has no job begun any more, and no child. why says why.
func (p *Pool) end(why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked(why, nil)
}

// endLocked is end. failure is what Wait is to return.
func (p *Pool) endLocked(why, failure error) {
	if p.state >= poolEnding {
		return
	}
	p.state, p.why, p.failure = poolEnding, why, failure
	p.changeLocked()
	p.endLife()
	if p.idling != nil {
		p.idling.Stop()
	}
	go func() {
		p.running.Wait()
		live.leavePool(p)
		p.mu.Lock()
		p.state = poolDown
		p.mu.Unlock()
		close(p.ended)
	}()
}

// closeWorkers ends all children at the same time.
func (p *Pool) closeWorkers(end func(*Supervisor) error) error {
	p.mu.Lock()
	workers := slices.Collect(maps.Keys(p.alive))
	p.mu.Unlock()
	errs := make([]error, len(workers))
	var ending sync.WaitGroup
	for i, w := range workers {
		ending.Go(func() { errs[i] = end(w.supervisor) })
	}
	ending.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Shutdown takes no more jobs, waits until those there are have ended, those that wait for a child
// included, and ends the children in order. It returns nil then. Options.ShutdownTimeout and ctx
// bound that: jobs that have not ended by then fail, and it says so. A method that serves a call of
// a child may call it with the context of its call: its job is not waited for before its child is
// shut down, and while another Shutdown is at work it returns nil at once.
func (p *Pool) Shutdown(ctx context.Context) error {
	limited, limit := ctx, p.opts.Supervise.Peer.shutdownTimeout()
	if limit > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	drained := p.drain(FromContext(ctx))
	if drained == nil {
		return nil
	}
	var cut error
	select {
	case <-drained:
	case <-p.life.Done():
	case <-limited.Done():
		if cut = ctx.Err(); cut == nil {
			cut = &shutdownError{limit: limit}
		}
	}
	p.end(errPoolClosed)
	err := p.closeWorkers(func(s *Supervisor) error {
		if cut != nil {
			return s.Close()
		}
		return s.Shutdown(limited)
	})
	if cut == nil && limited.Err() != nil {
		cut = err
	}
	return cut // a child that has died meanwhile had no job
}

// drain has no new job taken in. The channel returned is closed when there are none, but for that
// of the child by, which may be nil: it waits for who calls this. The channel is nil if that would
// wait for another one that waits for it.
func (p *Pool) drain(by *Peer) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	pl := p.places[by]
	hasJob := pl != nil && pl.running > 0
	if p.state == poolOpen {
		p.state, p.why = poolDraining, errPoolClosed
		p.changeLocked()
	} else if hasJob {
		return nil
	}
	if hasJob {
		p.few = 1
	}
	if p.fewJobs == nil {
		p.fewJobs = make(chan struct{})
	}
	drained := p.fewJobs
	p.fewJobsLocked()
	return drained
}

// Close ends all children at once, as [Peer.Close] does. The jobs that they have fail, and those
// that wait are not begun. It returns when the children have been waited for, and always nil. It
// may be called at any time, also in a method, in Options.OnExit and in SuperviseOptions.Events and
// Ready.
func (p *Pool) Close() error {
	p.end(errPoolClosed)
	return p.closeWorkers((*Supervisor).Close)
}

// Wait waits until no child runs and none will be started, and all that the library runs for them
// has ended: see [Supervisor.Wait]. It does not end anything itself.
//
// It returns nil after Shutdown and Close. Otherwise no child was left, as none of them could be
// started any more, and it returns what the Wait of the Supervisor of the last one has.
//
// Do not call it in a handler, in Options.OnExit or in SuperviseOptions.Events: it waits for them.
func (p *Pool) Wait() error {
	<-p.ended
	return p.failure
}

// noChild says why no child has taken a job.
func (p *Pool) noChild(ended error, waited time.Duration) *NoChildError {
	p.mu.Lock()
	none := &NoChildError{
		Name: p.opts.Supervise.Name, Waited: waited, Context: ended, Final: p.state != poolOpen, Err: p.why,
	}
	workers := slices.Collect(maps.Keys(p.alive))
	p.mu.Unlock()
	for _, w := range workers {
		if none.Err != nil {
			break
		}
		of := w.supervisor.noChild(nil, 0)
		none.Err, none.Exit = of.Err, of.Exit
	}
	return none
}
