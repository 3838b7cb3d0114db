package viaduct

import (
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// logSender sends log records to the other side. Who logs never waits for it: a
// record is sent at once, or queued for a worker, or dropped and counted.
type logSender struct {
	e     *Endpoint
	asked bool // the other side wants records

	sending atomic.Bool // a worker is at the queue; set with mu held
	full    atomic.Bool // until half of the queue is free again; set with mu held

	mu    sync.Mutex    // guards what follows
	queue []*logNote    // the last may still grow
	bytes int           // of queue, and of what the worker is sending
	lost  uint64        // records dropped behind those of queue: the other side does not know
	total atomic.Uint64 // dropped, ever
	idle  chan struct{} // made by who waits for the worker to leave, and closed then
}

// logNote is a message in the making.
type logNote struct {
	msg  []byte
	n    int    // records
	lost uint64 // records dropped before them
}

func (s *logSender) init(e *Endpoint) {
	s.e = e
	s.asked = e.opts != nil && e.opts.LogPeer
}

func (s *logSender) dropped() uint64 { return s.total.Load() }

// open reports whether records may have somebody to go to.
func (s *logSender) open() bool { return s.asked && !s.e.fallen.Load() }

// room reports whether it is worth while to encode a record, which is otherwise counted.
func (s *logSender) room() bool {
	if s.open() && !s.full.Load() {
		return true
	}
	s.drop()
	return false
}

// drop counts a record that is not sent.
func (s *logSender) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total.Add(1)
	if s.open() {
		s.lost++
		s.start() // to tell
	}
}

// send sends msg, a message with one record in it, or queues it, or drops it. It does not keep msg.
func (s *logSender) send(msg []byte) {
	// Here, not by a worker: what is said just before the end is to arrive. While the link is draining there is more to ask, see start.
	if !s.sending.Load() && s.e.out.Draining() == nil {
		if sent, err := s.e.out.TrySend(msg); sent {
			return
		} else if err != nil {
			s.drop()
			return
		}
	}
	if !s.put(msg) {
		s.drop()
	}
}

// put queues msg. It reports false if it cannot.
func (s *logSender) put(msg []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full.Load() || !s.start() {
		return false
	}
	record := msg[logHead:]
	if s.bytes+len(record) > logQueue {
		s.full.Store(true)
		return false
	}
	s.bytes += len(record)
	if n := len(s.queue); n > 0 && s.lost == 0 && len(s.queue[n-1].msg)+len(record) <= min(logFrame, s.e.out.MaxSend()) {
		last := s.queue[n-1]
		last.msg = append(last.msg, record...)
		last.n++
		return true
	}
	s.queue = append(s.queue, &logNote{msg: append([]byte(nil), msg...), n: 1, lost: s.lost})
	s.lost = 0
	return true
}

// start sees that a worker is at the queue, for which an orderly end then
// waits. It reports false if nothing is to be begun any more. mu is held.
//
// While the link is draining, that is so unless something is being served which may log:
// records on their way, in either direction, do not count, or who logs all the time would keep the link from its end.
func (s *logSender) start() bool {
	e := s.e
	began := !s.sending.Load()
	if began {
		e.holdForLogs(1) // before the question, so that the other side is not told meanwhile that nothing is going on
	}
	if e.out.Draining() != nil && !e.out.Serving(int(e.logHolds.Load())) || began && !e.dispatcher.pool.runOpen(job{own: s.run}) {
		if began {
			e.holdForLogs(-1)
		}
		return false
	}
	s.sending.Store(true)
	return true
}

// holdForLogs counts what an orderly end waits for, on the side of the log alone.
func (e *Endpoint) holdForLogs(delta int) {
	e.logHolds.Add(int32(delta))
	e.in.Working(delta)
}

// run sends what is queued, until there is nothing more. A worker runs it.
func (s *logSender) run() {
	for {
		note := s.next()
		if note == nil {
			return
		}
		var size *SizeError
		err := s.e.send(s.e.up, s.e.out, note.msg, true)
		s.sent(note, err == nil)
		if err != nil && !errors.As(err, &size) {
			s.giveUp()
			return
		}
	}
}

// flush waits until what is queued has been sent, for a moment.
func (s *logSender) flush() {
	s.mu.Lock()
	if !s.sending.Load() {
		s.mu.Unlock()
		return
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
	case <-s.e.done:
	case <-time.After(flushTime):
	}
}

// next takes the next message from the queue, which nobody changes any more. It returns nil if there is none.
func (s *logSender) next() *logNote {
	s.mu.Lock()
	defer s.mu.Unlock()
	var note *logNote
	switch {
	case len(s.queue) > 0:
		note = s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
	case s.lost > 0:
		note = &logNote{msg: appendLogHead(nil), lost: s.lost}
		s.lost = 0
	default:
		s.stop()
		return nil
	}
	binary.BigEndian.PutUint16(note.msg[logHead-11:], uint16(1+note.n))
	binary.BigEndian.PutUint64(note.msg[logHead-8:], note.lost)
	return note
}

// sent takes note of what has become of a message.
func (s *logSender) sent(note *logNote, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= len(note.msg) - logHead
	if s.full.Load() && s.bytes <= logQueue/2 {
		s.full.Store(false)
	}
	if !ok {
		s.total.Add(uint64(note.n))
		s.lost += note.lost + uint64(note.n)
	}
}

// giveUp drops what is queued: the link has ended.
func (s *logSender) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, note := range s.queue {
		s.total.Add(uint64(note.n))
	}
	s.bytes = 0
	s.stop()
}

// stop says that the worker leaves. mu is held.
func (s *logSender) stop() {
	s.queue = nil
	s.sending.Store(false)
	if s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	s.e.holdForLogs(-1)
}
