package viaduct

// Stats says what an [Endpoint] has done and is doing. The numbers are of one moment for each direction.
type Stats struct {
	Made   CallStats  // calls of this side
	Served ServeStats // calls of the other side
}

// CallStats are those of the calls that this side makes.
type CallStats struct {
	Calls     uint64 // begun, ever
	Failed    uint64 // of them, those that the other side answered with an error
	Cancelled uint64 // given up by this side before their reply came, or before they were sent
	OneWay    uint64 // one-way calls sent, ever
	Pending   int    // that wait for their reply now
}

// ServeStats are those of the calls that the other side makes.
type ServeStats struct {
	Calls       uint64 // that have come in, ever
	Failed      uint64 // of them and of OneWay, those that failed
	Cancelled   uint64 // given up by the other side before they were answered
	Refused     uint64 // because too many were in flight
	OneWay      uint64 // one-way calls that have come in, ever
	Running     int    // methods that run now, for one-way calls included
	Waiting     int    // calls that wait for others to end: see Options.MaxHandlers
	WaitingNote int    // one-way calls that wait for their turn
}

// Stats returns the numbers as they are now. It takes two locks for a moment.
func (e *Endpoint) Stats() Stats {
	return Stats{e.pending.current(), e.dispatcher.current()}
}

func (p *pendingCalls) current() CallStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Pending = len(p.calls) - p.abandoned
	return s
}

func (d *dispatcher) current() ServeStats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Running, s.Waiting, s.WaitingNote = d.running, d.waiting.Len(), len(d.notes)
	for _, n := range d.nested {
		s.Running += n
	}
	if d.noting {
		s.Running++
	}
	return s
}

func (d *dispatcher) countFailure() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Failed++
}
