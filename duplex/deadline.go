package duplex

import (
	"sync"
	"time"
)

// deadline is a moment that can be set, moved and cleared while somebody waits for it.
type deadline struct {
	mu     sync.Mutex // guards what follows
	timer  *time.Timer
	passed chan struct{} // closed when the deadline has passed; made for each that has not
	closed bool          // no timer is started any more
}

// wait returns a channel that is closed when the deadline has passed. One that is moved keeps the
// channel that others wait at.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.channel()
}

func (d *deadline) channel() chan struct{} {
	if d.passed == nil {
		d.passed = make(chan struct{})
	}
	return d.passed
}

// set moves the deadline to t. A zero t is none.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop()
	if isClosed(d.channel()) {
		d.passed = make(chan struct{})
	}
	if t.IsZero() || d.closed {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.passed)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer { // not if the deadline has been moved meanwhile
			d.timer = nil
			close(d.passed)
		}
	})
	d.timer = timer
}

// close stops the timer for good.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.stop()
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
