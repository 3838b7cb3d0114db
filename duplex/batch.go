package duplex

import (
	"encoding/binary"
	"slices"
	"sync"
)

// A batch is what is written at once. The methods of this file put it together.

// piecer is what sends a piece whenever its turn comes.
type piecer interface {
	// piece appends the next frame to b, and reports whether there may be another.
	piece(b []byte) (_ []byte, again bool)
}

// refusal is a stream that the other side has opened and that is not taken.
type refusal struct{ id, code uint32 }

// next returns the next batch to write, or nil: control frames, what is queued,
// ends of streams, urgent messages, messages that waited for credit or room, and then pieces of long
// messages and of streams, one at least, so that a stream of small messages does not hold them up. last is
// the batch before, which has been written. The owner calls it, holding mu.
func (w *writer) next(last []byte) []byte {
	w.recycle(last)
	if w.bye {
		if !isClosed(w.drained) {
			close(w.drained) // the batch before this one had the bye in it
		}
		return nil // nothing follows a bye
	}
	if isClosed(w.done) {
		return nil // the connection is being closed: what still gets through would be a part of something
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
			w.notes = w.notes || c == oneWay
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

// appendEnds appends the ends of streams, orderly or cut, behind their data.
func (w *writer) appendEnds(batch []byte) []byte {
	if len(w.ends) == 0 {
		return batch
	}
	batch = w.buffer(batch, len(w.ends)*(headerSize+4))
	for _, o := range w.ends {
		batch = o.appendEnd(batch)
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
