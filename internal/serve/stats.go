package serve

import (
	"time"

	"github.com/viaduct-go/viaduct/internal/link"
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
