package serve

import (
	"bytes"
	"sync/atomic"
	"time"
)

// notifications are the notifications that wait. Guarded by the dispatcher's mu.
type notifications struct {
	queue    []*request // in order
	bytes    int
	early    int          // bytes of those whose room was released before their turn
	late     atomic.Int64 // those whose room was not; changed with mu held
	handling bool         // there is a worker that handles them
	turn     bool         // a concurrent one is next when there is room, before a call that waits
	givenUp  bool         // no more are handled

	// If they are handled one at a time.
	current *request     // its method runs; nil: none does
	since   time.Time    // when it began
	waits   waits        // of the first behind it
	looked  bool         // somebody has asked what it waits for
	look    func() Stall // lookBehind, made once
}

// take takes the first out of the queue.
func (n *notifications) take() *request {
	r := n.queue[0]
	n.queue[0] = nil
	if n.queue = n.queue[1:]; len(n.queue) == 0 {
		n.queue = nil
	}
	n.bytes -= r.Size + NotificationCost
	if r.early {
		n.early -= r.Size + NotificationCost
	} else {
		n.late.Add(-1)
	}
	return r
}

// maxEarly is how many bytes of notifications may wait whose room was released, each counted with
// NotificationCost on top.
const maxEarly = 64 << 20

// releaseWaiting gives back the room of notifications that wait, as far as maxEarly goes, if this side
// waits for the other one: that may be waiting for this room. It is called whenever one may have to be
// released, and does not block.
func (d *Dispatcher) releaseWaiting() {
	if d.notifications.late.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.releaseWaitingLocked()
}

func (d *Dispatcher) releaseWaitingLocked() {
	n := &d.notifications
	late := int(n.late.Load())
	if late == 0 || !d.host.Link.Waiting() {
		return
	}
	for _, r := range n.queue[len(n.queue)-late:] { // the first of a queue are released first
		cost := r.Size + NotificationCost
		if n.early+cost > maxEarly {
			return
		}
		n.early += cost
		n.late.Add(-1)
		r.early = true
		d.host.Link.Working(1) // until it has been handled; before Release, as an orderly end waits for it
		d.host.Link.Release(r.Size, true)
	}
}

// acceptNotification queues a notification, or starts it. It reports false if too many wait
// already.
func (d *Dispatcher) acceptNotification(r *request) bool {
	n := &d.notifications
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Notifications++
	if n.givenUp {
		d.stats.DroppedNotifications++
		return true
	}
	r.epoch = d.syncs.join()
	if d.limits.ConcurrentNotifications && len(n.queue) == 0 && d.mayRunLocked() {
		d.startLocked(r)
		return true
	}
	if d.bare != nil && n.bytes > bareNotifications {
		return false
	}
	n.queue = append(n.queue, r)
	n.bytes += r.Size + NotificationCost
	n.late.Add(1)
	d.releaseWaitingLocked()
	switch {
	case d.limits.ConcurrentNotifications:
		d.waitsLocked(r)
	case !n.handling:
		n.handling = true
		d.workers.runLocked(handleNotifications{})
	case n.current != nil:
		n.waits.begin(d.host.Waits, n.look)
	}
	return true
}

// handlesLocked notes that the method of r is about to run, nil if none is.
func (d *Dispatcher) handlesLocked(r *request) {
	n := &d.notifications
	n.current = r
	if len(n.queue) == 0 || n.looked { // what was told of is another wait than the next
		n.waits.over()
		n.looked = false
	}
	if len(n.queue) > 0 {
		n.since = time.Now()
		n.waits.begin(d.host.Waits, n.look)
	}
}

// lookBehind says what the first notification in the queue waits for.
func (d *Dispatcher) lookBehind() Stall {
	d.mu.Lock()
	n := &d.notifications
	if n.current == nil || len(n.queue) == 0 {
		d.mu.Unlock()
		return Stall{}
	}
	n.looked = true
	s := Stall{What: "notification", For: "a handler that runs", Since: n.since}
	first, current := bytes.Clone(n.queue[0].Method), bytes.Clone(n.current.Method)
	d.mu.Unlock()
	s.Method, s.Handler = d.nameOf(first), d.nameOf(current)
	return s
}

// Backlog returns how many notifications wait for their turn.
func (d *Dispatcher) Backlog() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.notifications.queue)
}

// GiveUp drops the notifications that wait, and those that still come, and counts them. It is for
// when nobody waits for the workers any more: their handlers might go on for hours.
func (d *Dispatcher) GiveUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := &d.notifications
	n.givenUp = true
	d.stats.DroppedNotifications += uint64(len(n.queue))
	for _, r := range n.queue {
		r.waits.over()
	}
	n.waits.over()
	n.queue, n.bytes, n.early = nil, 0, 0
	n.late.Store(0)
	d.tellIdle()
}

// nextNotification returns the next one to handle, or nil, when last has been handled, if there was
// one.
func (d *Dispatcher) nextNotification(last *request) *request {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handledLocked(last)
	if len(d.notifications.queue) == 0 {
		d.notifications.handling = false
		d.handlesLocked(nil)
		d.tellIdle()
		return nil
	}
	r := d.notifications.take()
	d.releaseWaitingLocked()
	d.handlesLocked(r)
	return r
}

// handleNotifications is the job of handling notifications one at a time, until there are no more.
type handleNotifications struct {
	last *request // has been handled
}

func (h handleNotifications) do(w *worker) {
	r := h.last
	finished := false
	defer func() {
		if !finished { // the handler has ended its goroutine, not the queue
			w.d.workers.run(handleNotifications{r})
		}
	}()
	for {
		if r = w.d.nextNotification(r); r == nil {
			finished = true
			return
		}
		w.handleNotification(r)
	}
}

// handledLocked counts a notification that has been handled. A nil r is none.
func (d *Dispatcher) handledLocked(r *request) {
	if r != nil {
		d.syncs.leaveLocked(d, r.epoch)
	}
}

// handled counts a concurrent notification that has been handled.
func (d *Dispatcher) handled(r *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.handledLocked(r)
}
