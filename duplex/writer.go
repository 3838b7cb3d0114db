package duplex

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// maxWrite bounds one write call: what the kernel holds cannot be overtaken, so more would buy
	// throughput with the latency of others.
	maxWrite = 64 << 10
	// callerRounds is how many batches a sender writes for itself and others before it leaves the
	// rest to the writer goroutine.
	callerRounds = 4
)

// writer is the sending half of a connection.
//
// Whoever writes, a sender or the writer goroutine, has made itself the owner first. It takes
// batches from next until there is none, so nobody else needs to be woken for what is queued
// meanwhile. mu is never held across a write.
type writer struct {
	// Set by New.
	conn     io.Writer
	writeNow func([]byte) (int, error) // writes what fits without waiting; nil if conn cannot
	maxSend  int                       // bytes of a message
	maxQueue int                       // bytes, from which the queue takes no further message
	failed   func(error)               // called once, with the first write error
	done     <-chan struct{}           // closed when the connection has ended
	work     *work                     // what is going on besides

	wake  chan struct{} // one slot: there is work for the writer goroutine
	bytes atomic.Uint64 // written

	mu      sync.Mutex // guards what follows
	owner   owner
	buffers buffers
	queues  queues
	owed    owed
	end     ending
}

// owner says whether somebody writes, and what is written in part. Guarded by writer.mu.
type owner struct {
	exists   bool            // somebody is writing, or is to go on
	handed   bool            // it has left off: the writer goroutine is to go on
	rest     []byte          // the latest batch, before the owner left off
	written  int             // bytes of rest that it did take
	watchers []chan struct{} // each is closed when all that was queued has been written
}

// looksAgain reports whether somebody is writing who asks for the next batch before it stops.
func (o *owner) looksAgain() bool { return o.exists && !o.handed }

// handOver leaves to the writer goroutine what is queued, and the batch of which so much was
// written.
func (o *owner) handOver(rest []byte, written int) {
	o.rest, o.written, o.handed = rest, written, true
}

// takeOver makes the writer goroutine the owner. It returns what was left to it, nil if nothing.
func (o *owner) takeOver() (rest []byte, written int) {
	rest, written = o.rest, o.written
	*o = owner{exists: true, watchers: o.watchers}
	return rest, written
}

// stop is for the owner, who has found nothing more to write.
func (o *owner) stop() {
	o.exists = false
	for _, written := range o.watchers {
		close(written)
	}
	o.watchers = nil
}

// ending is what a writer knows of the end of the connection. Guarded by writer.mu.
type ending struct {
	closing  bool          // no new messages; a bye goes behind what is queued
	bye      bool          // the bye is in a batch
	drained  chan struct{} // closed when it has been written
	peerBye  bool          // the other side has said that it closes
	err      error         // the first write error: nothing is written any more
	farewell farewell      // of an orderly end
}

// send queues data as a message of class c and returns when its last byte is on its way: behind
// that, whatever is sent arrives later. If ctx ends first, or the connection does, the message is
// not delivered. data is not kept. busy says that more messages may be about to be sent.
func (w *writer) send(ctx context.Context, c class, data []byte, busy bool) error {
	if err := w.checkSize(data); err != nil {
		return err
	}
	w.mu.Lock()
	if err := w.maySendClass(c); err != nil {
		w.mu.Unlock()
		return err
	}
	if w.putNow(c, data) {
		w.unlockAndWrite(busy)
		return nil
	}
	m := w.queues.wait(c, data)
	w.unlockAndWrite(busy)
	select {
	case <-m.sent:
		return nil
	case <-ctx.Done():
		return w.abandon(m, ctx.Err())
	case <-w.done:
		return w.abandon(m, errEnded)
	}
}

// trySend is send of a message that begins something, or nothing if it would have to wait.
func (w *writer) trySend(c class, data []byte) (sent bool, err error) {
	if err := w.checkSize(data); err != nil {
		return false, err
	}
	w.mu.Lock()
	if err = w.mayBegin(); err == nil {
		sent = w.putNow(c, data)
	}
	if !sent {
		w.mu.Unlock()
		return false, err
	}
	w.unlockAndWrite(false)
	return true, nil
}

func (w *writer) checkSize(data []byte) error {
	switch {
	case len(data) == 0:
		return errEmpty
	case len(data) > w.maxSend:
		return &SizeError{Size: len(data), Limit: w.maxSend}
	}
	return nil
}

// maySendClass returns why no message of class c may be sent. mu is held.
func (w *writer) maySendClass(c class) error {
	if c == reply {
		return w.maySend()
	}
	return w.mayBegin()
}

// mayBegin returns why no call or notification may be begun. mu is held.
func (w *writer) mayBegin() error {
	if err := w.maySend(); err != nil {
		return err
	}
	if w.work.draining.Load() && !w.work.serving() {
		return ErrShutdown
	}
	return nil
}

// maySend returns why nothing may be sent. mu is held.
func (w *writer) maySend() error {
	switch {
	case isClosed(w.done):
		return errEnded
	case w.end.closing:
		return ErrClosed
	}
	return nil
}

// putNow queues data as a message of class c if it need not wait for anything. mu is held.
func (w *writer) putNow(c class, data []byte) bool {
	q := &w.queues
	oc := &q.classes[c]
	isNext := len(oc.waiting) == 0 && oc.mayStart(c)
	if len(data) > maxPayload || !isNext || !w.hasRoom() {
		return false
	}
	oc.credit -= cost(len(data))
	q.countBegun(c)
	q.frames = appendWhole(w.buffers.room(q.frames, headerSize+len(data)), c, data)
	return true
}

// hasRoom reports whether the queue takes another message at once. mu is held.
func (w *writer) hasRoom() bool {
	return len(w.queues.frames) < w.maxQueue && !w.queues.crowded && w.end.err == nil
}

// abandon takes m back. It returns nil if m was sent after all.
func (w *writer) abandon(m *outMsg, reason error) error {
	w.mu.Lock()
	switch m.state {
	case msgSent:
		w.mu.Unlock()
		return nil
	case msgWaiting:
		m.of.waiting = remove(m.of.waiting, m)
	case msgBegun, msgGranted:
		w.queues.turns = remove(w.queues.turns, piecer(m))
		delete(m.of.unfinished, m.id)
		w.owed.addFrame(kindAbort+kind(m.class), m.id)
	}
	w.unlockAndWrite(false)
	return reason
}

// update runs f, which changes what there is to write, and has the writer goroutine see to it. The
// reader uses it: it must not write itself.
func (w *writer) update(f func()) {
	w.mu.Lock()
	f()
	w.wakeWriter()
	w.mu.Unlock()
}

// await waits until what is queued, and may be sent, has been written, until ctx ends or the
// connection does.
func (w *writer) await(ctx context.Context) {
	written := make(chan struct{})
	w.mu.Lock()
	w.owner.watchers = append(w.owner.watchers, written)
	w.unlockAndWrite(false)
	select {
	case <-written:
	case <-ctx.Done():
	case <-w.done:
	}
}

// flush has what is queued written, as unlockAndWrite does.
func (w *writer) flush() {
	w.mu.Lock()
	w.unlockAndWrite(false)
}

// wakeWriter leaves what there is to write to the writer goroutine, unless somebody is writing who
// looks again before it stops. mu is held.
func (w *writer) wakeWriter() {
	if !w.owner.looksAgain() {
		signal(w.wake)
	}
}

// unlockAndWrite releases mu and sees that what is queued gets written: by the caller, if nobody is
// at it and the connection can write without waiting.
func (w *writer) unlockAndWrite(busy bool) {
	mayWrite := !w.owner.exists && w.writeNow != nil && w.end.err == nil
	if !mayWrite {
		w.wakeWriter()
		w.mu.Unlock()
		return
	}
	w.owner.exists = true
	w.mu.Unlock()
	if busy {
		// Others that are about to send get their messages into this batch.
		runtime.Gosched()
	}
	w.writeAsCaller()
}

// writeAsCaller writes some batches without waiting. What is left it leaves to the writer
// goroutine. The owner calls it.
func (w *writer) writeAsCaller() {
	var batch []byte
	var written int
	for range callerRounds {
		w.mu.Lock()
		if batch = w.next(batch); batch == nil {
			w.owner.stop()
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		n, err := w.writeNow(batch[:min(len(batch), maxWrite)])
		if err != nil {
			w.fail(err)
			return
		}
		w.bytes.Add(uint64(n))
		if written = n; n < len(batch) {
			break
		}
	}
	w.mu.Lock()
	w.owner.handOver(batch, written)
	w.wakeWriter()
	w.mu.Unlock()
}

// run is the writer goroutine.
func (w *writer) run() {
	for {
		select {
		case <-w.wake:
		case <-w.done:
			return
		}
		w.mu.Lock()
		if w.owner.looksAgain() || w.end.err != nil {
			w.mu.Unlock()
			continue
		}
		batch, written := w.owner.takeOver()
		if batch == nil {
			batch = w.next(nil)
		}
		for batch != nil {
			w.mu.Unlock()
			if err := w.writeAll(batch[written:]); err != nil {
				w.fail(err)
				return
			}
			w.mu.Lock()
			batch, written = w.next(batch), 0
		}
		w.owner.stop()
		w.mu.Unlock()
	}
}

func (w *writer) writeAll(p []byte) error {
	for len(p) > 0 {
		n, err := w.conn.Write(p[:min(len(p), maxWrite)])
		if err != nil {
			return err
		}
		p = p[n:]
		w.bytes.Add(uint64(n))
	}
	return nil
}

// fail ends the writing. The owner calls it and stays owner: nobody writes after it.
func (w *writer) fail(err error) {
	w.mu.Lock()
	w.end.err = err
	w.mu.Unlock()
	w.failed(err)
}

// linkEnds reports whether the connection has ended, or is about to. mu is held.
func (w *writer) linkEnds() bool {
	return w.end.closing || w.end.peerBye || w.end.err != nil || isClosed(w.done)
}

// close has a bye sent behind what is queued.
func (w *writer) close() {
	w.mu.Lock()
	w.end.closing = true
	w.unlockAndWrite(false)
}
