package duplex

import (
	"context"
	"sync/atomic"
	"time"
)

// progress counts batches, so that whoever has put something into one learns whether it is with the
// system. Batches are numbered from 1 in the order in which they are written.
type progress struct {
	written atomic.Uint64 // the latest that the system has taken whole; changed with writer.mu held

	// The latest of which the system has taken something, or may be about to. It grows with writer.mu
	// held; the owner takes it back when a write has taken nothing.
	touched atomic.Uint64

	// Guarded by writer.mu.
	taken   uint64        // the latest that the owner has taken
	current chan struct{} // closed when that one is written; nil if nobody waits
	filling chan struct{} // the same of the next
}

// next is the number of the batch that is being filled.
func (p *progress) next() uint64 { return p.taken + 1 }

// take notes that the owner has taken the batch that was being filled. writer.mu is held.
func (p *progress) take() {
	p.taken++
	p.touched.Store(p.taken)
	p.current, p.filling = p.filling, nil
}

// wrote notes that the latest batch is with the system. writer.mu is held.
func (p *progress) wrote() {
	p.written.Store(p.taken)
	if p.current != nil {
		close(p.current)
		p.current = nil
	}
}

// isEmpty ends the waiting for the batch that is being filled: what it had is not to be sent any more.
// writer.mu is held.
func (p *progress) isEmpty() {
	if p.filling != nil {
		close(p.filling)
		p.filling = nil
	}
}

// tookNothing is called by the owner when the system has taken nothing of the latest batch, and will
// not: its connection is broken.
func (p *progress) tookNothing() { p.touched.Add(^uint64(0)) }

// wait returns a channel that is closed when a batch is with the system, nil if it is. writer.mu is
// held.
func (p *progress) wait(batch uint64) <-chan struct{} {
	c := &p.filling
	switch {
	case batch <= p.written.Load():
		return nil
	case batch <= p.taken:
		c = &p.current
	}
	if *c == nil {
		*c = make(chan struct{})
	}
	return *c
}

// written returns a channel that is closed when a batch is with the system, nil if it is.
func (w *writer) written(batch uint64) <-chan struct{} {
	if batch <= w.progress.written.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress.wait(batch)
}

// awaitWritten waits until a batch is with the system, until ctx ends or the connection does.
func (w *writer) awaitWritten(ctx context.Context, batch uint64) error {
	written := w.written(batch)
	if written == nil {
		return nil
	}
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return w.unlessWritten(batch, ctx.Err())
	case <-w.done:
		return w.unlessWritten(batch, errEnded)
	}
}

// awaitMoment waits until written is closed, and no longer than flushTime if the connection takes
// nothing, or turnTime if who writes has not had a turn, on a machine that is busy.
func (w *writer) awaitMoment(written <-chan struct{}) error {
	for waited := flushTime; ; waited += flushTime {
		before := w.bytes.Load()
		select {
		case <-written:
			return nil
		case <-w.done:
			return errEnded
		case <-time.After(flushTime):
		}
		w.mu.Lock()
		failed := w.end.err != nil
		w.mu.Unlock()
		blocked := w.blocked.Load() && w.bytes.Load() == before
		if failed || blocked || waited >= turnTime {
			return errEndWaits
		}
	}
}

// unlessWritten returns err, or nil if batch is with the system after all.
func (w *writer) unlessWritten(batch uint64, err error) error {
	if batch <= w.progress.written.Load() {
		return nil
	}
	return err
}

// hasLeft reports, of a connection that has ended, whether some of a batch is with the system, or may
// be. If not, nothing of it arrives.
func (w *writer) hasLeft(batch uint64) bool {
	w.mu.Lock() // whoever takes a batch now sees that the connection has ended
	defer w.mu.Unlock()
	return batch <= w.progress.touched.Load()
}

// flush has what is queued written, as unlockAndWrite does.
func (w *writer) flush() {
	w.mu.Lock()
	w.unlockAndWrite(false)
}

// flushAll waits until all that has been said so far is with the system, what waits for credit or
// room included. What is said meanwhile does not hold it up.
func (w *writer) flushAll(ctx context.Context) error {
	w.waits.begin()
	defer w.waits.end()
	w.mu.Lock()
	waiting := w.queues.unsent()
	urgents := w.queues.urgentsPut
	w.unlockAndWrite(false)
	for _, m := range waiting {
		select {
		case <-m.sent:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.done:
			return errEnded
		}
	}
	for {
		w.mu.Lock()
		batch := w.progress.taken
		if w.hasFramesNow() {
			batch++
		}
		last := w.queues.urgentsPut-uint64(len(w.queues.urgents)) >= urgents
		w.unlockAndWrite(false)
		if err := w.awaitWritten(ctx, batch); err != nil || last {
			return err
		}
	}
}

// hasFramesNow reports whether the next batch has something of what was said. mu is held.
func (w *writer) hasFramesNow() bool {
	return len(w.queues.frames) > 0 || len(w.queues.urgents) > 0 || len(w.owed.ends) > 0
}
