package logwire

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
)

// Sender sends log records to the other side. Who logs never waits for it: a
// record is sent at once, or queued for a worker, or dropped and counted. What
// the link takes no more goes to the fallback.
type Sender struct {
	host  *Host
	asked bool // the other side wants records

	sending atomic.Bool // a worker is at the queue; set with mu held
	full    atomic.Bool // until half of the queue is free again; set with mu held
	over    atomic.Bool // the fallback is given no more of the queue

	mu    sync.Mutex    // guards what follows
	queue []*batch      // the last may still grow
	bytes int           // of queue, and of what the worker is sending
	lost  uint64        // records dropped behind those of queue: the other side does not know
	total atomic.Uint64 // dropped, ever
	idle  chan struct{} // made by who waits for the worker to leave, and closed then

	queued, done uint64 // records that were queued, and that have left the queue, ever
	flushes      []flush
}

// flush waits until done has come to n.
type flush struct {
	n    uint64
	done chan struct{}
}

// batch is a message in the making.
type batch struct {
	msg  []byte
	n    int    // records
	lost uint64 // records dropped before them
}

// NewSender returns a Sender. asked says that the other side wants records.
func NewSender(host *Host, asked bool) *Sender { return &Sender{host: host, asked: asked} }

// Dropped returns how many records were dropped so far.
func (s *Sender) Dropped() uint64 { return s.total.Load() }

// open reports whether records may have somebody to go to.
func (s *Sender) open() bool { return s.asked && !s.host.Ended() }

// drop counts a record that is not sent.
func (s *Sender) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
}

func (s *Sender) dropLocked() {
	s.total.Add(1)
	if s.open() {
		s.lost++
		s.start() // to tell
	}
}

// send sends msg, a message with one record in it, or queues it, or drops it for want of room. It
// reports false if the link takes no more. It does not keep msg.
func (s *Sender) send(msg []byte) bool {
	// Here, not by a worker: what is said just before the end is to arrive. While the link is
	// draining there is more to ask, see start.
	if !s.sending.Load() && s.host.Out.Draining() == nil {
		if sent, err := s.host.Out.TrySend(msg); sent || err != nil {
			return sent
		}
	}
	return s.put(msg)
}

// put queues msg, or drops it for want of room. It reports false if the link takes no more.
func (s *Sender) put(msg []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full.Load() {
		s.dropLocked()
		return true
	}
	if !s.start() {
		return false
	}
	record := msg[headSize:]
	if s.bytes+len(record) > maxQueue {
		s.full.Store(true)
		s.dropLocked()
		return true
	}
	s.bytes += len(record)
	s.queued++
	if n := len(s.queue); n > 0 && s.lost == 0 && len(s.queue[n-1].msg)+len(record) <= min(maxMessage, s.host.Out.MaxSend()) {
		last := s.queue[n-1]
		last.msg = append(last.msg, record...)
		last.n++
		return true
	}
	s.queue = append(s.queue, &batch{msg: append([]byte(nil), msg...), n: 1, lost: s.lost})
	s.lost = 0
	return true
}

// start sees that a worker is at the queue, for which an orderly end then waits. It reports false
// if nothing is to be begun any more. mu is held.
func (s *Sender) start() bool {
	began := !s.sending.Load()
	if began {
		s.host.hold(1) // before the question, so that the other side is not told meanwhile that nothing is going on
	}
	if !s.host.mayBegin() || began && !s.host.RunOpen(s.run) {
		if began {
			s.host.hold(-1)
		}
		return false
	}
	s.sending.Store(true)
	return true
}

// run sends what is queued, or has it fall back when the link has ended, until there is nothing
// more. A worker runs it.
func (s *Sender) run() {
	for {
		b := s.next()
		if b == nil {
			return
		}
		var size *fault.SizeError
		err := s.host.Send(s.host.Up, b.msg)
		ended := err != nil && !errors.As(err, &size)
		if ended {
			s.fallBack(b)
		}
		s.sent(b, err == nil || ended)
	}
}

// FlushAll waits until all that was queued so far has been sent, or fell back. What is queued meanwhile
// does not hold it up. It returns nil then or when the link has ended, or ctx.Err().
func (s *Sender) FlushAll(ctx context.Context) error {
	s.mu.Lock()
	if s.done == s.queued {
		s.mu.Unlock()
		return nil
	}
	f := flush{s.queued, make(chan struct{})}
	s.flushes = append(s.flushes, f)
	s.mu.Unlock()
	select {
	case <-f.done:
	case <-s.host.Done:
	case <-ctx.Done():
		s.mu.Lock()
		s.flushes = slices.DeleteFunc(s.flushes, func(other flush) bool { return other == f })
		s.mu.Unlock()
		return ctx.Err()
	}
	return nil
}

// Flush waits until what is queued has been sent, for a moment.
func (s *Sender) Flush() { s.await(s.host.Done) }

// Settle waits until what was queued at the link's end is with the fallback, for a moment.
func (s *Sender) Settle() { s.await(nil) }

// await waits until the worker has left, or stop is closed, for a moment.
func (s *Sender) await(stop <-chan struct{}) {
	if !s.sending.Load() {
		return
	}
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
	case <-stop:
	case <-time.After(link.FlushTime):
	}
}

// next takes the next message from the queue, which nobody changes any more. It returns nil if
// there is none.
func (s *Sender) next() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b *batch
	switch {
	case len(s.queue) > 0:
		b = s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
	case s.lost > 0:
		b = &batch{msg: appendHead(nil), lost: s.lost}
		s.lost = 0
	default:
		s.stop()
		return nil
	}
	binary.BigEndian.PutUint16(b.msg[headSize-11:], uint16(1+b.n))
	binary.BigEndian.PutUint64(b.msg[headSize-8:], b.lost)
	return b
}

// sent takes note of what has become of a message. One that is not ok is counted.
func (s *Sender) sent(b *batch, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes -= len(b.msg) - headSize
	if s.full.Load() && s.bytes <= maxQueue/2 {
		s.full.Store(false)
	}
	s.done += uint64(b.n)
	for len(s.flushes) > 0 && s.flushes[0].n <= s.done {
		close(s.flushes[0].done)
		s.flushes = s.flushes[1:]
	}
	if !ok {
		s.total.Add(uint64(b.n))
		s.lost += b.lost + uint64(b.n)
	}
}

// stop says that the worker leaves. mu is held.
func (s *Sender) stop() {
	s.queue = nil
	s.sending.Store(false)
	if s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
	s.host.hold(-1)
}
