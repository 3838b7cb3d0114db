package viaduct

import (
	"context"
	"fmt"
	"net/rpc"
	"sync"
	"time"
)

const (
	// trimTime is how long a worker stays warm without work.
	trimTime = 250 * time.Millisecond
	// bareCalls and bareNotes bound what a bare connection, which has no
	// flow control, can make this side hold: handlers running, and bytes of
	// notifications that wait for their turn.
	bareCalls = 16 << 10
	bareNotes = 4 << 20
	// noteCost is what a notification takes besides its own bytes.
	noteCost = 128
)

// dispatcher runs what comes in, each call on a goroutine of its own: on an
// idle worker if there is one, otherwise on a new one. So a call never waits
// behind a handler, and deep stacks are grown once.
type dispatcher struct {
	e      *Endpoint
	server *rpc.Server
	bare   bool // set before the first message: the limits of bare connections hold

	latestFirst bool // answers go in the opposite order of the open requests

	mu     sync.Mutex         // guards what follows
	open   map[uint32]*served // requests without an answer
	order  []*served          // those whose answer has not been sent, the latest last; if latestFirst
	came   uint64             // requests so far; if latestFirst
	idle   []*worker          // last in, first out
	least  int                // the fewest idle since the trimmer has last run
	trim   *time.Timer
	alive  int // workers, idle ones included
	closed bool
	none   chan struct{} // made by who waits for alive to be 0, and closed then

	notes     []*served // in order, for the one worker that handles them
	noteBytes int
	noting    bool // there is such a worker
}

// job is one thing for a worker to do: serve request, or answer one that has
// been cancelled, or decode the reply of call, or handle the notifications that wait, or run a part of
// the Endpoint's own.
type job struct {
	request   *served
	cancelled *served
	call      *pendingCall
	notes     bool
	own       func()
}

func (d *dispatcher) init(e *Endpoint) {
	d.e = e
	d.server = e.opts.server()
	d.latestFirst = e.opts.latestFirst()
	d.open = make(map[uint32]*served)
}

// accept takes a request or notification in. It reports whether it has taken
// it, or releases it later. It does not block.
func (d *dispatcher) accept(m message) (taken bool) {
	s := &served{message: m}
	if m.kind == typeRequest {
		if !d.serve(s) {
			d.refuse(m)
		}
		return true
	}
	if !d.queueNote(s) {
		d.e.end(&ProtocolError{fmt.Sprintf("notifications come faster than they are handled: %d bytes wait", bareNotes), nil})
		return true
	}
	return false
}

// serve has a worker serve a request. It reports false if too many are at work.
func (d *dispatcher) serve(s *served) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bare && d.alive-len(d.idle) >= bareCalls {
		return false
	}
	d.open[s.id] = s
	if d.latestFirst {
		s.since = d.e.pending.nextID()
		d.order = append(d.order, s)
		d.came++
	}
	d.runLocked(job{request: s})
	return true
}

// queueNote queues a notification. It reports false if too many wait already.
func (d *dispatcher) queueNote(s *served) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bare && d.noteBytes > bareNotes {
		return false
	}
	d.notes = append(d.notes, s)
	d.noteBytes += s.size + noteCost
	if !d.noting {
		d.noting = true
		d.runLocked(job{notes: true})
	}
	return true
}

// refuse answers a request that a bare connection brought beyond the limit. If
// not even the refusal finds room, the peer does not read, and the link ends.
func (d *dispatcher) refuse(m message) {
	msg := appendErrorReply(nil, m.id, fmt.Sprintf("viaduct: call refused: %d are running", bareCalls))
	if !d.e.in.(*bareLink).sendNow(msg) {
		d.e.end(&ProtocolError{"peer sends calls and does not read its replies", nil})
	}
}

// nextNote returns the next notification to handle, or nil.
func (d *dispatcher) nextNote() *served {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.notes) == 0 {
		d.notes, d.noting = nil, false
		return nil
	}
	s := d.notes[0]
	d.notes[0] = nil
	d.notes = d.notes[1:]
	d.noteBytes -= s.size + noteCost
	return s
}

// run has a worker do j.
func (d *dispatcher) run(j job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runLocked(j)
}

// runOpen is run, unless the link has ended: then nobody might wait for the worker.
func (d *dispatcher) runOpen(j job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.runLocked(j)
	return true
}

func (d *dispatcher) runLocked(j job) {
	if n := len(d.idle) - 1; n >= 0 {
		w := d.idle[n]
		d.idle[n] = nil
		d.idle = d.idle[:n]
		d.least = min(d.least, n)
		w.jobs <- j // has a slot, and w is idle
		return
	}
	d.alive++
	go newWorker(d).loop(j)
}

// park makes w idle. It reports false if w is not needed any more.
func (d *dispatcher) park(w *worker) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.idle = append(d.idle, w)
	if d.trim == nil {
		d.trim = time.AfterFunc(trimTime, d.trimIdle)
	}
	return true
}

// trimIdle ends the workers that had nothing to do since it last ran.
func (d *dispatcher) trimIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.endIdle(d.least)
	d.least = len(d.idle)
	if len(d.idle) > 0 {
		d.trim.Reset(trimTime)
	} else {
		d.idle, d.trim = nil, nil
	}
}

// endIdle ends the n workers that are idle for the longest time. mu is held.
func (d *dispatcher) endIdle(n int) {
	for _, w := range d.idle[:n] {
		close(w.jobs)
	}
	d.idle = append([]*worker(nil), d.idle[n:]...)
}

// gone is called by each worker at its end.
func (d *dispatcher) gone() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alive--
	if d.alive == 0 && d.none != nil {
		close(d.none)
		d.none = nil
	}
}

// close lets the workers end: idle ones now, the others when they have done
// what they are at. Notifications that have come are still handled.
func (d *dispatcher) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.trim != nil {
		d.trim.Stop()
	}
	d.endIdle(len(d.idle))
}

func (d *dispatcher) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alive - len(d.idle)
}

// wait waits until all workers have gone, or ctx has ended, and returns how
// many are left. It is for after close, when nothing comes in any more.
func (d *dispatcher) wait(ctx context.Context) int {
	d.mu.Lock()
	if d.alive == 0 {
		d.mu.Unlock()
		return 0
	}
	if d.none == nil {
		d.none = make(chan struct{})
	}
	none := d.none
	d.mu.Unlock()
	select {
	case <-none:
		return 0
	case <-ctx.Done():
		return d.count()
	}
}
