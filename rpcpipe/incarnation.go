package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A child is one Incarnation, with what is known of it. It begins with launch, is called from
// install on, and ends with watch, whose goroutine brings the one that follows.
type child struct {
	// Immutable from launch on.
	inc     Incarnation
	command commandFunc     // has made its Cmd
	peer    *Peer           // nil if it could not be started
	stderr  *lines          // nil if nobody asked for it
	inUse   context.Context // ends, with a cause, when it takes no more calls
	leave   context.CancelCauseFunc
	final   bool // it could not be started, and it is of no use to try again

	notes  notes
	hadJob atomic.Bool // of a Pool, when it ended, or why it will: no reason to wait, to give up, or to complain

	// Guarded by the mutex of its Supervisor.
	ready time.Time // when calls began to go to it
	isOld bool      // it was swapped out
}

// An origin is why a child is started.
type origin uint8

const (
	byFirst   origin = iota // it is the first
	byRestart               // another has ended
	bySwap                  // it is to take the place of another
)

var (
	errSwapped    = errors.New("rpcpipe: the child was swapped out")
	errSuperseded = errors.New("rpcpipe: given up: a Swap has brought another child")
)

// launch starts a child and waits until it is ready, ctx ends or no child is needed any more. The
// child returned is never nil. If there is an error, nothing of it is left.
func (s *Supervisor) launch(ctx context.Context, command commandFunc, why origin) (*child, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	c := &child{command: command}
	c.inUse, c.leave = context.WithCancelCause(context.Background())
	s.mu.Lock()
	s.incarnation.N++
	if why == byRestart {
		s.incarnation.Restarts++
	}
	c.inc = s.incarnation
	s.mu.Unlock()

	err := s.startChild(ctx, c)
	if err == nil {
		s.emit(EventStarted, c, nil)
		err = s.awaitReady(ctx, c)
	}
	if err != nil {
		s.discard(c, err)
		switch {
		case s.life.Err() != nil:
			return c, s.noChild(nil, 0)
		case why == byRestart && ctx.Err() != nil:
			return c, errSuperseded
		}
		return c, fmt.Errorf("rpcpipe: %s %d: %w", s.opts.Name, c.inc.N, err)
	}
	return c, nil
}

// startChild starts the process of c, and enters it among those that Close ends.
func (s *Supervisor) startChild(ctx context.Context, c *child) error {
	cmd, err := c.command(c.inc)
	switch {
	case err != nil:
		return fmt.Errorf("the command function failed: %w", err)
	case cmd == nil:
		err = &commandError{"a nil Cmd"}
	case cmd.Process != nil:
		err = &commandError{fmt.Sprintf("the Cmd of %s that was started already", cmd.Path)}
	}
	if err != nil {
		c.final = true
		return err
	}
	if w := s.opts.Stderr; w != nil && cmd.Stderr == nil {
		c.stderr = &lines{w: w, prefix: s.opts.Name + ": ", one: &s.stderr}
		cmd.Stderr = c.stderr
	}
	s.mu.Lock()
	if s.state.final() {
		s.mu.Unlock()
		return errClosed
	}
	s.starting++ // from now on Close waits for it
	s.mu.Unlock()
	opts := *s.opts.Peer
	opts.supervisor = s.label
	c.peer, err = s.start(ctx, cmd, &opts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting--
	if err == nil {
		s.children[c] = struct{}{}
		s.latest.CompareAndSwap(nil, c) // for calls by Go in an event of the first one
	}
	s.changeLocked()
	c.final = isFinal(err)
	return err
}

// awaitReady waits until c can be called.
func (s *Supervisor) awaitReady(ctx context.Context, c *child) error {
	limited, cancel := context.WithTimeout(ctx, s.opts.ReadyTimeout)
	defer cancel()
	// A Ready that makes a call without its context waits for the end of the link.
	stop := context.AfterFunc(limited, func() { c.peer.Close() })
	err := s.opts.Ready(limited, c.peer)
	if stop() && err == nil {
		return nil
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("was not ready in time: %w", ctx.Err())
	case limited.Err() != nil:
		return fmt.Errorf("was not ready within SuperviseOptions.ReadyTimeout (%v): %w", s.opts.ReadyTimeout, limited.Err())
	}
	return fmt.Errorf("was not ready: %w", err)
}

// discard ends a child that nobody calls, if there is one, and waits for it.
func (s *Supervisor) discard(c *child, why error) {
	c.leave(why)
	if c.peer != nil {
		c.peer.Close()
		c.peer.Wait()
	}
	s.exited(c)
}

// exited notes that c was waited for.
func (s *Supervisor) exited(c *child) {
	c.stderr.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, c)
	if c.isOld {
		<-s.retired
	}
}

// install has calls go to c, which is ready. Whatever was to bring another child, or was called
// until now, ends. If c is not needed any more, then nothing of it is left, and the error says why.
// ctx is that of the restart which has brought c.
func (s *Supervisor) install(ctx context.Context, c *child, why origin) error {
	s.mu.Lock()
	if s.state.final() || why == byRestart && ctx.Err() != nil {
		final := s.state.final()
		s.mu.Unlock()
		s.discard(c, errSuperseded)
		if final {
			return s.noChild(nil, 0)
		}
		return errSuperseded
	}
	defer s.mu.Unlock()
	if s.stopRecovery != nil {
		s.stopRecovery()
		s.stopRecovery = nil
	}
	old := s.current.Swap(c)
	s.latest.Store(c)
	c.ready = time.Now()
	if s.keeper != nil {
		s.keeper.up(c)
	}
	s.emitLocked(s.eventOf(EventReady, c, nil))
	s.setLocked(StateUp, nil)
	s.running.Go(func() { s.watch(c) })
	if why == bySwap {
		s.command = c.command
		s.retireLocked(old)
		s.restarts.forget()
	}
	return nil
}

// watch waits for the end of c. If it was still called then, it sees to it that another follows.
func (s *Supervisor) watch(c *child) {
	<-c.peer.Done()
	recovery := s.lose(c)
	c.peer.awaitRest()
	c.stderr.end() // ahead of what the next child prints
	end := c.peer.reason()
	s.running.Go(func() { // there may be much that c has said last, and the next child need not wait for all of it
		c.peer.Wait()
		s.exited(c)
	})
	if end != nil {
		s.counts.lost.Add(c.notes.lost())
	}
	if recovery == nil {
		s.emit(EventExited, c, end)
		return
	}
	s.recover(recovery, c, end)
}

// lose has no more calls go to c, whose link has ended. The context returned is for whoever brings
// the next child. It is nil if nobody needs one.
func (s *Supervisor) lose(c *child) (recovery context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.leave(c.peer.Err())
	if s.keeper != nil {
		s.keeper.lost(c)
	}
	if !s.current.CompareAndSwap(c, nil) || s.state.final() {
		return nil
	}
	recovery, s.stopRecovery = context.WithCancel(s.life)
	s.setLocked(StateLost, c.peer.Err())
	return recovery
}

// tryAgain has the first child, which did not come up, followed by others if there is a keeper. It
// reports false if none will be.
func (s *Supervisor) tryAgain(c *child, end error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper == nil || c.final || s.state.final() {
		return false
	}
	var recovery context.Context
	recovery, s.stopRecovery = context.WithCancel(s.life)
	s.setLocked(StateLost, end)
	s.running.Go(func() { s.recover(recovery, c, end) })
	return true
}

// recover brings the child that follows c, which has ended, until ctx ends.
func (s *Supervisor) recover(ctx context.Context, c *child, end error) {
	for {
		wait, ok := s.decide(ctx, c, end)
		if !ok || !pause(ctx, wait) {
			return
		}
		command, ok := s.beginRestart(ctx)
		if !ok {
			return
		}
		if c, end = s.launch(ctx, command, byRestart); end != nil {
			continue
		}
		if end = s.install(ctx, c, byRestart); end == nil {
			return
		}
	}
}

// decide tells of the end of c, and says whether and when another child follows it.
func (s *Supervisor) decide(ctx context.Context, c *child, end error) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, up := EventExited, time.Since(c.ready)
	if c.ready.IsZero() {
		kind, up = EventFailed, 0
	}
	e := s.eventOf(kind, c, end)
	if e.Exit != nil {
		s.incarnation.Last = e.Exit
	}
	why := end
	if end == nil && e.Exit != nil {
		why = e.Exit
	} else if end == nil {
		why = c.peer.Err()
	}
	var gaveUp error
	switch {
	case ctx.Err() != nil:
		s.emitLocked(e)
		return 0, false
	case c.final:
		gaveUp = end
	case c.hadJob.Load():
	case end == nil && !s.opts.Restart.OnSuccess:
		s.emitLocked(e)
		s.endLocked(why, nil)
		return 0, false
	default:
		wait, gaveUp = s.restarts.next(up, why)
	}
	e.Wait = wait
	s.emitLocked(e)
	if gaveUp != nil {
		e.Kind, e.Err = EventGaveUp, gaveUp
		s.emitLocked(e)
		s.endLocked(gaveUp, gaveUp)
		return 0, false
	}
	s.setLocked(StateBackoff, why)
	return wait, true
}

// pause waits for d. It reports false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// beginRestart returns what makes the Cmd of the next child. It reports false if none is needed.
func (s *Supervisor) beginRestart(ctx context.Context) (commandFunc, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return nil, false
	}
	s.setLocked(StateRestarting, s.why)
	return s.command, true
}
