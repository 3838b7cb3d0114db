package duplex

import (
	"context"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/tuning"
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

	wake    chan struct{} // one slot: there is work for the writer goroutine
	blocked atomic.Bool   // that is in a Write
	bytes   atomic.Uint64 // written

	progress progress // of batches
	waits    waiters

	mu      sync.Mutex // guards what follows
	owner   owner
	gather  bool // senders have left the writing to the writer goroutine, and more are about to
	buffers buffers
	queues  queues
	sums    *framesum.Sums // nil: frames have none
	pipe    pipe
	owed    owed
	end     ending
}

// owner says whether somebody writes, and what is written in part. Guarded by writer.mu.
type owner struct {
	exists  bool   // somebody is writing, or is to go on
	handed  bool   // it has left off: the writer goroutine is to go on
	rest    []byte // the latest batch, before the owner left off
	written int    // bytes of rest that it did take
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
	*o = owner{exists: true}
	return rest, written
}

// stop is for the owner, who has found nothing more to write.
func (o *owner) stop() { o.exists = false }

// ending is what a writer knows of the end of the connection. Guarded by writer.mu.
type ending struct {
	closing  bool          // no new messages; a bye goes behind what is queued
	bye      bool          // the bye is in a batch
	drained  chan struct{} // closed when it has been written
	peerBye  bool          // the other side has said that it closes
	err      error         // the first write error: nothing is written any more
	farewell farewell      // of an orderly end
}

// send queues data as a message of class c. It returns when the last byte of a call or a reply is in
// a frame, and when that of a notification is with the system: behind that, whatever is sent arrives
// later. data is not kept. busy says that others are about to send as well. s is told when it waits.
//
// batch is that of the last byte. With an error it is 0 if nothing of the message is delivered;
// otherwise hasLeft tells.
func (w *writer) send(ctx context.Context, c class, data []byte, busy bool, s handles.Sending) (batch uint64, err error) {
	if err := w.checkSize(data); err != nil {
		return 0, err
	}
	w.mu.Lock()
	if err := w.maySendClass(c); err != nil {
		w.mu.Unlock()
		return 0, err
	}
	if w.putNow(c, data) {
		batch = w.progress.next()
		w.unlockAndWrite(busy)
	} else {
		m := w.queues.wait(c, data)
		w.unlockAndWrite(busy)
		if batch, err = w.awaitFramed(ctx, m, s); err != nil {
			return batch, err
		}
	}
	if c == notification {
		return batch, w.awaitSystem(ctx, batch, s)
	}
	return batch, nil
}

// awaitSystem is awaitWritten of what s stands for.
func (w *writer) awaitSystem(ctx context.Context, batch uint64, s handles.Sending) error {
	if batch > w.progress.written.Load() {
		defer s.Begin(func() string { return handles.Room }).Over()
	}
	return w.awaitWritten(ctx, batch)
}

// awaitFramed waits until the last byte of m is in a frame.
func (w *writer) awaitFramed(ctx context.Context, m *outMsg, s handles.Sending) (batch uint64, err error) {
	w.waits.begin()
	defer w.waits.end()
	if !isClosed(m.sent) {
		defer s.Begin(func() string { return w.waitsFor(m) }).Over()
	}
	select {
	case <-m.sent:
		return m.batch, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-w.done:
		err = errEnded
	}
	if w.abandon(m) {
		return 0, err
	}
	return m.batch, nil
}

// trySend is send of a message that begins something, or nothing if it would have to wait for that:
// for credit, for room, or for others of its class. What is longer than a frame is copied, and goes
// on by itself.
func (w *writer) trySend(c class, data []byte) (sent bool, err error) {
	if err := w.checkSize(data); err != nil {
		return false, err
	}
	w.mu.Lock()
	if err := w.mayBegin(); err != nil {
		w.mu.Unlock()
		return false, err
	}
	switch {
	case w.putNow(c, data):
		sent = true
	case len(data) > maxPayload && w.queues.classes[c].isNext(c) && w.hasRoom():
		w.queues.wait(c, slices.Clone(data))
		sent = true
	}
	if !sent {
		w.mu.Unlock()
		return false, nil
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
	if len(data) > maxPayload || !oc.isNext(c) || !w.hasRoom() {
		return false
	}
	oc.credit -= q.sizing.cost(len(data))
	q.countBegun(c)
	q.small = true
	q.frames = appendWhole(w.buffers.room(q.frames, headerSize+len(data)), c, data)
	return true
}

// hasRoom reports whether the queue takes another message at once. mu is held.
func (w *writer) hasRoom() bool {
	return len(w.queues.frames) < w.maxQueue && !w.queues.crowded && w.end.err == nil
}

// abandon takes m back. It reports false if its last byte was in a frame before.
func (w *writer) abandon(m *outMsg) bool {
	w.mu.Lock()
	switch m.state {
	case msgSent:
		w.mu.Unlock()
		return false
	case msgWaiting:
		m.of.waiting = remove(m.of.waiting, m)
	case msgBegun, msgGranted:
		w.queues.turns = remove(w.queues.turns, piecer(m))
		delete(m.of.unfinished, m.id)
		w.owed.addFrame(kindAbort+kind(m.class), m.id)
	}
	m.finish(0) // for flushAll
	w.unlockAndWrite(false)
	return true
}

// update runs f, which changes what there is to write, and has the writer goroutine see to it. The
// reader uses it: it must not write itself.
func (w *writer) update(f func()) {
	w.mu.Lock()
	f()
	w.wakeWriter()
	w.mu.Unlock()
}

// wakeWriter leaves what there is to write to the writer goroutine, unless somebody is writing who
// looks again before it stops. mu is held.
func (w *writer) wakeWriter() {
	if !w.owner.looksAgain() {
		signal(w.wake)
	}
}

// unlockAndWrite releases mu and sees that what is queued gets written: by the caller, if nobody is
// at it, others are not about to send, and the connection can write without waiting.
func (w *writer) unlockAndWrite(busy bool) {
	mayWrite := !w.owner.exists && w.writeNow != nil && w.end.err == nil && !(busy && tuning.Gather)
	if !mayWrite {
		w.gather = w.gather || busy && tuning.Gather
		w.wakeWriter()
		w.mu.Unlock()
		return
	}
	w.owner.exists = true
	w.mu.Unlock()
	w.writeAsCaller()
}

// writeAsCaller writes some batches without waiting. What is left it leaves to the writer
// goroutine. The owner calls it.
func (w *writer) writeAsCaller() {
	var batch []byte
	var written int
	for range callerRounds {
		w.mu.Lock()
		if _, due := w.isPipeDue(); due { // which may take long
			w.mu.Unlock()
			written = len(batch)
			break
		}
		if batch = w.next(batch); batch == nil {
			w.owner.stop()
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		n, err := w.writeNow(batch[:min(len(batch), maxWrite)])
		if err != nil {
			if n == 0 {
				w.progress.tookNothing()
			}
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
		if w.gather {
			w.gather = false
			w.mu.Unlock()
			runtime.Gosched() // not without need: beside others that compute it can take long
			w.mu.Lock()
		}
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
			if err := w.writeAll(batch, written); err != nil {
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

// writeAll writes the rest of a batch, of which so much was written before.
func (w *writer) writeAll(batch []byte, written int) error {
	for written < len(batch) {
		w.blocked.Store(true)
		n, err := w.conn.Write(batch[written:min(len(batch), written+maxWrite)])
		w.blocked.Store(false)
		if err != nil {
			if n+written == 0 {
				w.progress.tookNothing()
			}
			return err
		}
		written += n
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

// close has a bye sent behind what is queued.
func (w *writer) close() {
	w.mu.Lock()
	w.end.closing = true
	w.unlockAndWrite(false)
}
