package duplex

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// maxWrite bounds one write call: what the kernel holds cannot be
	// overtaken, so more would buy throughput with the latency of others.
	maxWrite = 64 << 10
	// callerRounds is how many batches a sender writes for itself and others
	// before it leaves the rest to the writer goroutine.
	callerRounds = 4
)

// writer owns the sending half of a connection.
//
// Whoever writes, a sender or the writer goroutine, has made itself the owner
// first; mu is never held across a write. The owner takes batches from next
// until there is none, so that nobody else needs to be woken for what is
// queued meanwhile.
type writer struct {
	conn     io.Writer
	writeNow func([]byte) (int, error) // writes what fits without waiting; nil if the connection cannot
	maxSend  int
	maxQueue int               // how full the queue may be for another message to be put into it
	owed     func(class) int64 // takes over the credit that is to be granted to the other side
	failed   func(error)       // called once, with the first write error
	done     <-chan struct{}   // closed when the connection has ended
	wake     chan struct{}     // one slot: there is work for the writer goroutine
	drained  chan struct{}     // closed when the bye has been written
	work     *work             // what is going on besides
	lonely   bool              // the other side does not know of shutdown
	quiet    chan<- struct{}   // closed when Shutdown may close
	bytes    atomic.Uint64     // written

	mu       sync.Mutex            // guards what follows
	owned    bool                  // somebody is writing
	handed   bool                  // the owner has left off, rest and what is queued is for the writer goroutine
	rest     []byte                // the batch that the kernel did not take whole at once
	written  int                   // how much of it it did
	queue    []byte                // whole frames of messages, in order
	urgents  []byte                // frames of urgent messages, for behind the queue
	control  []byte                // grants and aborts
	streams  []*outStream          // those that owe something
	ends     []*outStream          // those whose end goes behind the queue
	answers  map[uint32]*outStream // those opened by the other side whose accept is due
	refusals []refusal
	spare    []byte          // for the next queue
	pong     uint32          // the latest ping
	ponging  bool            // it has not been answered
	credit   bool            // owed may have something
	watchers []chan struct{} // each is closed when all that was queued has been written
	classes  [numClasses]outClass
	turn     class    // whose waiting messages come first in the next batch
	crowded  bool     // some that may start found no room: nobody may overtake them
	ready    []piecer // long messages and streams that may send, each a piece in its turn
	begun    uint32   // messages and streams begun, ever
	notes    bool     // one-way messages among them
	closing  bool     // no new messages; a bye goes behind what is queued
	peerBye  bool     // the other side has said that it closes
	bye      bool     // the bye is in a batch
	err      error    // the first write error: nothing is written any more
	farewell farewell
}

// send queues data as a message of class c and returns when its last byte is
// on its way: behind that, whatever is sent arrives later. If ctx ends first,
// or the connection does, the message is not delivered. data is not kept.
// busy says that more messages may be about to be sent.
func (w *writer) send(ctx context.Context, c class, data []byte, busy bool) error {
	if len(data) == 0 {
		return errEmpty
	}
	if len(data) > w.maxSend {
		return &SizeError{Size: len(data), Limit: w.maxSend}
	}
	w.mu.Lock()
	err := w.maySend()
	if err == nil && c != reply {
		err = w.mayBegin()
	}
	if err != nil {
		w.mu.Unlock()
		return err
	}
	if w.putNow(c, data) {
		w.unlockAndWrite(busy)
		return nil
	}
	oc := &w.classes[c]
	m := &outMsg{class: c, of: oc, data: data, sent: make(chan struct{})}
	oc.waiting = append(oc.waiting, m)
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
	switch {
	case len(data) == 0:
		return false, errEmpty
	case len(data) > w.maxSend:
		return false, &SizeError{Size: len(data), Limit: w.maxSend}
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

// putNow queues data as a message of class c if it need not wait for anything. mu is held.
func (w *writer) putNow(c class, data []byte) bool {
	oc := &w.classes[c]
	if len(data) > maxPayload || len(oc.waiting) > 0 || !oc.mayStart(c) || !w.hasRoom() {
		return false
	}
	oc.credit -= cost(len(data))
	w.begun++
	w.notes = w.notes || c == oneWay
	w.queue = appendWhole(w.buffer(w.queue, headerSize+len(data)), c, data)
	return true
}

// hasRoom reports whether the queue takes another message at once. mu is held.
func (w *writer) hasRoom() bool { return len(w.queue) < w.maxQueue && !w.crowded && w.err == nil }

// abandon takes m back. It returns nil if m was sent after all.
func (w *writer) abandon(m *outMsg, reason error) error {
	w.mu.Lock()
	oc := &w.classes[m.class]
	switch m.state {
	case msgSent:
		w.mu.Unlock()
		return nil
	case msgWaiting:
		oc.waiting = remove(oc.waiting, m)
	case msgBegun, msgGranted:
		w.ready = remove(w.ready, piecer(m))
		delete(oc.open, m.id)
		w.control = appendHeader(w.control, kindAbort+kind(m.class), 0, m.id)
	}
	w.unlockAndWrite(false)
	return reason
}

// update runs f, which changes what there is to write, and has the writer
// goroutine see to it. The reader uses it: it must not write itself.
func (w *writer) update(f func()) {
	w.mu.Lock()
	f()
	w.leave()
	w.mu.Unlock()
}

// disown is for the owner, who has found nothing more to write. mu is held.
func (w *writer) disown() {
	w.owned = false
	for _, written := range w.watchers {
		close(written)
	}
	w.watchers = nil
}

// await waits until what is queued, and may be sent, has been written, until ctx ends or the connection does.
func (w *writer) await(ctx context.Context) {
	written := make(chan struct{})
	w.mu.Lock()
	w.watchers = append(w.watchers, written)
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

// leave leaves what there is to write to the writer goroutine. mu is held.
func (w *writer) leave() {
	if w.owned && !w.handed {
		return // the owner looks again before it stops
	}
	signal(w.wake)
}

// unlockAndWrite releases mu and sees that what is queued gets written: by
// the caller, if nobody is at it and the connection can write without waiting.
func (w *writer) unlockAndWrite(busy bool) {
	if w.owned || w.writeNow == nil || w.err != nil {
		w.leave()
		w.mu.Unlock()
		return
	}
	w.owned = true
	w.mu.Unlock()
	if busy {
		// Others that are about to send get their messages into this batch.
		runtime.Gosched()
	}
	var batch []byte
	for range callerRounds {
		w.mu.Lock()
		if batch = w.next(batch); batch == nil {
			w.disown()
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
		if n < len(batch) {
			w.mu.Lock()
			w.rest, w.written = batch, n
			w.handed = true
			w.leave()
			w.mu.Unlock()
			return
		}
	}
	w.mu.Lock()
	w.recycle(batch)
	w.handed = true
	w.leave()
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
		if w.owned && !w.handed || w.err != nil {
			w.mu.Unlock()
			continue
		}
		w.owned, w.handed = true, false
		batch, written := w.rest, w.written
		if w.rest, w.written = nil, 0; batch == nil {
			batch = w.next(nil)
		}
		for batch != nil {
			w.mu.Unlock()
			for part := batch[written:]; len(part) > 0; {
				n, err := w.conn.Write(part[:min(len(part), maxWrite)])
				if err != nil {
					w.fail(err)
					return
				}
				part = part[n:]
				w.bytes.Add(uint64(n))
			}
			w.mu.Lock()
			batch, written = w.next(batch), 0
		}
		w.disown()
		w.mu.Unlock()
	}
}

// fail ends the writing. The owner calls it and stays owner: nobody writes after it.
func (w *writer) fail(err error) {
	w.mu.Lock()
	w.err = err
	w.mu.Unlock()
	w.failed(err)
}

// linkEnds reports whether the connection has ended, or is about to. mu is held.
func (w *writer) linkEnds() bool { return w.closing || w.peerBye || w.err != nil || isClosed(w.done) }

// close has a bye sent behind what is queued; drained is closed when it is written.
func (w *writer) close() {
	w.mu.Lock()
	w.closing = true
	w.unlockAndWrite(false)
}
