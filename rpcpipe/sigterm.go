package rpcpipe

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
)

const (
	// termPatience is how long a child that was sent SIGTERM goes on serving, so that its parent,
	// which most likely was sent it as well, can finish what it needs the child for and shut the
	// link down.
	termPatience = 2 * time.Second

	// termShutdown is how long a Shutdown may take that the child begins when its parent has not.
	termShutdown = 5 * time.Second
)

// termination holds SIGTERM back in a child, from Connect to the end of its link. A service manager
// sends the signal to all processes of a service at the same time, and a child that died at once
// would take the calls with it that its parent is about to finish.
type termination struct {
	signals <-chan os.Signal
	stop    func() // nothing comes through signals any more: the signal has its default again
	raise   func() // stop, and have the signal do what it does by default
}

// terminating is set by the first Connect of a child: there is one link.
var terminating atomic.Bool

// catchTermination begins to hold the signal back. It returns nil where that is not wanted.
func catchTermination(opts *Options) *termination {
	if !IsChild() || opts.HandlesSIGTERM || terminating.Swap(true) {
		return nil
	}
	return newTermination()
}

// abandon is called if no link has come about. A signal that has come meanwhile is not lost.
func (t *termination) abandon() {
	if t == nil {
		return
	}
	t.stop()
	select {
	case <-t.signals:
		t.raise()
	default:
	}
}

// begin has run run.
func (t *termination) begin(p *Peer) {
	if t != nil && !p.shutdowns.start(func() { t.run(p) }) {
		t.run(p) // the link has ended already, so that it waits for nothing
	}
}

// run waits for the signal, and lets p end in order when it comes. It returns when the link has
// ended.
func (t *termination) run(p *Peer) {
	defer t.stop()
	select {
	case <-t.signals:
	case <-p.endpoint.Done():
		t.stop()
		select {
		case <-t.signals: // it came at the same time
		default:
			return
		}
	}
	stopped, outlived := handles.LinkState(p.link)
	if stopped {
		t.raise()
		return
	}
	// The exit timer sees to a child whose link ends. One that goes on without a link has heard
	// of the signal all the same.
	last := time.AfterFunc(termPatience+termShutdown, t.raise)
	if !outlived {
		defer last.Stop()
	}
	patience := time.NewTimer(termPatience)
	defer patience.Stop()
	select {
	case <-p.endpoint.Done():
		return
	case <-patience.C:
	}
	ctx, cancel := context.WithTimeout(context.Background(), termShutdown)
	defer cancel()
	p.Shutdown(ctx)
	if !errors.Is(p.Err(), duplex.ErrPeerClosed) { // else the parent was faster: main returns as ever
		t.raise()
	}
}
