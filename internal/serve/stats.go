package serve

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/tally"
)

// Stall says of something that waits at this side what it is, and what for.
type Stall struct {
	What, Method string    // "call" or "notification", and whose
	For          string    // what it waits for
	OtherSide    bool      // which is up to the other side, not to this one
	Handler      string    // the method that runs until then, if it is one
	Since        time.Time // when that began, if that is later than the waiting
}

// waits is something that waits for a handler. Guarded by the dispatcher's mu.
type waits struct{ told link.Waiting }

// begin says that the waiting begins, unless it has.
func (w *waits) begin(tell func(func() Stall) link.Waiting, look func() Stall) {
	if w.told == nil && tell != nil {
		w.told = tell(look)
	}
}

// over says that it has ended, if it had begun.
func (w *waits) over() {
	if w.told != nil {
		w.told.Over()
		w.told = nil
	}
}

// Stats count the calls of the other side: see rpcpipe.ServeStats.
type Stats struct {
	Calls                uint64
	Failed               uint64
	Cancelled            uint64
	Refused              uint64
	Notifications        uint64
	DroppedNotifications uint64
	Running              int
	Waiting              int
	WaitingNotifications int
}

// Stats returns the numbers of this moment.
func (d *Dispatcher) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Running, s.Waiting, s.WaitingNotifications = d.runningLocked(), d.waiting.Len(), len(d.notifications.queue)
	return s
}

// runningLocked is how many methods run now.
func (d *Dispatcher) runningLocked() int {
	n := d.running
	for _, nested := range d.nested {
		n += nested
	}
	if d.notifications.handling {
		n++
	}
	return n
}

func (d *Dispatcher) countFailure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Failed++
}

// now is the method that a worker runs, for others to see.
type now struct {
	mu             sync.Mutex // guards what follows; nothing else is taken with it
	runs           bool
	method         string
	isNotification bool
	since          time.Duration // by tally.Now
}

// countBegin notes that the method of w's request is about to run, if methods are counted.
func (w *worker) countBegin() {
	if !w.d.tally.On() {
		return
	}
	since := tally.Now()
	n := &w.now
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs, n.since, n.method = true, since, w.codec.method
	n.isNotification = w.codec.request.Kind == message.Notification
}

// countEnd counts it when it has been served. A method that there is not counts as tally.Unknown:
// the other side can make up as many names as it likes.
func (w *worker) countEnd() {
	n, c := &w.now, &w.codec
	if !n.runs { // only this goroutine writes it
		return
	}
	n.mu.Lock()
	n.runs = false
	n.mu.Unlock()
	method := n.method
	if c.unknown {
		method = tally.Unknown
	}
	now := tally.Now()
	failed := c.result.Err != nil || c.request.cancelled.Load()
	w.d.tally.Ended(method, now-n.since, now, failed, n.isNotification)
}

func (p *workers) enterLocked(w *worker) {
	if w.next = p.all; w.next != nil {
		w.next.prev = w
	}
	p.all = w
}

func (p *workers) removeLocked(w *worker) {
	if w.prev == nil {
		p.all = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// Running is a method that runs.
type Running struct {
	Method       string
	Notification bool
	For          time.Duration // how long it has been running
}

// RunningMethods returns the methods that run, the oldest first: those that began while they were
// counted.
func (d *Dispatcher) RunningMethods() (list []Running) {
	at := tally.Now()
	d.mu.Lock()
	for w := d.workers.all; w != nil; w = w.next {
		n := &w.now
		n.mu.Lock()
		if n.runs {
			list = append(list, Running{n.method, n.isNotification, max(at-n.since, 0)})
		}
		n.mu.Unlock()
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b Running) int { return cmp.Compare(b.For, a.For) })
	return list
}

// MethodStats returns the numbers of each method.
func (d *Dispatcher) MethodStats() []tally.Stats { return d.tally.Stats() }
