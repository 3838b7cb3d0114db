package rpcpipe

import (
	"context"
	"errors"
	"log/slog"
	"net/rpc"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/fault"
)

// Call is CallContext without a context.
func (s *Supervisor) Call(serviceMethod string, args, reply any) error {
	return s.CallContext(context.Background(), serviceMethod, args, reply)
}

// CallContext calls serviceMethod in the child that is up, as [Peer.CallContext] does. While none
// is, it waits for one, for SuperviseOptions.MaxWait in all, or until ctx ends; then it returns a
// [*NoChildError]. All other errors are those of the Peer: a [*viaduct.DownError], with the
// [*procspawn.Exit], if the child has died.
//
// The call is made again, to the next child, where it is certain that its method was not begun, and
// where that is SuperviseOptions.Idempotent: see [Supervisor]. An error behind several attempts Is
// [viaduct.ErrNotBegun] only if none of them has begun it.
func (s *Supervisor) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	begin := time.Now()
	a := attempts{s: s, ctx: ctx, method: serviceMethod}
	for a.next() {
		a.err = a.child.peer.CallContext(ctx, serviceMethod, args, reply)
	}
	s.counts.took.Add(time.Since(begin))
	return a.err
}

// Notify sends a notification to the child that is up, as [Peer.Notify] does, and waits for one as
// CallContext does. It is sent to the next child if it is certain that it has not come to this one,
// or if its method is SuperviseOptions.Idempotent. One that a child was given, and has not handled
// when it dies, is lost: see SupervisorStats.LostNotifications.
func (s *Supervisor) Notify(ctx context.Context, serviceMethod string, args any) error {
	a := attempts{s: s, ctx: ctx, method: serviceMethod}
	for a.next() {
		if a.err = a.child.peer.Notify(ctx, serviceMethod, args); a.err == nil {
			s.notified(a.child)
		}
	}
	return a.err
}

// syncTime is how long notifications gather before their child is asked whether it has handled them.
const syncTime = 10 * time.Millisecond

// notified counts a notification that c was given.
func (s *Supervisor) notified(c *child) {
	c.notes.sent.Add(1)
	if c.notes.asking.CompareAndSwap(false, true) && !s.spawn(func() { c.askHandled() }) {
		c.notes.asking.Store(false)
	}
}

// notes counts the notifications that a child was given.
type notes struct {
	sent, handled atomic.Uint64
	asking        atomic.Bool // a goroutine is to find out what was handled
	unknown       atomic.Bool // the child cannot be asked
}

// askHandled finds out how many notifications were handled, until all were.
func (c *child) askHandled() {
	n := &c.notes
	for {
		pause(c.inUse, syncTime)
		sent := n.sent.Load()
		if err := c.peer.Sync(context.Background()); err != nil {
			n.unknown.Store(errors.Is(err, errors.ErrUnsupported))
			return // and nobody need ask again
		}
		n.handled.Store(sent)
		if n.sent.Load() > sent {
			continue
		}
		n.asking.Store(false)
		if n.sent.Load() == sent || !n.asking.CompareAndSwap(false, true) {
			return
		}
	}
}

// lost returns how many may not have been handled, of a child that has died.
func (n *notes) lost() uint64 {
	if n.unknown.Load() {
		return 0
	}
	return n.sent.Load() - n.handled.Load()
}

// With calls f with the child that is up, for what belongs to one child: streams, offers, several
// calls in their order, [Peer.Sync]. It waits for a child as CallContext does, and then returns what
// f does, in whose place it never calls f again.
//
// The context that f gets derives from ctx. It ends, with a cause, when that child is gone, was
// swapped out or is shut down, and with it the calls that are made with it. A call that is to finish
// all the same, which the child waits for then, is made with ctx itself.
func (s *Supervisor) With(ctx context.Context, f func(context.Context, *Peer) error) error {
	a := attempts{s: s, ctx: ctx}
	if !a.next() {
		return a.err
	}
	for a.child.inUse.Err() != nil { // it is gone, or the Supervisor ends: another one, or none
		if err := a.await(a.child); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inUse := a.child.inUse
	defer context.AfterFunc(inUse, func() { cancel(context.Cause(inUse)) })()
	return f(ctx, a.child.peer)
}

// Go calls as CallContext without waiting for anything: the call is sent to done, or to the Done of
// the call returned, when it has ended, as with [Peer.Go]. The arguments are encoded before Go
// returns, as the latest child wants them.
func (s *Supervisor) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	if done == nil {
		done = make(chan *rpc.Call, 10)
	} else if cap(done) == 0 {
		panic("rpcpipe: done channel is unbuffered")
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Done: done}
	err := s.post(context.Background(), serviceMethod, args, reply, func(err error) { s.deliver(call, err) })
	if err != nil {
		s.deliver(call, err)
	}
	return call
}

// deliver ends a call by Go.
func (s *Supervisor) deliver(call *rpc.Call, err error) {
	deliver(call, err, s.opts.Peer.Logger)
}

// deliver ends a call by Go. logger, which may be nil, is told if nobody takes it.
func deliver(call *rpc.Call, err error, logger *slog.Logger) {
	call.Error = err
	select {
	case call.Done <- call:
	default:
		if logger != nil {
			logger.Warn("viaduct: the Done channel of a call is full: call dropped", "method", call.ServiceMethod)
		}
	}
}

// post encodes args and makes a call of them in a goroutine of its own, which calls done then. It
// waits for nothing. If it returns an error, done is not called.
func (s *Supervisor) post(ctx context.Context, method string, args, reply any, done func(error)) error {
	latest := s.latest.Load()
	if latest == nil { // an event of the first child, which could not be started
		return s.noChild(nil, 0)
	}
	encoded, err := latest.peer.endpoint.Encode(method, args)
	if err != nil {
		return err
	}
	if !s.spawn(func() { done(s.CallContext(ctx, method, encoded, reply)) }) {
		return s.noChild(nil, 0)
	}
	return nil
}

// maxDeaths is how often a call of an idempotent method is in flight when a child dies, at most.
const maxDeaths = 3

// attempts are those to make one call. They say which child is to be tried.
type attempts struct {
	s      *Supervisor
	ctx    context.Context
	method string

	child  *child        // the latest that was tried
	err    error         // what it has said
	waited time.Duration // for children, in all
	deaths int           // of children while the call was in flight
}

// next reports whether child is to be tried.
func (a *attempts) next() bool {
	used := a.child
	if used != nil && !a.again() {
		return a.over(a.err)
	}
	if a.child = a.s.current.Load(); a.child != nil && a.child != used {
		return true
	}
	if err := a.await(used); err != nil {
		return a.over(err)
	}
	return true
}

// over has the call end with err, and returns false.
func (a *attempts) over(err error) bool {
	if a.deaths > 0 && errors.Is(err, viaduct.ErrNotBegun) {
		err = &hiding{err, []error{viaduct.ErrNotBegun}} // it may have been begun in a child that died
	}
	a.err = err
	return false
}

// again reports whether the call may be made once more.
func (a *attempts) again() bool {
	if !isDeath(a.err) {
		return false
	}
	if !errors.Is(a.err, viaduct.ErrNotBegun) {
		if a.deaths++; a.deaths == maxDeaths || !a.s.opts.Idempotent(a.method) {
			return false
		}
	}
	a.s.counts.repeated.Add(1)
	return true
}

// isDeath reports whether a call has failed with its link, and not because of itself, or of a hook.
func isDeath(err error) bool {
	return errors.Is(err, rpc.ErrShutdown) && !errors.As(err, new(rpc.ServerError)) && !errors.As(err, new(*fault.Refusal))
}

// await waits for another child than used. The error is a *NoChildError.
func (a *attempts) await(used *child) error {
	s, begin := a.s, time.Now()
	s.counts.waiting.Add(1)
	timer := time.NewTimer(s.opts.MaxWait - a.waited)
	defer func() {
		s.counts.waiting.Add(-1)
		timer.Stop()
		a.waited += time.Since(begin)
	}()
	for {
		s.mu.Lock()
		c, changed, final := s.current.Load(), s.changed, s.state.final()
		s.mu.Unlock()
		switch {
		case c != nil && c != used:
			a.child = c
			return nil
		case final:
			return s.noChild(nil, a.waited+time.Since(begin))
		}
		select {
		case <-changed:
		case <-timer.C:
			return s.noChild(nil, s.opts.MaxWait)
		case <-a.ctx.Done():
			return s.noChild(a.ctx.Err(), a.waited+time.Since(begin))
		}
	}
}
