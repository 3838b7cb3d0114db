package viaduct

import (
	"context"
	"errors"
	"sync/atomic"
)

// served is a request or notification that has come in, until its method has
// returned. Its answer is sent by whoever claims it: the worker that runs the
// method, or the one that carries out a cancel.
type served struct {
	message
	cancelled atomic.Bool

	// Guarded by the dispatcher's mu. Only the worker that runs the method sets ctx and stop.
	answered bool
	ctx      context.Context // made if the argument asks for it
	stop     context.CancelFunc
	turn     chan struct{} // made by who waits to send the answer, and closed when it is to look again: see Options.AnswerLatestFirst
	since    uint32        // the msgid of this side's first call after the request had come in
}

var errCancelled = errors.New("viaduct: call cancelled")

// claim makes the caller the one who answers s. It reports false if somebody else is.
func (d *dispatcher) claim(s *served) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claimLocked(s)
}

func (d *dispatcher) claimLocked(s *served) bool {
	if s.answered {
		return false
	}
	s.answered = true
	if d.open[s.id] == s { // not if the other side has used the msgid again
		delete(d.open, s.id)
	}
	return true
}

// cancel has the request with this msgid answered, if it has not been, and its
// method told. It does not block.
func (d *dispatcher) cancel(id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.open[id]; s != nil && d.claimLocked(s) {
		s.cancelled.Store(true)
		d.runLocked(job{cancelled: s})
	}
}

// context returns the context of s. It ends when s is cancelled, when its
// method has returned, and when the link ends.
func (d *dispatcher) context(s *served) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.ctx == nil {
		s.ctx, s.stop = context.WithCancel(d.e.up)
		if s.cancelled.Load() {
			s.stop()
		}
	}
	return s.ctx
}

// endContext ends the context of s, if there is one, from any goroutine.
func (d *dispatcher) endContext(s *served) {
	d.mu.Lock()
	stop := s.stop
	d.mu.Unlock()
	if stop != nil {
		stop()
	}
}
