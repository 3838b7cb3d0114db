package serve

import (
	"bytes"
	"time"
)

// notifications are the notifications that wait. Guarded by the dispatcher's mu.
type notifications struct {
	queue    []*request // in order
	bytes    int
	handling bool // there is a worker that handles them
	turn     bool // a concurrent one is next when there is room, before a call that waits
	givenUp  bool // no more are handled

	// If they are handled one at a time.
	current *request  // its method runs; nil: none does
	since   time.Time // when it began
	waits   waits     // of the first behind it
	looked  bool      // somebody has asked what it waits for
}

// take takes the first out of the queue.
func (n *notifications) take() *request {
	r := n.queue[0]
	n.queue[0] = nil
	if n.queue = n.queue[1:]; len(n.queue) == 0 {
		n.queue = nil
	}
	n.bytes -= r.Size + NotificationCost
	return r
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
	if d.limits.ConcurrentNotifications && len(n.queue) == 0 && d.mayRunLocked() {
		d.startLocked(r)
		return true
	}
	if d.bare != nil && n.bytes > bareNotifications {
		return false
	}
	n.queue = append(n.queue, r)
	n.bytes += r.Size + NotificationCost
	switch {
	case d.limits.ConcurrentNotifications:
		d.waitsLocked(r)
	case !n.handling:
		n.handling = true
		d.workers.runLocked(handleNotifications{})
	case n.current != nil:
		n.waits.begin(d.host.Waits, d.lookBehind)
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
		n.waits.begin(d.host.Waits, d.lookBehind)
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
	n.queue, n.bytes = nil, 0
	d.tellIdle()
}

// nextNotification returns the next one to handle, or nil.
func (d *Dispatcher) nextNotification() *request {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.notifications.queue) == 0 {
		d.notifications.handling = false
		d.handlesLocked(nil)
		d.tellIdle()
		return nil
	}
	r := d.notifications.take()
	d.handlesLocked(r)
	return r
}

// handleNotifications is the job of handling notifications one at a time, until there are no more.
type handleNotifications struct{}

func (handleNotifications) do(w *worker) {
	finished := false
	defer func() {
		if !finished { // the handler has ended its goroutine, not the queue
			w.d.workers.run(handleNotifications{})
		}
	}()
	for {
		r := w.d.nextNotification()
		if r == nil {
			finished = true
			return
		}
		w.handleNotification(r)
	}
}
