package rpcpipe

import (
	"context"
	"fmt"
	"os/exec"
)

// Swap starts a child by another command function, or, if that is nil, by the same one again, and
// has calls go to it once it is ready. From then on it is this function that makes the Cmd for each
// restart. The child until then gets no more calls and ends by [Peer.Shutdown]: its calls finish, if
// they do so within Options.ShutdownTimeout, and Swap does not wait for that. If the new child does
// not come, everything stays as it was, and Swap returns why, as [Supervise] does, or, if no child
// will be started any more, a [*NoChildError]. ctx bounds the start.
//
// It works as well while no child is up. At most four old children finish at the same time: while
// there are as many, and while another Swap is at work, Swap waits, until ctx ends.
//
// Meanwhile there are two children, and the services of this side, which they share, are called by
// both: what a service keeps for its child it should keep by the Peer, which [FromContext] returns.
// Streams, offers and notifications that are on their way belong to the child that they were made
// with, which finishes with them.
func (s *Supervisor) Swap(ctx context.Context, command func(Incarnation) (*exec.Cmd, error)) error {
	if !s.enter() {
		return s.noChild(nil, 0)
	}
	defer s.running.Done()
	if err := s.take(ctx, s.swapping, "another Swap"); err != nil {
		return err
	}
	defer func() { <-s.swapping }()
	if err := s.take(ctx, s.retired, "old children, which finish"); err != nil {
		return err
	}
	if command == nil {
		s.mu.Lock()
		command = s.command
		s.mu.Unlock()
	}
	c, err := s.launch(ctx, command, bySwap)
	if err == nil {
		err = s.install(ctx, c, bySwap)
	}
	if err != nil {
		<-s.retired
		s.emit(EventFailed, c, err)
	}
	return err
}

// enter has Wait wait until s.running.Done is called. It reports false if it is too late for that.
func (s *Supervisor) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.final() {
		return false
	}
	s.running.Add(1)
	return true
}

// take puts something into slot, when there is room.
func (s *Supervisor) take(ctx context.Context, slot chan struct{}, what string) error {
	select {
	case slot <- struct{}{}:
		return nil
	case <-s.life.Done():
		return s.noChild(nil, 0)
	case <-ctx.Done():
		return fmt.Errorf("rpcpipe: %s: Swap has waited for %s: %w", s.opts.Name, what, ctx.Err())
	}
}

// retireLocked lets old, which may be nil, finish. It has a slot of retired.
func (s *Supervisor) retireLocked(old *child) {
	if old == nil {
		<-s.retired
		return
	}
	old.isOld = true
	old.leave(errSwapped)
	s.emitLocked(s.eventOf(EventSwapped, old, nil))
	s.running.Go(func() {
		if s.keeper != nil {
			s.keeper.drained(old)
		}
		old.peer.Shutdown(context.Background())
	})
}
