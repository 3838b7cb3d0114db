// Package serve handles the calls that come in on a link: it decides when each may run, runs it
// through an unmodified rpc.Server on goroutines that are used again, and answers it.
//
// It assumes below it a link that carries whole messages, and gives their room back by Release. It
// promises above that Accept, Cancel and LookAgain never block, since the goroutine that reads the
// link calls them; that a call below the limits never waits behind a running handler; that every
// call is answered once, whatever its method does; and that what the other side can make this one
// hold is bounded.
//
//	Accept -> start ---------------------> worker
//	       -> waiting -> startWaiting ---> worker
//	       -> refused -------------------> one worker that answers them
//	       -> notifications -------------> one worker that handles them in order,
//	                                       or as calls if they are concurrent
package serve

import (
	"container/list"
	"context"
	"fmt"
	"net/rpc"
	"sync"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/tally"
)

// Config says how calls are served. It does not change.
type Config struct {
	Server        *rpc.Server
	Limits        Limits
	ServiceMethod func(method string) string // names of the other side as net/rpc has them; nil: they are
	LatestFirst   bool                       // answers go in the opposite order of the open requests
	RecoverPanics bool
	Hook          Hook
	CountMethods  bool // even if not all of the process are counted: see package tally
	Message       *message.Codec

	// List says what there is to call, in MessagePack, to whoever asks; nil: nobody is told.
	List func() ([]byte, error)
}

// Host is the end of a link that calls come in at, as far as serving them needs it.
type Host struct {
	Link     link.Link       // calls come in by it, and answers go out
	Owner    any             // whose calls these are: see Within
	Outgoing Outgoing        // the calls that this side makes
	Up       context.Context // until the link ends; contexts of methods derive from it
	Done     <-chan struct{} // closed when the link has ended
	Reporter *Reporter
	End      func(reason error) // ends the link
	Dying    func()             // has calls refused: this process is about to end

	// Send sends an answer of method. It waits for room, until ctx or the link ends.
	Send func(ctx context.Context, method string, msg []byte) error

	// Waits is told that something begins to wait for a handler. look, which takes the Dispatcher's
	// lock, says later what it is, and what for. Waits does not block.
	Waits func(look func() Stall) link.Waiting
}

// Outgoing is the table of the calls that this side makes.
type Outgoing interface {
	// Has reports whether a call with this msgid waits for its reply.
	Has(id uint32) bool

	// NextID is the msgid from which the next call's is looked for.
	NextID() uint32

	// Between reports whether a call waits for its reply whose msgid was given out between two
	// moments: when NextID was from, and when it was to.
	Between(from, to uint32) bool

	// Pending is how many calls wait for their reply.
	Pending() int
}

// Dispatcher runs what comes in, each call on a worker of its own, within limits: beyond them calls
// wait, and beyond those they are refused.
type Dispatcher struct {
	cfg    Config
	host   Host
	limits Limits
	tally  tally.Table
	bare   *link.Bare // nil if the link has flow control: otherwise bytes that wait are bounded here

	mu    sync.Mutex // guards what follows
	open  map[uint32]*request
	order []*request // those whose answer has not been sent, the latest last; if LatestFirst
	seen  uint64     // requests so far; if LatestFirst

	running      int            // calls, and concurrent notifications, that count
	runningBytes int            // their size
	nested       map[uint32]int // those that do not, by the call of this side that they serve
	nestedBytes  int
	memory       body.Memory // what the arguments of those that count take, not guarded by mu
	nestedMemory body.Memory // and of those that do not
	answering    int         // calls that have returned, or were cancelled, whose answer is being sent
	answerBytes  int         // size of those answers
	waiting      list.List   // of *request, calls
	waitingBytes int
	refused      []*request
	refusing     bool // a worker answers them

	notifications notifications
	syncs         epochs // of notifications
	settles       epochs // of methods whose call was cancelled
	stats         Stats  // but for what is counted elsewhere
	workers       workers
	idle          chan struct{} // one slot: told each time something has ended, once WatchIdle was called
}

// New returns a Dispatcher for what comes in at host.
func New(cfg Config, host Host) *Dispatcher {
	d := &Dispatcher{cfg: cfg, host: host, limits: cfg.Limits.withDefaults()}
	d.tally.Init(cfg.CountMethods)
	d.bare, _ = host.Link.(*link.Bare)
	if cfg.LatestFirst {
		d.limits.Waiting = 0 // answers wait for that to the latest call, which must not wait for them
	}
	d.open = make(map[uint32]*request)
	d.nested = make(map[uint32]int)
	d.memory.Limit, d.nestedMemory.Limit = int64(d.limits.HandlerBytes), int64(d.limits.HandlerBytes)
	d.workers.d = d
	host.Link.OnWaiting(d.releaseWaiting)
	d.notifications.look = d.lookBehind
	return d
}

// Accept takes a request or notification in. It reports whether the room that it takes on the link
// is free; otherwise it is released later. It does not block.
func (d *Dispatcher) Accept(m message.Message) (roomFree bool) {
	r := &request{Message: m}
	if d.cfg.Message.Extended {
		r.info = message.InfoOf(&m)
	}
	if m.Kind == message.Request {
		roomFree, stuck := d.acceptCall(r)
		if stuck {
			d.host.End(&fault.ProtocolError{Reason: "peer sends calls and does not read its replies"})
		}
		return roomFree
	}
	if !d.acceptNotification(r) {
		d.host.End(&fault.ProtocolError{
			Reason: fmt.Sprintf("notifications come faster than they are handled: %d bytes wait", bareNotifications),
		})
		return true
	}
	return false
}

func (d *Dispatcher) acceptCall(r *request) (roomFree, stuck bool) {
	nested := r.info != nil && r.info.Nested && d.host.Outgoing.Has(r.info.Within)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bare == nil && r.IsOwn() {
		if r.IsSync() {
			return d.syncs.acceptLocked(d, r)
		} else if r.IsSettle() {
			return d.settles.acceptLocked(d, r)
		}
	}
	d.stats.Calls++
	switch {
	case nested && d.mayNestLocked(r):
		if d.nestedBytes >= d.limits.HandlerBytes { // it must not wait for what may wait for it
			return d.refuseLocked(r)
		}
		d.nested[r.info.Within]++
		d.nestedBytes += r.Size
		r.counts = countsNested
		r.memory.Of = &d.nestedMemory
		d.openLocked(r)
		d.workers.runLocked(r)
	case d.waiting.Len() == 0 && d.mayRunLocked():
		d.openLocked(r)
		d.startLocked(r)
	case !d.mayWaitLocked(r):
		return d.refuseLocked(r)
	case d.mayBlockLocked():
		r.mutual = true
		return d.refuseLocked(r)
	default:
		d.openLocked(r)
		r.place = d.waiting.PushBack(r)
		d.waitingBytes += r.Size
		d.waitsLocked(r)
	}
	return true, false
}

// answersLeftLocked reports whether one more answer may be waiting to be sent: the other side may
// leave no room for them.
func (d *Dispatcher) answersLeftLocked() bool { return d.answering < d.limits.Handlers+spareAnswers }

// mayNestLocked reports whether r, which serves a call of this side, may go ahead of the limits.
func (d *Dispatcher) mayNestLocked(r *request) bool {
	return d.nested[r.info.Within] < maxNested && d.answersLeftLocked()
}

// mayRunLocked reports whether one more call may run now.
func (d *Dispatcher) mayRunLocked() bool {
	return d.running < d.limits.Handlers && d.runningBytes < d.limits.HandlerBytes &&
		d.answersLeftLocked() && d.answerBytes < d.limits.HandlerBytes
}

// mayWaitLocked reports whether r may wait for others to end. One call may, whatever its size.
func (d *Dispatcher) mayWaitLocked(r *request) bool {
	return d.waiting.Len() < d.limits.Waiting && d.answersLeftLocked() &&
		(d.waiting.Len() == 0 || d.waitingBytes+r.Size <= maxWaitingBytes)
}

// mayBlockLocked reports whether every method that takes a place may wait for a call of this side,
// and that for the call that looks for a place: neither would ever go on. It is so when calls nest
// without the contexts of those that they serve, to a depth of twice the limit. At least the last
// call that would complete such a ring finds it so.
func (d *Dispatcher) mayBlockLocked() bool {
	return d.running >= d.limits.Handlers && d.host.Outgoing.Pending() >= d.running
}

func (d *Dispatcher) openLocked(r *request) {
	d.open[r.ID] = r
	if d.cfg.LatestFirst {
		r.firstCall = d.host.Outgoing.NextID()
		d.order = append(d.order, r)
		d.seen++
	}
}

// startLocked runs r, for which there is room.
func (d *Dispatcher) startLocked(r *request) {
	d.running++
	d.runningBytes += r.Size
	r.counts = countsRunning
	r.memory.Of = &d.memory
	d.workers.runLocked(r)
}

// returnedLocked is called when the method of r has returned, and it is to be answered. Its place
// is free before the caller can have the answer.
func (d *Dispatcher) returnedLocked(r *request, answer int) {
	d.leaveLocked(r)
	d.answering++
	r.answer = answer
	d.answerBytes += answer
	r.counts = countsAnswering
	d.startWaitingLocked()
}

// endedLocked is called when all that r has needed is done.
func (d *Dispatcher) endedLocked(r *request) {
	if r.settles != nil {
		d.settles.leaveLocked(d, r.settles)
	}
	d.leaveLocked(r)
	d.startWaitingLocked()
}

// leaveLocked gives back the place of r.
func (d *Dispatcher) leaveLocked(r *request) {
	switch r.counts {
	case countsRunning:
		d.running--
		d.runningBytes -= r.Size
	case countsNested:
		d.nestedBytes -= r.Size
		if d.nested[r.info.Within]--; d.nested[r.info.Within] == 0 {
			delete(d.nested, r.info.Within)
		}
	case countsAnswering:
		d.answering--
		d.answerBytes -= r.answer
	}
	r.counts = countsNot
	r.memory.Free()
}

// startWaitingLocked runs what waits for others to end, as far as there is room.
func (d *Dispatcher) startWaitingLocked() {
	n := &d.notifications
	for d.mayRunLocked() {
		call, notifications := d.waiting.Front(), d.limits.ConcurrentNotifications && len(n.queue) > 0
		switch {
		case call != nil && !(notifications && n.turn):
			r := call.Value.(*request)
			d.stopWaitingLocked(r)
			d.startLocked(r)
		case notifications:
			r := n.take()
			d.releaseWaitingLocked()
			r.waits.over()
			d.startLocked(r)
		default:
			d.tellIdle()
			return
		}
		n.turn = !n.turn
	}
	d.tellIdle()
}

func (d *Dispatcher) stopWaitingLocked(r *request) {
	d.waiting.Remove(r.place)
	r.place = nil
	r.waits.over()
	d.waitingBytes -= r.Size
}

// Close lets the workers end: idle ones now, the others when they have done what they are at.
// Notifications that have come are still handled. Calls that wait are not: nobody would get their
// answers.
func (d *Dispatcher) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.waiting.Len() > 0 {
		d.stopWaitingLocked(d.waiting.Front().Value.(*request))
	}
	d.workers.closeLocked()
}

// WatchIdle returns a channel of one slot that is told each time something has ended here, so that
// it is worth while to ask Idle.
func (d *Dispatcher) WatchIdle() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle == nil {
		d.idle = make(chan struct{}, 1)
	}
	return d.idle
}

func (d *Dispatcher) tellIdle() {
	if d.idle != nil {
		link.Signal(d.idle)
	}
}

// Idle reports whether nothing that has come in is being handled, answered or waiting.
func (d *Dispatcher) Idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.runningLocked()+d.answering+d.waiting.Len()+len(d.refused)+len(d.notifications.queue) == 0 && !d.refusing
}
