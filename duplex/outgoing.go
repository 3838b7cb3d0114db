package duplex

import (
	"encoding/binary"
	"slices"
)

// outMsg is a message that has to wait: for credit, for room, or, being longer
// than a frame, for the grant of its rest. Guarded by writer.mu.
type outMsg struct {
	class class
	of    *outClass
	data  []byte
	off   int    // bytes put into frames so far
	id    uint32 // set with the first frame of a long message
	state msgState
	sent  chan struct{} // closed when the last byte is in a frame
}

type msgState uint8

const (
	msgWaiting msgState = iota // in outClass.waiting
	msgBegun                   // first frame sent, rest not granted
	msgGranted                 // granted, in writer.ready
	msgSent
)

// outClass is one class of messages going out. Guarded by writer.mu.
type outClass struct {
	credit  int64 // a message may start while this is positive, and may take it below zero
	waiting []*outMsg
	open    map[uint32]*outMsg // long messages whose last byte is not in a frame yet
	nextID  uint32
}

// mayStart reports whether the next message of class c may start, credit and
// order alone considered.
func (oc *outClass) mayStart(c class) bool {
	return oc.credit > 0 && (c != oneWay || len(oc.open) == 0)
}

// start appends the first or only frame of m to b.
func (oc *outClass) start(b []byte, m *outMsg) []byte {
	oc.credit -= cost(len(m.data))
	if len(m.data) <= maxPayload {
		b = appendWhole(b, m.class, m.data)
		m.finish()
		return b
	}
	for oc.open[oc.nextID] != nil {
		oc.nextID++
	}
	m.id, m.state = oc.nextID, msgBegun
	oc.nextID++
	if oc.open == nil {
		oc.open = make(map[uint32]*outMsg)
	}
	oc.open[m.id] = m
	m.off = firstData
	return appendFirst(b, m.class, m.id, m.data)
}

// piece appends the next piece of m to b.
func (m *outMsg) piece(b []byte) (_ []byte, again bool) {
	n := pieceSize(len(m.data) - m.off)
	b = appendHeader(b, kindPiece+kind(m.class), n, m.id)
	b = append(b, m.data[m.off:m.off+n]...)
	m.off += n
	if m.off < len(m.data) {
		return b, true
	}
	delete(m.of.open, m.id)
	m.finish()
	return b, false
}

// pieceSize is how much of n bytes goes into the next frame. Two full ones make
// up a write of 64 KiB, headers included.
func pieceSize(n int) int {
	if n <= maxPayload {
		return n
	}
	return maxPayload - headerSize
}

func (m *outMsg) finish() {
	m.state = msgSent
	m.data = nil // its owner may use it again
	close(m.sent)
}

// remove returns list without x.
func remove[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// sendUrgent queues data behind what is queued, whatever the credit.
func (w *writer) sendUrgent(data []byte) error {
	switch {
	case len(data) == 0:
		return errEmpty
	case len(data) > maxUrgent:
		return &SizeError{Size: len(data), Limit: maxUrgent}
	}
	w.mu.Lock()
	if err := w.maySend(); err != nil {
		w.mu.Unlock()
		return err
	}
	w.urgents = appendWhole(w.urgents, urgent, data)
	w.unlockAndWrite(false)
	return nil
}

// urgentRoom is how much of a batch is for urgent messages, however full it is.
const urgentRoom = 4 << 10

// appendUrgents appends urgent messages to batch while it has room: they may be
// as many as there are calls, and others have their turn, too.
func (w *writer) appendUrgents(batch []byte) []byte {
	n := 0
	for n < len(w.urgents) && (n < urgentRoom || len(batch)+n < w.maxQueue) {
		n += headerSize + int(binary.LittleEndian.Uint16(w.urgents[n+2:]))
	}
	if n == 0 {
		return batch
	}
	batch = append(w.buffer(batch, n), w.urgents[:n]...)
	if w.urgents = w.urgents[n:]; len(w.urgents) == 0 {
		w.urgents = nil
	}
	return batch
}
