package serve

import (
	"bytes"
	"container/list"
	"context"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/message"
)

// request is a call or a notification that has come in, until its method has returned. It is
// answered by whoever claims it: the worker that runs the method, or the one that carries out a
// cancel.
type request struct {
	message.Message
	info      *message.CallInfo // nil: the caller has said nothing
	memory    body.Account      // what its argument takes
	cancelled atomic.Bool
	failed    atomic.Pointer[message.Failure] // what Fail was last called with

	// Guarded by the dispatcher's mu. Only the worker that runs the method sets ctx and stop.
	answered bool
	counts   counts
	answer   int           // size of what it is answered with, if it is being
	place    *list.Element // in Dispatcher.waiting
	epoch    *epoch        // of a notification
	settles  *epoch        // of a call that was cancelled when it had begun
	early    bool          // a notification whose room was released before its turn
	waits    waits         // for a place among those that run
	mutual   bool          // it is refused as those that run may wait for it
	ctx      context.Context
	stop     context.CancelFunc

	// For Config.LatestFirst: turn is made by who waits to send the answer, and closed when it is
	// to look again; firstCall is the msgid of this side's first call after the request had come
	// in.
	turn      chan struct{}
	firstCall uint32
}

// counts says against what limit a request counts.
type counts uint8

const (
	countsNot counts = iota
	countsRunning
	countsNested
	countsAnswering
)

// waitsLocked notes that r begins to wait for a place among those that run.
func (d *Dispatcher) waitsLocked(r *request) {
	r.waits.begin(d.host.Waits, func() Stall {
		d.mu.Lock()
		if r.waits.told == nil { // not any more: its method may be gone
			d.mu.Unlock()
			return Stall{}
		}
		s := Stall{What: "call", For: "a place among the handlers"}
		if d.running < d.limits.Handlers && d.runningBytes < d.limits.HandlerBytes {
			s.For, s.OtherSide = "answers to be taken", true
		}
		if r.Kind == message.Notification {
			s.What = "notification"
		}
		method := bytes.Clone(r.Method)
		d.mu.Unlock()
		s.Method = d.nameOf(method)
		return s
	})
}

// forget lets go of the message that r came in.
func (r *request) forget() {
	r.Method, r.Body, r.Extra = nil, nil, nil
	r.info.Forget()
}

// claim makes the caller, the worker whose method has returned, the one who answers r. It reports
// false if somebody else is.
func (d *Dispatcher) claim(r *request, answer int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.claimLocked(r) {
		return false
	}
	d.returnedLocked(r, answer)
	return true
}

func (d *Dispatcher) claimLocked(r *request) bool {
	if r.answered {
		return false
	}
	r.answered = true
	if d.open[r.ID] == r { // not if the other side has used the msgid again
		delete(d.open, r.ID)
	}
	return true
}

// Cancel has the request with this msgid answered, if it has not been, and its method told; one
// that waits never runs. It does not block.
func (d *Dispatcher) Cancel(id uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.open[id]
	if r == nil && !d.workers.closed {
		d.syncs.cancelLocked(d, id)
		d.settles.cancelLocked(d, id)
	}
	if r != nil && !d.workers.closed && d.claimLocked(r) {
		d.stats.Cancelled++
		r.cancelled.Store(true)
		if r.place != nil {
			d.stopWaitingLocked(r)
		} else {
			r.settles = d.settles.join()
		}
		d.answering++
		d.workers.runLocked(answerCancelled{r})
	}
}

// answerCancelled is the job of answering a call that was cancelled.
type answerCancelled struct{ *request }

func (j answerCancelled) do(w *worker) {
	d := w.d
	d.endContext(j.request)
	d.answerFailure(j.request, message.OwnFailure(message.ErrCancelled))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answering--
	d.startWaitingLocked()
}
