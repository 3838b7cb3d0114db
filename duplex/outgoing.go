package duplex

import (
	"slices"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// queues are the messages that go out. Guarded by writer.mu.
type queues struct {
	frames  []byte   // whole frames of messages, and of small writes to streams, in order
	urgents []byte   // frames of urgent messages, for behind those
	turns   []piecer // long messages and streams that may send, each a piece in its turn

	sizing     sizing
	classes    [numClasses]outClass
	firstClass class // whose waiting messages come first in the next batch
	crowded    bool  // some that may start found no room: nobody may overtake them

	urgentsPut   uint64 // bytes put into urgents, ever
	small        bool   // something small has come for which the pipe is not to be full
	begun        uint32 // messages and streams begun, ever
	notification bool   // there was a notification among them
}

// outClass is one class of messages going out. Guarded by writer.mu.
type outClass struct {
	credit     int64 // a message may start while this is positive, and may take it below zero
	waiting    []*outMsg
	unfinished map[uint32]*outMsg // long messages whose last byte is not in a frame yet
	nextID     uint32
}

// outMsg is a message that has to wait: for credit, for room, or, being longer than a frame, for
// the grant of its rest. Guarded by writer.mu.
type outMsg struct {
	class class
	of    *outClass
	data  []byte
	off   int    // bytes put into frames so far
	id    uint32 // set with the first frame of a long message
	state msgState
	sent  chan struct{} // closed when the last byte is in a frame, or the message was abandoned
	batch uint64        // of the last byte; 0 if it was abandoned
}

// A message that fits one frame goes from msgWaiting to msgSent, a long one through all states.
type msgState uint8

const (
	msgWaiting msgState = iota // in outClass.waiting
	msgBegun                   // first frame sent, rest not granted
	msgGranted                 // in queues.turns: granted, or needs no grant
	msgSent
)

// countBegun counts a message.
func (q *queues) countBegun(c class) {
	q.begun++
	q.notification = q.notification || c == notification
}

// wait has data wait as a message of class c.
func (q *queues) wait(c class, data []byte) *outMsg {
	oc := &q.classes[c]
	m := &outMsg{class: c, of: oc, data: data, sent: make(chan struct{})}
	oc.waiting = append(oc.waiting, m)
	return m
}

// unsent returns the messages whose last byte is not in a frame.
func (q *queues) unsent() (list []*outMsg) {
	for i := range q.classes {
		list = append(list, q.classes[i].waiting...)
		for _, m := range q.classes[i].unfinished {
			list = append(list, m)
		}
	}
	return list
}

// addCredit lets the sender of class c send n bytes more.
func (q *queues) addCredit(c class, n int64) error {
	oc := &q.classes[c]
	if oc.credit += n; n == 0 || oc.credit > maxWindow {
		return protocolErrorf("%v credit of %d bytes makes %d, limit is %d", c, n, oc.credit, maxWindow)
	}
	return nil
}

// grant lets a message send its rest. It may cross the message's abort: it is then for nothing.
func (q *queues) grant(c class, id uint32) {
	if m := q.classes[c].unfinished[id]; m != nil && m.state == msgBegun {
		q.goesOn(m)
	}
}

// goesOn lets m send its rest, a piece in each of its turns.
func (q *queues) goesOn(m *outMsg) {
	m.state = msgGranted
	q.turns = append(q.turns, m)
}

// waitsFor returns what m waits for: handles.Credit or handles.Room.
func (w *writer) waitsFor(m *outMsg) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	waits := m.state == msgWaiting
	if m.state == msgBegun || waits && m.of.credit <= 0 {
		return handles.Credit
	}
	if waits && m.class == notification {
		for _, before := range m.of.unfinished { // there is one at most
			if before.state == msgBegun {
				return handles.Credit
			}
		}
	}
	return handles.Room
}

// empty reports whether nothing waits to be sent.
func (q *queues) empty() bool {
	for i := range q.classes {
		if len(q.classes[i].waiting) > 0 || len(q.classes[i].unfinished) > 0 {
			return false
		}
	}
	return len(q.frames) == 0 && len(q.urgents) == 0 && len(q.turns) == 0
}

// mayStart reports whether the next message of class c may start, credit and order alone
// considered.
func (oc *outClass) mayStart(c class) bool {
	inOrder := c != notification || len(oc.unfinished) == 0
	return oc.credit > 0 && inOrder
}

// isNext reports whether a message of class c would be the next to start, and may.
func (oc *outClass) isNext(c class) bool { return len(oc.waiting) == 0 && oc.mayStart(c) }

// start appends the first or only frame of m to b, for a batch of this number.
func (q *queues) start(b []byte, m *outMsg, batch uint64) []byte {
	oc := m.of
	oc.credit -= q.sizing.cost(len(m.data))
	if len(m.data) <= maxPayload {
		q.small = true
		b = appendWhole(b, m.class, m.data)
		m.finish(batch)
		return b
	}
	for oc.unfinished[oc.nextID] != nil {
		oc.nextID++
	}
	m.id, m.state = oc.nextID, msgBegun
	oc.nextID++
	if oc.unfinished == nil {
		oc.unfinished = make(map[uint32]*outMsg)
	}
	oc.unfinished[m.id] = m
	m.off = firstData
	if !q.sizing.needsGrant(len(m.data)) {
		q.goesOn(m)
	}
	return appendFirst(b, m.class, m.id, m.data)
}

// piece appends the next piece of m to b, for a batch of this number.
func (m *outMsg) piece(b []byte, batch uint64, z sizing) (_ []byte, again bool) {
	n := z.piece(len(m.data) - m.off)
	b = appendHeader(b, kindPiece+kind(m.class), n, m.id)
	b = append(b, m.data[m.off:m.off+n]...)
	m.off += n
	if m.off < len(m.data) {
		return b, true
	}
	delete(m.of.unfinished, m.id)
	m.finish(batch)
	return b, false
}

// finish notes that the last byte of m is in a batch, 0 that it is in none nor will be.
func (m *outMsg) finish(batch uint64) {
	m.state, m.batch = msgSent, batch
	m.data = nil // its owner may use it again
	close(m.sent)
}

// urgentRoom is how much of a batch is for urgent messages, however full it is.
const urgentRoom = 4 << 10

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
	w.queues.small = true
	w.queues.urgents = appendWhole(w.queues.urgents, urgent, data)
	w.queues.urgentsPut += uint64(headerSize + len(data))
	w.unlockAndWrite(false)
	return nil
}

// remove returns list without x.
func remove[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// waiters counts who waits for the other side to take something.
type waiters struct {
	senders atomic.Int64
	tell    atomic.Pointer[func()] // called when there may be one more; nil: nobody
}

func (ws *waiters) begin() {
	ws.senders.Add(1)
	ws.begun()
}

func (ws *waiters) end() { ws.senders.Add(-1) }

// begun tells that somebody waits, be it in a send or for a reply.
func (ws *waiters) begun() {
	if f := ws.tell.Load(); f != nil {
		(*f)()
	}
}
