package viaduct

import (
	"container/list"
	"fmt"
	"net/rpc"
	"sync"
)

const (
	// bareNotes bounds what a bare connection, which has no flow control, can
	// make this side hold: bytes of notifications that wait for their turn.
	bareNotes = 4 << 20
	// noteCost is what a notification takes besides its own bytes.
	noteCost = 128
	// maxNested is how many calls that serve one call of this side go ahead of the limits.
	maxNested = 16
	// answers is how many more answers than handlers may be waiting to be sent.
	answers = 256
)

// dispatcher runs what comes in, each call on a worker of its own, within limits: beyond them calls wait, and beyond
// those they are refused.
//
//	accept -> start -------------------> worker
//	       -> waiting -> startWaiting -> worker
//	       -> refused -----------------> one worker that answers them
//	       -> notes -------------------> one worker that handles them in order, or as calls if they are concurrent
type dispatcher struct {
	e      *Endpoint
	server *rpc.Server
	bare   bool   // set before the first message: bytes that wait are bounded here
	limits limits // copied

	latestFirst bool // answers go in the opposite order of the open requests

	mu    sync.Mutex // guards what follows
	open  map[uint32]*served
	order []*served // those whose answer has not been sent, the latest last; if latestFirst
	came  uint64    // requests so far; if latestFirst

	running      int            // calls, and concurrent notifications, that count
	runningBytes int            // their size
	nested       map[uint32]int // those that do not, by the call of this side that they serve
	nestedBytes  int
	answering    int       // calls whose method has returned, or that were cancelled, and whose answer is being sent
	answerBytes  int       // size of those answers
	waiting      list.List // of *served, requests
	waitingBytes int
	refused      []*served
	refusing     bool // a worker answers them

	notes     []*served // in order
	noteBytes int
	noting    bool // there is a worker that handles them
	noteTurn  bool // a concurrent one is next when there is room, before a call that waits

	stats ServeStats // but for what is counted elsewhere
	pool  workers
}

// job is one thing for a worker to do: serve a request or a concurrent notification, or answer one that has
// been cancelled, or those that are refused, or decode the reply of call, or handle the notifications that wait, or run a part of
// the Endpoint's own.
type job struct {
	request   *served
	cancelled *served
	refused   bool
	call      *pendingCall
	notes     bool
	own       func()
}

func (d *dispatcher) init(e *Endpoint) {
	d.e = e
	d.server = e.opts.server()
	d.limits = e.opts.limits()
	if d.latestFirst = e.opts.latestFirst(); d.latestFirst {
		d.limits.waiting = 0 // answers wait for that to the latest call, which must not wait for them
	}
	d.open = make(map[uint32]*served)
	d.nested = make(map[uint32]int)
	d.pool.d = d
}

// accept takes a request or notification in. It reports whether it has taken
// it, or releases it later. It does not block.
func (d *dispatcher) accept(m message) (taken bool) {
	s := &served{message: m}
	if d.e.opts.extended() {
		s.info = infoOf(&m)
	}
	if m.kind == typeRequest {
		taken, stuck := d.acceptCall(s)
		if stuck {
			d.e.end(&ProtocolError{"peer sends calls and does not read its replies", nil})
		}
		return taken
	}
	if !d.queueNote(s) {
		d.e.end(&ProtocolError{fmt.Sprintf("notifications come faster than they are handled: %d bytes wait", bareNotes), nil})
		return true
	}
	return false
}

func (d *dispatcher) acceptCall(s *served) (taken, stuck bool) {
	nested := s.info != nil && s.info.nested && d.e.pending.has(s.info.within)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Calls++
	switch {
	case nested && d.nested[s.info.within] < maxNested && d.answering < d.limits.handlers+answers:
		if d.nestedBytes >= d.limits.bytes { // it must not wait for what may wait for it
			return d.refuseLocked(s)
		}
		d.nested[s.info.within]++
		d.nestedBytes += s.size
		s.counts = countsNested
		d.openLocked(s)
		d.pool.runLocked(job{request: s})
	case d.waiting.Len() == 0 && d.roomLocked():
		d.openLocked(s)
		d.startLocked(s)
	case d.waiting.Len() < d.limits.waiting && d.answering < d.limits.handlers+answers && (d.waiting.Len() == 0 || d.waitingBytes+s.size <= maxWaitingBytes):
		d.openLocked(s)
		s.place = d.waiting.PushBack(s)
		d.waitingBytes += s.size
	default:
		return d.refuseLocked(s)
	}
	return true, false
}

func (d *dispatcher) openLocked(s *served) {
	d.open[s.id] = s
	if d.latestFirst {
		s.since = d.e.pending.nextID()
		d.order = append(d.order, s)
		d.came++
	}
}

// roomLocked reports whether one more call may run now. Answers being sent are bounded, too: a peer may leave no room for them.
func (d *dispatcher) roomLocked() bool {
	return d.running < d.limits.handlers && d.answering < d.limits.handlers+answers &&
		d.runningBytes < d.limits.bytes && d.answerBytes < d.limits.bytes
}

// startLocked runs s, for which there is room.
func (d *dispatcher) startLocked(s *served) {
	d.running++
	d.runningBytes += s.size
	s.counts = countsRunning
	d.pool.runLocked(job{request: s})
}

// returnedLocked is called when the method of s has returned, and it is to be answered. Its place is free before
// the caller can have the answer.
func (d *dispatcher) returnedLocked(s *served, answer int) {
	d.leaveLocked(s)
	d.answering++
	s.answer = answer
	d.answerBytes += answer
	s.counts = countsAnswering
	d.startWaitingLocked()
}

// endedLocked is called when all that s has needed is done.
func (d *dispatcher) endedLocked(s *served) {
	d.leaveLocked(s)
	d.startWaitingLocked()
}

// leaveLocked gives back the place of s.
func (d *dispatcher) leaveLocked(s *served) {
	switch s.counts {
	case countsRunning:
		d.running--
		d.runningBytes -= s.size
	case countsNested:
		d.nestedBytes -= s.size
		if d.nested[s.info.within]--; d.nested[s.info.within] == 0 {
			delete(d.nested, s.info.within)
		}
	case countsAnswering:
		d.answering--
		d.answerBytes -= s.answer
	}
	s.counts = countsNot
}

// startWaitingLocked runs what waits for others to end, as far as there is room.
func (d *dispatcher) startWaitingLocked() {
	for d.roomLocked() {
		first, notes := d.waiting.Front(), d.limits.concurrent && len(d.notes) > 0
		switch {
		case first != nil && !(notes && d.noteTurn):
			s := first.Value.(*served)
			d.unwaitLocked(s)
			d.startLocked(s)
		case notes:
			d.startLocked(d.takeNoteLocked())
		default:
			return
		}
		d.noteTurn = !d.noteTurn
	}
}

func (d *dispatcher) unwaitLocked(s *served) {
	d.waiting.Remove(s.place)
	s.place = nil
	d.waitingBytes -= s.size
}

// refuseLocked has s answered by an error. On a link with flow control its room is free when that has gone to
// the writer, so credit bounds how many there are. On another the answer is queued at once; if
// not even that finds room it is stuck.
func (d *dispatcher) refuseLocked(s *served) (taken, stuck bool) {
	d.stats.Refused++
	if !d.bare {
		d.refused = append(d.refused, s)
		if !d.refusing {
			d.refusing = true
			d.pool.runLocked(job{refused: true})
		}
		return false, false
	}
	msg := d.e.opts.appendFailure(nil, s.id, d.overloadLocked())
	return true, !d.e.in.(*bareLink).sendNow(msg)
}

func (d *dispatcher) overloadLocked() *failed {
	text := fmt.Sprintf("viaduct: call refused: %d are running and %d wait (MaxHandlers and MaxWaiting of the side that takes it)", d.running, d.waiting.Len())
	return &failed{&ownError{text, ErrOverload}, text, true}
}

// nextRefused returns the next call to refuse, or nil.
func (d *dispatcher) nextRefused() (*served, *failed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.refused) == 0 {
		d.refused, d.refusing = nil, false
		return nil, nil
	}
	s := d.refused[0]
	d.refused[0] = nil
	d.refused = d.refused[1:]
	return s, d.overloadLocked()
}

// queueNote queues a notification, or starts it. It reports false if too many wait already.
func (d *dispatcher) queueNote(s *served) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.OneWay++
	if d.limits.concurrent && len(d.notes) == 0 && d.roomLocked() {
		d.startLocked(s)
		return true
	}
	if d.bare && d.noteBytes > bareNotes {
		return false
	}
	d.notes = append(d.notes, s)
	d.noteBytes += s.size + noteCost
	if !d.noting && !d.limits.concurrent {
		d.noting = true
		d.pool.runLocked(job{notes: true})
	}
	return true
}

// nextNote returns the next notification to handle, or nil.
func (d *dispatcher) nextNote() *served {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.notes) == 0 {
		d.noting = false
		return nil
	}
	return d.takeNoteLocked()
}

func (d *dispatcher) takeNoteLocked() *served {
	s := d.notes[0]
	d.notes[0] = nil
	if d.notes = d.notes[1:]; len(d.notes) == 0 {
		d.notes = nil
	}
	d.noteBytes -= s.size + noteCost
	return s
}

// close lets the workers end: idle ones now, the others when they have done
// what they are at. Notifications that have come are still handled, calls that wait are not: nobody would get their answers.
func (d *dispatcher) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.waiting.Len() > 0 {
		d.unwaitLocked(d.waiting.Front().Value.(*served))
	}
	d.pool.closeLocked()
}
