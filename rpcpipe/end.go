package rpcpipe

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
)

const (
	// handlerTime is how long Wait waits for handlers once the link has ended, and for each
	// notification and log record that had come by then. It looks handlerLooks times: a machine so
	// busy that a handler has no turn for so long does not let as many looks happen either.
	handlerTime  = 250 * time.Millisecond
	handlerLooks = 5

	// drainTime bounds how long it waits for all of those.
	drainTime = 5 * time.Second

	// linkTime is how long Wait waits for the connection below to let go of its reader.
	linkTime = time.Second
)

// supervise sees to the order of the end.
func (p *Peer) supervise() {
	defer close(p.ended)
	defer live.leavePeer(p)
	defer p.shutdowns.wait()
	<-p.endpoint.Done() // pending calls have failed
	if err := p.fault(); err != nil {
		p.warn("viaduct: this side has ended the link", "error", err)
	}
	if p.conn != nil {
		<-p.conn.Done() // and what was accepted for sending has been sent: Stop closes the pipes
	}
	p.reap()
	live.exited(p)
	close(p.reaped)
	if p.exit != nil && p.opts.OnExit != nil {
		p.opts.OnExit(p.exit)
	}
	close(p.told)
	p.awaitHandlers()
	p.endpoint.GiveUp()
	p.awaitConn()
	p.taps.release()
}

// awaitHandlers waits until all handlers have returned, those of what has come before the link's
// end included, or gives them up: what the other side has said last is handled although there is
// much of it, but nobody waits for a handler that does not return.
func (p *Peer) awaitHandlers() {
	end, left, without := time.Now().Add(p.drainTime()), p.endpoint.Backlog(), 0
	for {
		ctx, cancel := context.WithTimeout(context.Background(), min(handlerTime/handlerLooks, time.Until(end)))
		running := p.endpoint.Wait(ctx)
		cancel()
		if running == 0 {
			return
		}
		before := left
		if left = p.endpoint.Backlog(); left < before {
			without = 0
		} else {
			without++
		}
		if without == handlerLooks || !time.Now().Before(end) {
			p.warn("viaduct: gave up waiting for handlers after the link's end", "running", running, "dropped", left)
			return
		}
	}
}

// awaitRest waits until the process on the other side was waited for, OnExit has returned, and the
// handlers have, or were given handlerTime.
func (p *Peer) awaitRest() {
	<-p.told
	t := time.NewTimer(handlerTime)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
	}
}

// drainTime is how long awaitHandlers may take. In a child whose parent is gone it must leave main
// time to return by itself. Whose Close has ended the link does not ask for what has come.
func (p *Peer) drainTime() time.Duration {
	if p.Err() == rpc.ErrShutdown {
		return handlerTime
	}
	if p.kind != kindParent { // one of New has a procspawn.Link as well, and no exit timer
		return drainTime
	}
	if _, outlived := handles.LinkState(p.link); outlived { // nothing ends it: ExitTimeout, or Detach
		return drainTime
	}
	if exit := p.opts.ExitTimeout; exit > 0 {
		return min(drainTime, exit/2)
	}
	return time.Second / 2
}

// reap learns how the process on the other side has ended. In the parent it stops it.
func (p *Peer) reap() {
	if p.process != nil {
		p.exit = p.process.Stop()
		return
	}
	err := p.endpoint.Err()
	if errors.As(err, &p.exit) && errors.Is(err, duplex.ErrPeerClosed) {
		closed := *p.exit
		closed.Step = procspawn.StepCloseLink
		p.exit = &closed
	}
	if link, ok := p.link.(*procspawn.Link); ok && err != rpc.ErrShutdown {
		handles.Lost(link) // a child is not to live on with nobody to tell it of its parent's end
	}
}

// awaitConn waits until nothing of conn runs any more, or gives it up.
func (p *Peer) awaitConn() {
	if p.conn == nil {
		return
	}
	down := make(chan struct{})
	go func() {
		defer close(down)
		p.conn.Wait()
	}()
	select {
	case <-down:
	case <-time.After(linkTime):
		p.warn("viaduct: gave up waiting for a connection whose Close does not end its Read")
	}
}

func (p *Peer) warn(text string, args ...any) {
	if p.opts.Logger != nil {
		p.opts.Logger.Warn(text, args...)
	}
}

// Done returns a channel that is closed when the link is down and pending calls have failed.
func (p *Peer) Done() <-chan struct{} { return p.endpoint.Done() }

// Err returns nil while the link is up, and then what ended it: [rpc.ErrShutdown] after Close on
// this side, otherwise what a [*viaduct.DownError] of calls unwraps to.
func (p *Peer) Err() error {
	err := p.endpoint.Err()
	var down *viaduct.DownError
	if errors.As(err, &down) {
		return down.Err
	}
	return err
}

// Close ends the link at once: pending calls fail with [rpc.ErrShutdown]. What was accepted for
// sending is delivered if the other side takes it within 50 ms. In the parent it then ends the
// child, step by step, and returns when it has been waited for: within CloseTimeout and TermTimeout
// and a few seconds (see [procspawn.Process.Stop]). It always returns nil. A method may call it.
// OnExit and handlers that run are not waited for: see Wait.
func (p *Peer) Close() error {
	p.endpoint.Close()
	<-p.reaped
	return nil
}

// Wait waits until the link is down and all that the library runs for it has ended: the child has
// been waited for, OnExit and the handlers have returned. What had come before the link's end is
// handled: notifications and log records that wait for their turn are not lost with it. Handlers
// that still run are given up after 250 ms in which no notification or record had its turn, and
// after 5 s in all (in a child: half of its ExitTimeout; on a side whose Close has ended the link:
// 250 ms). They go on then, Options.Logger is told, and what still waits for its turn is dropped,
// and counted in [Peer.Stats] and [Peer.LogDrops]. Wait does not end anything itself.
//
// It returns nil after an orderly end: one side has called Close, or the child has exited by
// itself, and a child has exited with status 0, not by a signal. Otherwise it returns a
// [*procspawn.Exit] if there is one, or Err.
//
// Do not call it in a handler or in OnExit: it waits for them.
func (p *Peer) Wait() error {
	<-p.ended
	return p.reason()
}

// fault returns what this side has ended the link for, nil unless the other one was at fault.
func (p *Peer) fault() error {
	err := p.Err()
	var frames *duplex.ProtocolError
	var messages *viaduct.ProtocolError
	if errors.Is(err, duplex.ErrUnresponsive) || errors.As(err, &frames) || errors.As(err, &messages) {
		return err
	}
	return nil
}

// reason is what Wait returns.
func (p *Peer) reason() error {
	if exit := p.exit; exit != nil && !exit.Parent && (exit.Code != 0 || exit.Signal != nil) {
		return exit
	}
	err := p.Err()
	switch {
	case err == rpc.ErrShutdown, errors.Is(err, duplex.ErrPeerClosed):
		return nil
	case p.process != nil && (err == p.exit || err == io.ErrUnexpectedEOF):
		return nil // the child has exited with status 0; the end of the link may come first
	}
	return err
}
