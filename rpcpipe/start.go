package rpcpipe

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/procspawn"
)

// Start starts cmd as a child and connects to it. ctx bounds the start, in addition to
// Options.HandshakeTimeout, not the life of the child; for that use [exec.CommandContext], which
// kills it, at once, when its context ends. So a child that is to end in order, when Ctrl-C or
// SIGTERM comes, must not have the context of [signal.NotifyContext] there: start it by
// [exec.Command], wait for that context, and call Shutdown. See the example.
//
// A Cmd that was refused before the system was asked to start it, because of ctx or opts, is as it
// was and can be used again. Otherwise another attempt needs a new Cmd.
//
// If the program cannot be started, the error is that of cmd.Start. If it does not connect or is
// refused, it is a [*procspawn.StartError], and no process is left. cmd.Stderr nil means that the
// end of what the child prints there is kept for the error.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Peer, error) {
	c := newConfig(opts)
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := c.openTaps(tap.Parent); err != nil {
		return nil, err
	}
	var peer atomic.Pointer[Peer] // the child may end before there is one
	handles.SetPending(&c.process, func() (pending []handles.PendingCall) {
		if p := peer.Load(); p != nil {
			for _, call := range p.endpoint.Pending() {
				pending = append(pending, handles.PendingCall(call))
			}
		}
		return pending
	})
	handles.SetWhy(&c.process, func() error {
		if p := peer.Load(); p != nil {
			return p.fault()
		}
		return nil
	})
	restore := c.hideTapEnv(cmd)
	process, err := procspawn.Start(ctx, cmd, &c.process)
	restore()
	if err != nil {
		live.notStarted(&c.opts, err)
		c.taps.release()
		return nil, err
	}
	c.agreeOver(process.Link())
	if c.taps != nil {
		c.taps.info.Program = filepath.Base(cmd.Path)
	}
	p := newPeer("child", process.Link(), process, c)
	peer.Store(p)
	return p, nil
}

// Connect connects a child to the parent that started it. ctx bounds the handshake, in addition to
// Options.HandshakeTimeout. In a process that was not started by Start it returns
// [procspawn.ErrNotChild], and the program can go on as an ordinary one. Other errors are those of
// [procspawn.Inherited], [ErrNoChecksum], or name an option. It can be called once.
//
// In a child it catches SIGTERM until the link has ended: see Options.HandlesSIGTERM. If the signal
// comes while Connect is at work and no link comes about, it ends the process then.
func Connect(ctx context.Context, opts *Options) (*Peer, error) {
	c := newConfig(opts)
	if err := c.check(); err != nil {
		return nil, err
	}
	if IsChild() {
		if err := c.openTaps(tap.Child); err != nil {
			return nil, err
		}
	}
	term := catchTermination(&c.opts)
	link, err := procspawn.Inherited(ctx, &c.process)
	if err != nil {
		term.abandon()
		c.taps.release()
		return nil, err
	}
	c.agreeOver(link)
	p := newPeer(kindParent, link, nil, c)
	term.begin(p)
	p.awaitReady(ctx)
	return p, nil
}

// readyTime bounds how long Connect waits for a parent that has said hello and says nothing more.
const readyTime = time.Second

// awaitReady waits until what is sent does not have to wait, so that a child which says something
// and ends is heard.
func (p *Peer) awaitReady(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	select {
	case <-p.conn.Ready():
		p.endpoint.Flush(ctx) // what this side has said first: nothing waits behind it then
	case <-p.conn.Done():
	case <-ctx.Done():
	}
}

// New connects to a peer at the other end of conn, which calls New too. ctx bounds the handshake,
// in addition to Options.HandshakeTimeout. The Peer owns conn from then on; if New fails, conn is
// closed. Errors are those of [procspawn.Handshake], [ErrNoChecksum], or name an option.
func New(ctx context.Context, conn io.ReadWriteCloser, opts *Options) (*Peer, error) {
	c := newConfig(opts)
	err := c.check()
	if err == nil {
		err = c.openTaps(tap.Peer)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	link, err := procspawn.Handshake(ctx, conn, &c.process)
	if err != nil {
		c.taps.release()
		return nil, err
	}
	c.agreeOver(link)
	return newPeer("connection", link, nil, c), nil
}

// kindParent is the kind of the Peer that a child has of its parent.
const kindParent = "parent"

// IsChild reports whether this process was started by Start, before Connect as well as after.
func IsChild() bool { return procspawn.IsChild() }

func newPeer(kind string, link io.ReadWriteCloser, process *procspawn.Process, c *config) *Peer {
	p := preparePeer(kind, link, c)
	p.process = process
	p.taps = c.taps
	p.conn = duplex.New(c.tapped(link), &c.link)
	c.endpoint.Dying = func() { handles.Drain(p.conn) }
	p.endpoint = endpoint.New(newLane(p.conn.ClientLane()), newLane(p.conn.ServerLane()), c.withPeer(p))
	close(p.up)
	live.enterPeer(p)
	go p.supervise()
	return p
}

func preparePeer(kind string, link io.ReadWriteCloser, c *config) *Peer {
	return &Peer{
		kind:   kind,
		opts:   c.opts,
		remote: c.remote,
		link:   link,
		up:     make(chan struct{}),
		reaped: make(chan struct{}),
		told:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
}

// lane is a lane as an Endpoint takes it.
type lane struct {
	*duplex.Lane
	order
}

type order struct{ handles.Order }

func newLane(l *duplex.Lane) lane { return lane{l, order{handles.OrderOf(l)}} }

// Send is that of the Order, as it gives a ticket.
func (l lane) Send(ctx context.Context, msg []byte, isNotification bool, s handles.Sending) (ticket uint64, err error) {
	return l.Order.Send(l.Lane, ctx, msg, isNotification, s)
}
