package rpcpipe

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
)

// handlerTime is how long Wait waits for handlers once the link has ended. In
// a child it must leave main time to return by itself: see procspawn.Options.ExitTimeout.
const handlerTime = 250 * time.Millisecond

// linkTime is how long Wait waits for the connection below to let go of its reader.
const linkTime = time.Second

// A Peer is the other side: it makes calls there and answers those that come
// from there. Its methods may be called from any goroutine, handlers included.
type Peer struct {
	opts     Options
	endpoint *viaduct.Endpoint
	conn     *duplex.Conn
	link     io.ReadWriteCloser // below conn
	process  *procspawn.Process // nil in the child and without a process
	up       chan struct{}      // closed when endpoint is set

	reaped chan struct{} // closed when exit is set
	exit   *procspawn.Exit
	ended  chan struct{} // closed when nothing of the Peer runs any more

	shutdowns shutdowns
}

// Start starts cmd as a child and connects to it. ctx bounds the start, in
// addition to a limit of 10 s, not the life of the child; for that use [exec.CommandContext].
//
// If the program cannot be started, the error is that of cmd.Start. If it does not connect
// or is refused, it is a [*procspawn.StartError], and no process is left. cmd.Stderr
// nil means that the end of what the child prints there is kept for the error.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Peer, error) {
	full := opts.withDefaults()
	var peer atomic.Pointer[Peer] // the child may end before there is one
	handles.SetPending(full.Process, func() (pending []handles.PendingCall) {
		if p := peer.Load(); p != nil {
			for _, call := range p.endpoint.Pending() {
				pending = append(pending, handles.PendingCall(call))
			}
		}
		return pending
	})
	process, err := procspawn.Start(ctx, cmd, full.Process)
	if err != nil {
		return nil, err
	}
	full.agree(process.Link().Remote())
	p := newPeer(process.Link(), process, full)
	peer.Store(p)
	return p, nil
}

// Connect connects a child to the parent that started it. ctx bounds the
// handshake, in addition to a limit of 10 s. In a process that was not started by Start it returns
// [procspawn.ErrNotChild], and the program can go on as an ordinary one.
func Connect(ctx context.Context, opts *Options) (*Peer, error) {
	full := opts.withDefaults()
	link, err := procspawn.Inherited(ctx, full.Process)
	if err != nil {
		return nil, err
	}
	full.agree(link.Remote())
	p := newPeer(link, nil, full)
	p.awaitReady(ctx)
	return p, nil
}

// readyTime bounds how long Connect waits for a parent that has said hello and says nothing more.
const readyTime = time.Second

// awaitReady waits until what is sent does not have to wait, so that a child which says something and ends is heard.
func (p *Peer) awaitReady(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	select {
	case <-p.conn.Ready():
		p.conn.ClientLane().Flush(ctx) // what this side has said first: nothing waits behind it then
	case <-p.conn.Done():
	case <-ctx.Done():
	}
}

// New connects to a peer at the other end of conn, which calls New too. ctx
// bounds the handshake, in addition to a limit of 10 s. The Peer owns conn from then on; if New
// fails, conn is closed.
func New(ctx context.Context, conn io.ReadWriteCloser, opts *Options) (*Peer, error) {
	full := opts.withDefaults()
	link, err := procspawn.Handshake(ctx, conn, full.Process)
	if err != nil {
		return nil, err
	}
	full.agree(link.Remote())
	return newPeer(link, nil, full), nil
}

// IsChild reports whether this process was started by Start, before Connect as well as after.
func IsChild() bool { return procspawn.IsChild() }

func newPeer(link io.ReadWriteCloser, process *procspawn.Process, opts Options) *Peer {
	p := &Peer{
		opts:    opts,
		conn:    duplex.New(link, opts.Duplex),
		link:    link,
		process: process,
		up:      make(chan struct{}),
		reaped:  make(chan struct{}),
		ended:   make(chan struct{}),
	}
	values := opts.Codec.Context
	if values == nil {
		values = context.Background()
	}
	opts.Codec.Context = context.WithValue(values, peerKey{}, p)
	p.endpoint = viaduct.NewEndpoint(newLane(p.conn.ClientLane()), newLane(p.conn.ServerLane()), opts.Codec)
	close(p.up)
	go p.supervise()
	return p
}

// lane is a lane as an Endpoint takes it.
type lane struct {
	*duplex.Lane
	handles.Order
}

func newLane(l *duplex.Lane) lane { return lane{l, handles.OrderOf(l)} }

// supervise sees to the order of the end.
func (p *Peer) supervise() {
	defer close(p.ended)
	defer p.shutdowns.wait()
	<-p.endpoint.Done() // pending calls have failed
	<-p.conn.Done()     // and what was accepted for sending has been sent: Stop closes the pipes
	if p.process != nil {
		p.exit = p.process.Stop()
	} else {
		if errors.As(p.endpoint.Err(), &p.exit) && errors.Is(p.endpoint.Err(), duplex.ErrPeerClosed) {
			closed := *p.exit
			closed.Step = procspawn.StepCloseLink
			p.exit = &closed
		}
		if link, ok := p.link.(*procspawn.Link); ok && p.endpoint.Err() != rpc.ErrShutdown {
			handles.Lost(link) // a child is not to live on with nobody to tell it of its parent's end
		}
	}
	close(p.reaped)
	if p.exit != nil && p.opts.OnExit != nil {
		p.opts.OnExit(p.exit)
	}
	ctx, cancel := context.WithTimeout(context.Background(), handlerTime)
	defer cancel()
	if n := p.endpoint.Wait(ctx); n > 0 && p.opts.Logger != nil {
		p.opts.Logger.Warn("viaduct: gave up waiting for handlers after the link's end", "running", n)
	}
	down := make(chan struct{})
	go func() {
		defer close(down)
		p.conn.Wait()
	}()
	select {
	case <-down:
	case <-time.After(linkTime):
		if p.opts.Logger != nil {
			p.opts.Logger.Warn("viaduct: gave up waiting for a connection whose Close does not end its Read")
		}
	}
}

// Call calls serviceMethod on the other side and waits until it has returned,
// as [rpc.Client.Call] does. The package documentation lists its errors.
func (p *Peer) Call(serviceMethod string, args, reply any) error {
	return p.endpoint.Call(serviceMethod, args, reply)
}

// CallContext is Call until ctx ends: then it returns ctx.Err() at once (but not
// while it encodes args, or decodes the reply, which it returns), and the other side is told that nobody waits for the reply any more, or, if the call had not been sent whole, does
// not get it. A deadline crosses, as the time that is left: see [viaduct.Caller]. reply is not touched after CallContext has returned.
func (p *Peer) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	return p.endpoint.CallContext(ctx, serviceMethod, args, reply)
}

// Go calls without waiting for the reply, as [rpc.Client.Go] does. It may wait
// for room to send.
func (p *Peer) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	return p.endpoint.Go(serviceMethod, args, reply, done)
}

// Notify calls serviceMethod one way: nothing comes back, be it a reply or an
// error. It returns when the last byte of the call is on its way, or why it was not sent: ctx.Err(), or what Call
// returns. The other side handles one-way calls one at a time, in the order they were sent.
func (p *Peer) Notify(ctx context.Context, serviceMethod string, args any) error {
	return p.endpoint.Notify(ctx, serviceMethod, args)
}

// Client returns a standard client, for code that wants one. Closing it ends
// its own calls, not the link. A reply that cannot be decoded ends that client, though nobody else's.
func (p *Peer) Client() *rpc.Client { return p.endpoint.Client() }

// Process returns the child, nil in the child itself and for a Peer without a process.
func (p *Peer) Process() *procspawn.Process { return p.process }

// Done returns a channel that is closed when the link is down and pending calls have failed.
func (p *Peer) Done() <-chan struct{} { return p.endpoint.Done() }

// Err returns nil while the link is up, and then what ended it:
// [rpc.ErrShutdown] after Close on this side, otherwise what a [*viaduct.DownError] of calls unwraps to.
func (p *Peer) Err() error {
	err := p.endpoint.Err()
	var down *viaduct.DownError
	if errors.As(err, &down) {
		return down.Err
	}
	return err
}

// Ping asks the other side for an answer and returns how long that took, however busy its
// handlers are. A process that is stopped does not answer. The error is ctx.Err(), or what calls fail with if the link has ended.
func (p *Peer) Ping(ctx context.Context) (time.Duration, error) {
	d, err := p.conn.Ping(ctx)
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		<-p.endpoint.Done()
		err = p.endpoint.Err()
	}
	return d, err
}

// Close ends the link at once: pending calls fail with [rpc.ErrShutdown].
// What was accepted for sending is delivered if the other side takes it within 50 ms. In
// the parent it then ends the child, step by step, and returns when it has been waited for. It always
// returns nil. OnExit and handlers that run are not waited for: see Wait.
func (p *Peer) Close() error {
	p.endpoint.Close()
	<-p.reaped
	return nil
}

// Wait waits until the link is down and all that the library runs for it has
// ended: the child has been waited for, OnExit and the handlers have returned (handlers are given up after 250 ms, which
// Options.Logger is told). It does not end anything itself.
//
// It returns nil after an orderly end: one side has called Close, or the child has exited by itself, and
// a child has exited with status 0, not by a signal. Otherwise it returns a [*procspawn.Exit] if there is one, or Err.
//
// Do not call it in a handler or in OnExit: it waits for them.
func (p *Peer) Wait() error {
	<-p.ended
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
