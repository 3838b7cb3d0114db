package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
)

// Shutdown ends the link in order. From now on neither side begins calls, notifications or streams:
// they fail with an error that is [duplex.ErrShutdown], and [rpc.ErrShutdown], in the sense of
// errors.Is. Only methods that are being served may still call, with the context of their call.
// When all calls have returned, all notifications have been handled and all streams have ended and
// been read, offers included, in both directions, the link is closed as by Close: in the parent the
// child is then waited for.
//
// Methods that go on calling each other one way keep the link from becoming idle. If ctx ends
// first, or in the parent Options.ShutdownTimeout (30 s) has passed, the link is closed at once,
// and in the parent the child is stopped and waited for, as by Close. Shutdown returns nil after an
// orderly end, ctx.Err(), an error that is context.DeadlineExceeded if the timeout has passed, or
// why the link has ended otherwise.
//
// A stream is waited for until both sides have ended their halves and what has come was read. That
// its reader has done with it is another thing: to know that, end this half by CloseWrite and read
// until the other side, being done, ends its own. A method whose call was cancelled is not waited
// for. (An idle connection that an http.Client keeps is a stream that has not ended, and a method
// that calls Shutdown with another context than its own waits for itself, until that ends.)
//
// A method may call it with the context of its own call. It then returns nil at once, as the call
// is one of those that are waited for, and the rest is done when the call has returned, or ctx's
// deadline has passed.
func (p *Peer) Shutdown(ctx context.Context) error {
	if ctx.Err() == nil && p.endpoint.Serves(ctx) {
		p.beginDrain() // now, not when the goroutine runs
		p.shutdowns.start(func() {
			rest := context.WithoutCancel(ctx) // ctx ends with the call
			if deadline, ok := ctx.Deadline(); ok {
				var cancel context.CancelFunc
				rest, cancel = context.WithDeadline(rest, deadline)
				defer cancel()
			}
			if err := p.drain(rest); err != nil {
				p.warn("viaduct: a shutdown begun by a method was cut short", "error", err)
			}
			if p.conn == nil {
				p.endpoint.Close()
			}
		})
		return nil
	}
	err := p.drain(ctx)
	var late *shutdownError
	if err == nil || err == ctx.Err() || errors.As(err, &late) {
		p.Close()
		return err
	}
	<-p.endpoint.Done() // not Close yet: that could be taken for the reason
	p.Close()
	return p.Err()
}

// beginDrain has nothing begun any more but what is needed for what is being worked on.
func (p *Peer) beginDrain() {
	if p.conn == nil {
		p.endpoint.Drain(duplex.ErrShutdown)
	} else {
		handles.Drain(p.conn)
	}
}

// drain has the link end in order. In the parent it notes the steps for the child's Exit.
func (p *Peer) drain(ctx context.Context) error {
	switch {
	case p.conn == nil:
		p.beginDrain()
		return p.endpoint.AwaitIdle(ctx)
	case p.process == nil:
		return p.conn.Shutdown(ctx)
	}
	limited := ctx
	if limit := p.opts.shutdownTimeout(); limit >= 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	handles.Stopping(p.process, procspawn.StepShutdown)
	err := p.conn.Shutdown(limited)
	if err == nil {
		return nil
	}
	handles.Stopping(p.process, procspawn.StepCloseLink)
	if err == context.DeadlineExceeded && ctx.Err() == nil {
		err = &shutdownError{p.opts.shutdownTimeout()}
	}
	return err
}

// shutdownError reports a Shutdown that has taken too long.
type shutdownError struct{ limit time.Duration }

func (e *shutdownError) Error() string {
	return fmt.Sprintf("rpcpipe: what was going on has not ended within Options.ShutdownTimeout (%v) and was cut short", e.limit)
}

func (*shutdownError) Unwrap() error { return context.DeadlineExceeded }

// shutdowns are those that methods have begun.
type shutdowns struct {
	mu      sync.Mutex // guards what follows
	over    bool       // the link has ended
	running sync.WaitGroup
}

// start runs f in a goroutine that Wait waits for. It reports false, and does not, if the link has
// ended.
func (s *shutdowns) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.running.Go(f)
	return true
}

func (s *shutdowns) wait() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.running.Wait()
}
