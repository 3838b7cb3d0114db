package serve

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
