package duplex

import "time"

// Stats says what a [Conn] has moved and what waits.
type Stats struct {
	BytesIn, BytesOut uint64 // with all overhead, since the Conn began

	SendQueue int // bytes of messages that are in frames and not with the system yet
	Senders   int // messages that wait for credit, for room, or for the grant of their rest
	Streams   int // that have not ended, or of which not all was read

	// RoundTrip is how long the latest ping that was answered took, 0 if none was: one of Ping, or
	// one that Stats itself has sent before.
	RoundTrip time.Duration
}

// Stats returns the numbers as they are now, and pings the other side for the next time. It does
// not block.
func (c *Conn) Stats() Stats {
	s := Stats{
		BytesIn:  c.bytesIn.Load(),
		BytesOut: c.writer.bytes.Load(),
		Streams:  int(c.work.streams.Load()),
	}
	w := &c.writer
	w.mu.Lock()
	s.SendQueue = len(w.queues.frames) + len(w.owner.rest) - w.owner.written
	for i := range w.queues.classes {
		oc := &w.queues.classes[i]
		s.Senders += len(oc.waiting) + len(oc.unfinished)
	}
	w.mu.Unlock()

	c.mu.Lock()
	s.RoundTrip = c.roundTrip
	measure := !c.measuring && !isClosed(c.done)
	c.measuring = c.measuring || measure
	c.mu.Unlock()
	if measure {
		c.sendPing(&ping{own: true, answered: make(chan struct{})})
	}
	return s
}
