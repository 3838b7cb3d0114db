package duplex

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"slices"
	"sync"
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
	spare    []byte // for the next queue
	pong     uint32 // the latest ping
	ponging  bool   // it has not been answered
	credit   bool   // owed may have something
	classes  [numClasses]outClass
	turn     class    // whose waiting messages come first in the next batch
	crowded  bool     // some that may start found no room: nobody may overtake them
	ready    []piecer // long messages and streams that may send, each a piece in its turn
	begun    uint32   // messages and streams begun, ever
	closing  bool     // no new messages; a bye goes behind what is queued
	bye      bool     // the bye is in a batch
	err      error    // the first write error: nothing is written any more
	farewell farewell
}

// piecer is what sends a piece whenever its turn comes.
type piecer interface {
	// piece appends the next frame to b, and reports whether there may be another.
	piece(b []byte) (_ []byte, again bool)
}

// refusal is a stream that the other side has opened and that is not taken.
type refusal struct{ id, code uint32 }

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
	oc := &w.classes[c]
	if len(data) <= maxPayload && len(oc.waiting) == 0 && oc.mayStart(c) && len(w.queue) < w.maxQueue && !w.crowded && w.err == nil {
		oc.credit -= cost(len(data))
		w.begun++
		w.queue = appendWhole(w.buffer(w.queue, headerSize+len(data)), c, data)
		w.unlockAndWrite(busy)
		return nil
	}
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

// abandon takes m back. It returns nil if m was sent after all.
func (w *writer) abandon(m *outMsg, reason error) error {
	w.mu.Lock()
	oc := &w.classes[m.class]
	switch m.state {
	case outSent:
		w.mu.Unlock()
		return nil
	case outWaiting:
		oc.waiting = remove(oc.waiting, m)
	case outOpen, outReady:
		w.ready = remove(w.ready, piecer(m))
		delete(oc.open, m.id)
		w.control = appendHeader(w.control, kindAbort+kind(m.class), 0, m.id)
	}
	w.unlockAndWrite(false)
	return reason
}

func remove[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// update runs f, which changes what there is to write, and has the writer
// goroutine see to it. The reader uses it: it must not write itself.
func (w *writer) update(f func()) {
	w.mu.Lock()
	f()
	w.leave()
	w.mu.Unlock()
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
	select {
	case w.wake <- struct{}{}:
	default:
	}
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
			w.owned = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		n, err := w.writeNow(batch[:min(len(batch), maxWrite)])
		if err != nil {
			w.fail(err)
			return
		}
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
			}
			w.mu.Lock()
			batch, written = w.next(batch), 0
		}
		w.owned = false
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

// next returns the next batch to write, or nil: control frames, what is queued,
// messages that waited for credit or room, and then pieces of long messages, one
// at least, so that a stream of small messages does not hold them up. last is
// the batch before, which has been written. The owner calls it, holding mu.
func (w *writer) next(last []byte) []byte {
	w.recycle(last)
	if w.bye {
		if !isClosed(w.drained) {
			close(w.drained) // the batch before this one had the bye in it
		}
		return nil // nothing follows a bye
	}
	var batch []byte
	if w.hasControl() {
		batch = w.appendControl(w.buffer(nil, headerSize))
		batch = append(w.buffer(batch, len(w.queue)), w.queue...)
		w.recycle(w.queue)
	} else {
		batch = w.queue
	}
	w.queue = nil
	batch = w.appendEnds(batch)
	if w.closing {
		// What waits, in whole or with its rest, has not been accepted: its
		// sender is still in send, and gets the reason when the link ends.
		w.bye = true
		return appendHeader(w.buffer(batch, headerSize), kindBye, 0, 0)
	}
	batch = w.appendWaiting(w.appendUrgents(batch))
	batch = w.appendIdle(w.appendPieces(batch))
	if len(batch) == 0 {
		// The credit was granted meanwhile. An empty write is not for every
		// kind of pipe: see errEmpty.
		w.recycle(batch)
		return nil
	}
	return batch
}

// appendWaiting starts waiting messages while they may start and the batch
// has room. Each class is first in its turn.
func (w *writer) appendWaiting(batch []byte) []byte {
	w.crowded = false
	for i := range numClasses {
		c := (w.turn + i) % numClasses
		oc := &w.classes[c]
		n := 0
		for ; n < len(oc.waiting) && oc.mayStart(c); n++ {
			if len(batch) >= w.maxQueue {
				w.crowded = true
				break
			}
			w.begun++
			batch = oc.start(w.buffer(batch, headerSize+min(len(oc.waiting[n].data), maxPayload)), oc.waiting[n])
		}
		oc.waiting = slices.Delete(oc.waiting, 0, n)
	}
	w.turn = (w.turn + 1) % numClasses
	return batch
}

// appendPieces appends a piece, and further ones as long as a write has room for a full one.
func (w *writer) appendPieces(batch []byte) []byte {
	for none := len(batch); len(w.ready) > 0 && (len(batch) == none || len(batch) <= maxWrite/2); {
		p := w.ready[0]
		w.ready = slices.Delete(w.ready, 0, 1)
		var again bool
		if batch, again = p.piece(w.buffer(batch, headerSize+maxPayload)); again {
			w.ready = append(w.ready, p)
		}
	}
	return batch
}

// appendEnds appends the ends of streams, behind their data.
func (w *writer) appendEnds(batch []byte) []byte {
	if len(w.ends) == 0 {
		return batch
	}
	batch = w.buffer(batch, len(w.ends)*headerSize)
	for _, o := range w.ends {
		batch = o.frame(batch, kindEnd, 0)
	}
	w.ends = nil
	return batch
}

func (w *writer) hasControl() bool {
	return w.credit || w.ponging || len(w.control) > 0 || len(w.streams) > 0 || len(w.refusals) > 0
}

// appendControl appends the control frames that are due to b.
func (w *writer) appendControl(b []byte) []byte {
	if w.credit {
		w.credit = false
		for c := range numClasses {
			if n := w.owed(c); n > 0 {
				b = appendHeader(b, kindCredit+kind(c), 0, uint32(n))
			}
		}
	}
	if w.ponging {
		b = appendHeader(b, kindPong, 0, w.pong)
		w.ponging = false
	}
	b = append(b, w.control...)
	w.control = w.control[:0]
	for i, o := range w.streams {
		b = o.appendDue(b)
		w.streams[i] = nil
	}
	w.streams = w.streams[:0]
	for _, r := range w.refusals {
		b = appendHeader(b, kindReset|byAcceptor, 4, r.id)
		b = binary.LittleEndian.AppendUint32(b, r.code)
	}
	w.refusals = nil
	return b
}

// close has a bye sent behind what is queued; drained is closed when it is written.
func (w *writer) close() {
	w.mu.Lock()
	w.closing = true
	w.unlockAndWrite(false)
}

const (
	// spareSize is the capacity of the buffer that is kept for single messages,
	// so that they cost no allocation.
	spareSize = 4 << 10
	// bufferSize is that of the larger ones, which all connections share, so
	// that an idle connection keeps little. A batch fits, unless control frames are many.
	bufferSize = maxWrite + maxPayload + spareSize
)

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// buffer returns b with room for n bytes more; b may be nil. mu is held.
func (w *writer) buffer(b []byte, n int) []byte {
	switch {
	case cap(b)-len(b) >= n && b != nil:
		return b
	case b == nil && n <= spareSize:
		if b = w.spare; b == nil {
			return make([]byte, 0, spareSize)
		}
		w.spare = nil
		return b
	case len(b)+n > bufferSize:
		return slices.Grow(b, n)
	}
	larger := append(bufferPool.Get().(*[bufferSize]byte)[:0], b...)
	w.recycle(b)
	return larger
}

// recycle keeps b for later. mu is held.
func (w *writer) recycle(b []byte) {
	switch cap(b) {
	case spareSize:
		w.spare = b[:0]
	case bufferSize:
		bufferPool.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
