package duplex

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/capacity"
)

// A batch is what is written at once. In it stand, in this order: control frames, what is queued,
// ends of streams, urgent messages, messages that waited for credit or room, and then pieces of
// long messages and of what is written to streams. There is at least one piece if any may go, so
// small messages, however many, do not hold them up. (While the pipe is large, or was just now,
// none may go for a moment: see package capacity.)

// next returns the next batch to write, or nil if there is none. last is the batch before, which
// has been written. The owner calls it, holding mu, which it may release meanwhile.
func (w *writer) next(last []byte) []byte {
	if last != nil {
		w.progress.wrote()
		w.buffers.recycle(last)
	}
	if !w.linkEnds() {
		w.changePipe()
	}
	switch {
	case w.end.bye: // the batch before this one had it, and nothing follows a bye
		if !isClosed(w.end.drained) {
			close(w.end.drained)
		}
		return nil
	case isClosed(w.done): // what still gets through would be a part of something
		return nil
	}
	small := w.queues.small
	w.queues.small = false
	batch := w.appendEnds(w.takeQueue())
	if w.end.closing {
		// What waits, in whole or with its rest, has not been accepted: its sender is still in
		// send, and gets the reason when the link ends.
		w.end.bye = true
		w.progress.take()
		return w.withSums(appendHeader(w.buffers.room(batch, headerSize), kindBye, 0, 0))
	}
	batch = w.appendWaiting(w.appendUrgents(batch))
	batch = w.appendIdle(w.appendPieces(w.appendAsked(batch), small))
	if len(batch) == 0 {
		// The credit was granted meanwhile. An empty write is not for every kind of pipe: see
		// errEmpty.
		w.buffers.recycle(batch)
		return nil
	}
	w.progress.take()
	return w.withSums(batch)
}

// withSums puts checksums into the frames of a batch, if they have any. Here alone it is known in
// what order the frames go.
func (w *writer) withSums(batch []byte) []byte {
	if w.sums == nil {
		return batch
	}
	return w.sums.Put(w.buffers.room(batch, w.sums.Room(batch)))
}

// takeQueue begins a batch: control frames, and what is queued.
func (w *writer) takeQueue() (batch []byte) {
	queued := w.queues.frames
	w.queues.frames = nil
	if !w.owed.hasFrames() {
		return queued
	}
	batch = w.owed.appendFrames(w.buffers.room(nil, headerSize))
	batch = append(w.buffers.room(batch, len(queued)), queued...)
	w.buffers.recycle(queued)
	return batch
}

// appendEnds appends the ends of streams, orderly or cut, behind their data.
func (w *writer) appendEnds(batch []byte) []byte {
	if len(w.owed.ends) == 0 {
		return batch
	}
	batch = w.buffers.room(batch, len(w.owed.ends)*(headerSize+4))
	for _, o := range w.owed.ends {
		batch = o.appendEnd(batch)
	}
	w.owed.ends = nil
	return batch
}

// appendUrgents appends urgent messages while the batch has room: they may be as many as there are
// calls, and others have their turn, too.
func (w *writer) appendUrgents(batch []byte) []byte {
	urgents := w.queues.urgents
	n := 0
	for n < len(urgents) {
		hasRoom := n < urgentRoom || len(batch)+n < w.maxQueue
		if !hasRoom {
			break
		}
		n += headerSize + int(binary.LittleEndian.Uint16(urgents[n+2:]))
	}
	if n == 0 {
		return batch
	}
	batch = append(w.buffers.room(batch, n), urgents[:n]...)
	if w.queues.urgents = urgents[n:]; n == len(urgents) {
		w.queues.urgents = nil
	}
	return batch
}

// appendWaiting starts waiting messages while they may start and the batch has room. Each class is
// first in its turn.
func (w *writer) appendWaiting(batch []byte) []byte {
	q := &w.queues
	q.crowded = false
	for i := range numClasses {
		c := (q.firstClass + i) % numClasses
		oc := &q.classes[c]
		n := 0
		for ; n < len(oc.waiting) && oc.mayStart(c); n++ {
			if len(batch) >= w.maxQueue {
				q.crowded = true
				break
			}
			m := oc.waiting[n]
			q.countBegun(c)
			batch = q.start(w.buffers.room(batch, headerSize+min(len(m.data), maxPayload)), m, w.progress.next())
		}
		oc.waiting = slices.Delete(oc.waiting, 0, n)
	}
	q.firstClass = (q.firstClass + 1) % numClasses
	return batch
}

// piecer is what sends a piece whenever its turn comes.
type piecer interface {
	// piece appends the next frame to b, for a batch of this number, and reports whether there may
	// be another.
	piece(b []byte, batch uint64, z sizing) (_ []byte, again bool)
}

// appendPieces appends a piece, and further ones as long as a write has room for a full one, unless
// the pipe is to be read first. small says whether something small is in the batch.
func (w *writer) appendPieces(batch []byte, small bool) []byte {
	q := &w.queues
	if len(q.turns) == 0 || w.pipe.Holds(small) {
		return batch
	}
	w.pipe.Sent()
	for before := len(batch); len(q.turns) > 0; {
		isFirst, hasRoom := len(batch) == before, len(batch) <= maxWrite/2
		if !isFirst && !hasRoom {
			break
		}
		p := q.turns[0]
		q.turns = slices.Delete(q.turns, 0, 1)
		var again bool
		if batch, again = p.piece(w.buffers.room(batch, headerSize+maxPayload), w.progress.next(), q.sizing); again {
			q.turns = append(q.turns, p)
		}
	}
	return batch
}

// owed is what this side owes the other one, and goes ahead of messages. It is a state, not a
// queue, wherever the other side could make it grow. Guarded by writer.mu.
type owed struct {
	takeCredit func(class) int64     // returns the credit that is to be granted now; set by New
	credit     bool                  // takeCredit may return some
	pong       uint32                // the latest ping
	pongDue    bool                  // it has not been answered
	frames     []byte                // grants, aborts, pings
	streams    []*outStream          // those that owe something
	ends       []*outStream          // those whose end goes behind the queue
	answers    map[uint32]*outStream // those opened by the other side whose accept is due
	refusals   []refusal
}

// refusal is a stream that the other side has opened and that is not taken.
type refusal struct{ id, code uint32 }

// addFrame adds a frame without payload.
func (d *owed) addFrame(k kind, id uint32) { d.frames = appendHeader(d.frames, k, 0, id) }

func (d *owed) owePong(id uint32) { d.pong, d.pongDue = id, true }

// hasFrames reports whether appendFrames has something to append, but for ends.
func (d *owed) hasFrames() bool {
	return d.credit || d.pongDue || len(d.frames) > 0 || len(d.streams) > 0 || len(d.refusals) > 0
}

func (d *owed) empty() bool { return !d.hasFrames() && len(d.ends) == 0 }

// appendFrames appends what is owed, but for ends.
func (d *owed) appendFrames(b []byte) []byte {
	if d.credit {
		d.credit = false
		for c := range numClasses {
			if n := d.takeCredit(c); n > 0 {
				b = appendHeader(b, kindCredit+kind(c), 0, uint32(n))
			}
		}
	}
	if d.pongDue {
		d.pongDue = false
		b = appendHeader(b, kindPong, 0, d.pong)
	}
	b = append(b, d.frames...)
	d.frames = d.frames[:0]
	for i, o := range d.streams {
		b = o.appendDue(b)
		d.streams[i] = nil
	}
	d.streams = d.streams[:0]
	for _, r := range d.refusals {
		b = appendHeader(b, kindReset|byAcceptor, 4, r.id)
		b = binary.LittleEndian.AppendUint32(b, r.code)
	}
	d.refusals = nil
	return b
}

const (
	// spareSize is the capacity of the buffer that is kept for single messages, so that they cost
	// no allocation.
	spareSize = 4 << 10
	// bufferSize is that of the larger ones, which all connections share, so that an idle
	// connection keeps little. A batch fits, unless control frames are many.
	bufferSize = maxWrite + maxPayload + spareSize
)

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// buffers has the memory of batches. Guarded by writer.mu.
type buffers struct {
	spare []byte // of spareSize; nil while it is in use
}

// room returns b with room for n bytes more; b may be nil.
func (bs *buffers) room(b []byte, n int) []byte {
	switch {
	case cap(b)-len(b) >= n && b != nil:
		return b
	case b == nil && n <= spareSize:
		if b = bs.spare; b == nil {
			return make([]byte, 0, spareSize)
		}
		bs.spare = nil
		return b
	case len(b)+n > bufferSize:
		return slices.Grow(b, n)
	}
	larger := append(bufferPool.Get().(*[bufferSize]byte)[:0], b...)
	bs.recycle(b)
	return larger
}

// recycle keeps b for later.
func (bs *buffers) recycle(b []byte) {
	switch cap(b) {
	case spareSize:
		bs.spare = b[:0]
	case bufferSize:
		bufferPool.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}

// pipe is the connection below, as one whose capacity may be changed. Guarded by writer.mu.
type pipe struct {
	*capacity.Control // set once
	c                 *Conn
	timer             *time.Timer // of look; nil before the first one
}

// appendAsked appends a ping if the pipe is to be read before anything long goes.
func (w *writer) appendAsked(batch []byte) []byte {
	if !w.pipe.Asks() {
		return batch
	}
	id := w.pipe.c.pingNumber()
	w.pipe.Asked(id)
	return appendHeader(w.buffers.room(batch, headerSize), kindPing, 0, id)
}

// isPipeDue reports whether the capacity of the pipe is to be changed before the next batch. mu is
// held.
func (w *writer) isPipeDue() (large, due bool) {
	return w.pipe.IsDue(w.queues.small, len(w.queues.turns) > 0)
}

// changePipe changes the capacity of the pipe if that is due. The owner calls it, holding mu, which
// it releases meanwhile.
func (w *writer) changePipe() {
	large, due := w.isPipeDue()
	if !due {
		return
	}
	w.mu.Unlock()
	done := w.pipe.Set(large)
	w.mu.Lock()
	if w.pipe.Done(large, done) {
		w.pipe.lookLater()
	}
}

func (p *pipe) lookLater() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	switch {
	case isClosed(p.c.done):
	case p.timer == nil:
		p.timer = time.AfterFunc(capacity.LookTime, p.look)
		p.c.timers = append(p.c.timers, p.timer)
	default:
		p.timer.Reset(capacity.LookTime)
	}
}

// look is called by the timer.
func (p *pipe) look() {
	p.c.writer.update(func() {
		if p.Look() {
			p.lookLater()
		}
	})
}

// answered is called by the reader, without locks.
func (p *pipe) answered(ping uint32) {
	if p.Control == nil {
		return
	}
	w := &p.c.writer
	w.mu.Lock()
	if p.Answered(ping) {
		w.wakeWriter()
	}
	w.mu.Unlock()
}
