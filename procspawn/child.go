package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/family"
	"github.com/viaduct-go/viaduct/procspawn/internal/limits"
	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// ErrNotChild is what Inherited returns in a process that was not started by Start.
var ErrNotChild = errors.New("procspawn: this process was not started as a viaduct child")

const unconnected = "procspawn: Start in a child that has not connected to its parent"

// ErrUnconnected is what Start returns in a process that was itself started as a child and has not
// connected to its parent. Most likely it does not know that it is a child, and would start itself
// for ever.
var ErrUnconnected = errors.New(unconnected + ": " + branchHint)

// errExecuted is for a program that would otherwise take itself for a parent, and might start itself.
var errExecuted = errors.New("this program was executed in the place of the child that the parent has started (by syscall.Exec or the like), and the link did not get so far: " +
	"connect before anything is executed, or start the other program as a process of its own")

// child is this process's part as the child of another one; nil if it is none.
var child = claim()

// IsChild reports whether this process was started by Start. It is true as well if what the parent
// handed over cannot be used: Inherited says why.
func IsChild() bool { return child != nil }

// Inherited returns the link to the parent that started this process, after shaking hands with it.
// The context and Options.HandshakeTimeout bound the handshake. Inherited can be called once. In a
// process that is no child it returns ErrNotChild; the other errors to match are those of
// Handshake.
//
// Once the parent is gone and Read of the link has said so, the process exits within
// Options.ExitTimeout, unless main returns before or the link was closed on this side first.
func Inherited(ctx context.Context, opts *Options) (*Link, error) {
	if child == nil {
		return nil, ErrNotChild
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	return child.inherit(ctx, opts)
}

// inherited is this process's side of the link that it was given by its parent.
type inherited struct {
	// Written by claim.
	pipe    *pipes.Conn
	err     error     // why there is no pipe
	claimed time.Time // when this process first knew of its parent
	starter int       // the process that has started this one: the parent, or one in between
	shield  *shield

	mu        sync.Mutex    // guards what follows
	called    bool          // Inherited was called
	connected bool          // it has succeeded
	parent    *Exit         // what is told of the parent once it is gone
	limit     time.Duration // Options.ExitTimeout: the default until Inherited is called
	endedAt   time.Time     // when the link ended; zero before
	closed    bool          // it was closed on this side
	lookout   lookout
	timer     *time.Timer // ends the process; nil before endedAt, and if limit is negative
}

// claim runs while the package is initialised, so that a child whose main takes its time, or never
// calls Inherited, is watched already.
func claim() *inherited {
	if !sentinel.Found {
		if family.Executed() {
			return &inherited{err: errExecuted}
		}
		return nil
	}
	catchSIGPIPE()
	limits.CatchCPU()
	if sentinel.Crash != nil {
		// A program that sets another one later has that one.
		debug.SetCrashOutput(sentinel.Crash, debug.CrashOptions{})
		sentinel.Crash.Close()
	}
	c := &inherited{
		err:     sentinel.Err,
		claimed: time.Now(),
		starter: os.Getppid(),
		parent:  &Exit{Parent: true, Pid: os.Getppid(), Code: -1},
		limit:   (*Options)(nil).exitTimeout(),
	}
	if c.err == nil {
		c.pipe, c.err = pipes.Inherited(sentinel.Read, sentinel.Write)
	}
	if c.err == nil {
		c.shield = newShield()
		c.pipe.Watch(func() { c.linkEnded() }) // until Inherited takes over
		c.watch()
	}
	return c
}

func (c *inherited) inherit(ctx context.Context, opts *Options) (*Link, error) {
	if err := c.take(); err != nil {
		return nil, err
	}
	c.pipe.Unwatch()
	c.setLimit(opts.exitTimeout())
	if opts.dieOnInterrupt() {
		c.shield.drop()
	}

	l := newLink(c.pipe)
	l.explainEnd = func(err error, _ bool) error { return c.explainEnd(l, err) }
	l.onLose = func() { c.linkEnded() }
	l.onClose = c.linkClosed
	if err := exchangeHellos(ctx, l, opts, inChild); err != nil {
		return nil, fmt.Errorf("procspawn: handshake with the parent: %w", err)
	}
	if slices.Contains(l.remote.Features, featureDetach) {
		c.setLimit(-1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected = true
	if sentinel.Stdio {
		c.parent.Pid = l.remote.Pid // os.Getppid is that of a program in between
	}
	return l, nil
}

// take reports why the link is not the caller's, if it is not.
func (c *inherited) take() error {
	c.mu.Lock()
	again := c.called
	c.called = true
	c.mu.Unlock()
	if again {
		return errors.New("procspawn: Inherited (or rpcpipe.Connect) was called a second time: a child has one link, keep what the first call returned")
	}
	if c.err != nil {
		return fmt.Errorf("procspawn: the link to the parent cannot be used: %w", c.err)
	}
	return nil
}

// rawLink is handles.RawLink: the process is watched as it is before Inherited.
func rawLink() (io.ReadWriteCloser, error) {
	if child == nil {
		return nil, ErrNotChild
	}
	if err := child.take(); err != nil {
		return nil, err
	}
	return child.pipe, nil
}

// mayStart returns ErrUnconnected if this process may not start children.
func (c *inherited) mayStart() error {
	if c == nil { // it is nobody's child
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.connected {
		return ErrUnconnected
	}
	return nil
}

// explainEnd is Link.explainEnd in a child.
func (c *inherited) explainEnd(l *Link, err error) error {
	if err != io.EOF && !pipes.IsBroken(err) {
		return err
	}
	if !l.ended.CompareAndSwap(endedNot, endedThere) && l.ended.Load() == endedHere {
		return errLinkClosed
	}
	return c.linkEnded()
}

// linkClosed is called when the link is closed on this side.
func (c *inherited) linkClosed() {
	c.shield.drop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// exitShare is how much of ExitTimeout passes before the process begins to exit. At the limit it is
// gone.
const exitShare = 0.75

// linkEnded notes that the parent is gone, starts the exit timer, and returns what is told of the
// parent.
func (c *inherited) linkEnded() *Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.endedAt.IsZero() {
		c.endLocked(time.Now())
	}
	return c.parent
}

// endLocked notes when the link has ended.
func (c *inherited) endLocked(at time.Time) {
	c.endedAt = at
	c.parent.Lifetime = at.Sub(c.claimed)
	c.setTimerLocked()
}

// linkState is handles.LinkState. Of a link that has ended although the parent lives it says that
// the child is being stopped: the parent has closed the link, and a signal is its next step. A
// parent that is gone may have died of the signal that has come here as well, and then there is
// the time that ExitTimeout gives.
func (c *inherited) linkState(link any) (stopped, outlived bool) {
	if _, ok := link.(*Link); !ok || c == nil {
		return false, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	outlived = c.limit < 0
	return c.pipe.HungUp() && (outlived || os.Getppid() == c.starter), outlived
}

// setLimit is called by Inherited, when the options are known. The link may have ended by then.
func (c *inherited) setLimit(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = d
	if !c.endedAt.IsZero() {
		c.setTimerLocked()
	}
}

// exitStatusAtEnd is the status of a child whose main has not returned in time. The end of the link
// is the ordinary way to tell a child to end, so nothing has failed. Also main may be in os.Exit(0)
// already, where the race detector keeps it for a second.
const exitStatusAtEnd = 0

// setTimerLocked starts the exit timer, or starts it again because the limit is another one.
func (c *inherited) setTimerLocked() {
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.limit < 0 {
		c.shield.drop() // it lives on without a parent that could end it
		c.timer = nil
		return
	}
	d := time.Duration(float64(c.limit) * exitShare)
	c.timer = time.AfterFunc(time.Until(c.endedAt.Add(d)), func() { os.Exit(exitStatusAtEnd) })
}
