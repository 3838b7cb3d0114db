package viaduct

import (
	"container/list"
	"context"
	"sync/atomic"
)

// served is a request or notification that has come in, until its method has
// returned. Its answer is sent by whoever claims it: the worker that runs the
// method, or the one that carries out a cancel.
type served struct {
	message
	info      *callInfo // nil: the caller has said nothing
	cancelled atomic.Bool
	failed    atomic.Pointer[failed] // what Fail was last called with

	// Guarded by the dispatcher's mu. Only the worker that runs the method sets ctx and stop.
	answered bool
	counts   counts
	answer   int           // size of what it is answered with, if it is being
	place    *list.Element // in dispatcher.waiting
	ctx      context.Context
	stop     context.CancelFunc
	turn     chan struct{} // made by who waits to send the answer, and closed when it is to look again: see Options.AnswerLatestFirst
	since    uint32        // the msgid of this side's first call after the request had come in
}

// counts says against what limit a served counts.
type counts uint8

const (
	countsNot counts = iota
	countsRunning
	countsNested
	countsAnswering
)

// claim makes the caller, the worker whose method has returned, the one who answers s. It reports false if somebody else is.
func (d *dispatcher) claim(s *served, answer int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.claimLocked(s) {
		return false
	}
	d.returnedLocked(s, answer)
	return true
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
// method told; one that waits never runs. It does not block.
func (d *dispatcher) cancel(id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.open[id]; s != nil && !d.pool.closed && d.claimLocked(s) {
		d.stats.Cancelled++
		s.cancelled.Store(true)
		if s.place != nil {
			d.unwaitLocked(s)
		}
		d.answering++
		d.pool.runLocked(job{cancelled: s})
	}
}

// answeredCancelled is called when a call that was cancelled has been answered.
func (d *dispatcher) answeredCancelled() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answering--
	d.startWaitingLocked()
}

// context returns the context of s. It ends when s is cancelled, at its deadline, when its
// method has returned, and when the link ends.
func (d *dispatcher) context(s *served, metadata map[string]string) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.ctx == nil {
		var ctx context.Context
		if s.info == nil || s.info.deadline.IsZero() {
			ctx, s.stop = context.WithCancel(d.e.up)
		} else {
			ctx, s.stop = context.WithDeadline(d.e.up, s.info.deadline)
		}
		s.ctx = &callContext{ctx, d.e, s, metadata}
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
