package endpoint

import (
	"context"
	"errors"
	"net/rpc"
	"time"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
)

// Done returns a channel that is closed when the link has ended.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err returns nil while the link is up, and then what calls fail with: rpc.ErrShutdown after Close
// on this side, otherwise a *fault.DownError.
func (e *Endpoint) Err() error {
	if e.ended.Load() {
		return e.err
	}
	return nil
}

// Ending reports whether the link has ended, or takes no more calls but those of methods.
func (e *Endpoint) Ending() bool { return e.ended.Load() || e.out.Ending() }

// closeTime bounds how long Close waits for connections to close.
const closeTime = 2 * time.Second

// Close ends the link, and with it all pending calls. What was accepted for sending is delivered if
// the other side takes it within link.FlushTime. Handlers that are running go on. Close returns
// nil, before long even if a connection does not close.
func (e *Endpoint) Close() error {
	e.logs.Flush()
	e.end(rpc.ErrShutdown)
	select {
	case <-e.closed:
	case <-time.After(closeTime):
	}
	e.logs.Settle()
	return nil
}

// Fail ends the link at once for a reason of this side's.
func (e *Endpoint) Fail(reason error) { e.end(reason) }

// Wait waits until the link has ended and all handlers have returned, or ctx has ended. It returns
// the number of goroutines that still run handlers.
func (e *Endpoint) Wait(ctx context.Context) int {
	select {
	case <-e.stopped:
		left := e.served.Wait(ctx)
		e.reporter.Wait(ctx)
		return left
	case <-ctx.Done():
		alive, idle := e.served.Workers()
		return alive - idle
	}
}

// Backlog returns how much has come and waits to be handled: notifications and log records.
func (e *Endpoint) Backlog() int {
	n := e.served.Backlog()
	if e.logTaker != nil {
		n += e.logTaker.Backlog()
	}
	return n
}

// GiveUp drops what has come and waits to be handled, notifications and log records, and counts it.
// It is for when Wait has not waited to the end: what a slow handler has not got by then would keep
// it going for as long as it takes.
func (e *Endpoint) GiveUp() {
	e.served.GiveUp()
	e.logs.GiveUp()
	if e.logTaker != nil {
		e.logTaker.GiveUp()
	}
}

// linkEnded is called by each link behind the last message.
func (e *Endpoint) linkEnded(err error) {
	e.linkEnd.Store(true)
	e.down(err)
	e.running.Done()
}

// end ends the endpoint for the reason err, and what the links still bring is dropped.
func (e *Endpoint) end(err error) {
	e.dropping.Store(true)
	e.down(err)
}

// down ends the endpoint once, for the reason err.
func (e *Endpoint) down(err error) {
	e.ending.Do(func() {
		e.err = fault.Down(err)
		e.ended.Store(true) // before anybody sees a call fail
		for _, c := range e.pending.fail(e.err) {
			if c.failBeforeSent() {
				c.err = e.ofTicket(c.ticket, c.err)
				e.complete(c)
			}
		}
		close(e.done)
		e.stalls.close()
		e.endUp()
		e.served.Close()
		// Not here: the caller may be a link that is about to end.
		go func() {
			var broken *fault.ProtocolError
			if errors.As(err, &broken) { // the other side is not to take it for an orderly end
				e.out.Fail(err)
				e.in.Fail(err)
			}
			e.out.Close()
			e.in.Close()
			close(e.closed)
			e.running.Wait()
			close(e.stopped)
		}()
	})
}

// Drain is the beginning of an orderly end of a bare link, whose other side cannot be asked; with
// lanes of package duplex that does it. From now on calls fail with reason, unless a method makes
// them that is being served.
func (e *Endpoint) Drain(reason error) {
	for _, l := range []link.Link{e.out, e.in} {
		if bare, ok := l.(*link.Bare); ok {
			bare.Drain(reason)
		}
	}
}

// AwaitIdle waits until nothing is going on at this side: no call of it waits for its reply, and
// none of the other side is being handled. It returns nil, ctx.Err(), or why the link has ended.
func (e *Endpoint) AwaitIdle(ctx context.Context) error {
	served := e.served.WatchIdle()
	made := e.pending.watchIdle()
	for !e.served.Idle() || !e.pending.idle() {
		select {
		case <-served:
		case <-made:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.done:
			return e.err
		}
	}
	return nil
}
