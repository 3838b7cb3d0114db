package endpoint

import (
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

// stallTime is how long something waits before that is reported, if Config.StallReport is 0.
const stallTime = 5 * time.Second

// StallStats count what waits for longer than that: see rpcpipe.StallStats.
type StallStats struct {
	Sending  int
	Handling int
	Total    uint64
}

// stalls know what waits: sends for credit or room, and what has come in for handlers. What waits
// for too long is reported. There is one timer, which is armed only while something waits; where
// nothing does this costs nothing.
type stalls struct {
	limit    time.Duration // negative: nothing is reported
	reporter *serve.Reporter

	// waits is began, as a field so that to pass it on takes no memory.
	waits func(s link.Sending, why func() string) link.Waiting

	mu          sync.Mutex // guards what follows; with it only the lock of reporter is taken
	first, last *wait      // those that may be reported, the oldest first
	free        *wait      // to use again, linked by next
	spare       int        // how many
	timer       *time.Timer
	armed       bool
	closed      bool // nothing is reported any more
	stats       StallStats
	stalled     map[stallKey]int // what has waited for too long, and still does
}

// stallKey is what is reported once, as long as any of it still waits.
type stallKey struct{ what, method, handler string }

// maxSpare is how many waits are kept to be used again.
const maxSpare = 16

// wait is something that waits. While it does, it is not changed but for its last group.
type wait struct {
	s    *stalls
	of   link.Sending       // if it is a send
	why  func() string      // if it is a send: what it waits for
	look func() serve.Stall // if it is not: at what it is, and what for

	// Guarded by stalls.mu.
	since      time.Time
	prev, next *wait
	state      waitState
	key        stallKey // if it is stalled
}

type waitState uint8

const (
	waitIgnored waitState = iota // it is not to be reported
	waitListed                   // in stalls
	waitLooked                   // being looked at
	waitStalled                  // for too long
	waitOver
)

func (s *stalls) init(limit time.Duration, reporter *serve.Reporter) {
	if limit == 0 {
		limit = stallTime
	}
	s.limit, s.reporter = limit, reporter
	s.stalled = make(map[stallKey]int)
	s.waits = s.sends
}

// sends is told that a send begins to wait.
func (s *stalls) sends(of link.Sending, why func() string) link.Waiting {
	return s.begin(of, why, nil)
}

// handles is told that something that has come in begins to wait.
func (s *stalls) handles(look func() serve.Stall) link.Waiting {
	return s.begin(link.Sending{}, nil, look)
}

func (s *stalls) begin(of link.Sending, why func() string, look func() serve.Stall) *wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.free
	if w == nil {
		w = &wait{s: s}
	} else {
		s.free, w.next = w.next, nil
		s.spare--
	}
	w.of, w.why, w.look, w.state = of, why, look, waitIgnored
	if s.limit >= 0 && !s.closed {
		w.since = time.Now()
		s.listLocked(w)
	}
	return w
}

// lookAt says what w is, and what it waits for.
func (w *wait) lookAt() serve.Stall {
	if w.look != nil {
		return w.look()
	}
	return serve.Stall{What: w.of.What, Method: w.of.Method, For: w.why(), OtherSide: true}
}

// Over says that w does not wait any more. It is called once.
func (w *wait) Over() {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch w.state {
	case waitListed:
		s.unlistLocked(w)
		if s.first == nil && s.armed {
			s.timer.Stop()
			s.armed = false
		}
	case waitLooked: // fire still has it
		w.state = waitOver
		return
	case waitStalled:
		*s.countLocked(w)--
		if s.stalled[w.key]--; s.stalled[w.key] == 0 {
			delete(s.stalled, w.key)
		}
	}
	*w = wait{s: s, state: waitOver}
	if s.spare < maxSpare && tuning.Reuse {
		w.next, s.free = s.free, w
		s.spare++
	}
}

// listLocked puts w into the list, behind all that are older.
func (s *stalls) listLocked(w *wait) {
	w.state = waitListed
	w.prev, w.next = s.last, nil
	for w.prev != nil && w.prev.since.After(w.since) {
		w.next, w.prev = w.prev, w.prev.prev
	}
	if w.prev == nil {
		s.first = w
	} else {
		w.prev.next = w
	}
	if w.next == nil {
		s.last = w
	} else {
		w.next.prev = w
	}
	s.armLocked()
}

func (s *stalls) unlistLocked(w *wait) {
	if w.prev == nil {
		s.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		s.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// armLocked arms the timer for the oldest that waits, if there is one. If it is armed already that
// may be too early: fire arms it again.
func (s *stalls) armLocked() {
	if s.first == nil || s.armed || s.closed {
		return
	}
	s.armed = true
	left := s.limit - time.Since(s.first.since)
	if s.timer == nil {
		s.timer = time.AfterFunc(left, s.fire)
		return
	}
	s.timer.Reset(left)
}

// fire is called by the timer.
func (s *stalls) fire() {
	s.mu.Lock()
	s.armed = false
	now := time.Now()
	var due []*wait
	for w := s.first; w != nil && now.Sub(w.since) >= s.limit; w = s.first {
		s.unlistLocked(w)
		w.state = waitLooked
		due = append(due, w)
	}
	s.armLocked()
	s.mu.Unlock()
	for _, w := range due {
		s.report(w, w.lookAt(), now)
	}
}

// report reports w, which waits for what it stalls on, unless that has changed.
func (s *stalls) report(w *wait, on serve.Stall, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.state != waitLooked || s.closed {
		return
	}
	if on.Since.After(w.since) {
		w.since = on.Since
	}
	if now.Sub(w.since) < s.limit {
		s.listLocked(w)
		return
	}
	w.state, w.key = waitStalled, stallKey{on.What, on.Method, on.Handler}
	*s.countLocked(w)++
	s.stats.Total++
	if s.stalled[w.key]++; s.stalled[w.key] > 1 {
		return // it is known
	}
	text, side := "viaduct: stalled: a "+on.What+" waits to be handled", "this side"
	if w.look == nil {
		text = "viaduct: stalled: a " + on.What + " waits to be sent"
	}
	if on.OtherSide {
		side = "the other side"
	}
	args := []any{"method", message.Brief(on.Method), "waits_for", on.For, "side", side}
	if on.Handler != "" {
		args = append(args, "handler", message.Brief(on.Handler))
	}
	s.reporter.Warn(text, append(args, "waited", now.Sub(w.since).Round(time.Millisecond))...)
}

// countLocked is the number that counts such as w.
func (s *stalls) countLocked(w *wait) *int {
	if w.look == nil {
		return &s.stats.Sending
	}
	return &s.stats.Handling
}

// close ends the reports: what still waits does not wait for the other side.
func (s *stalls) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.armed {
		s.timer.Stop()
		s.armed = false
	}
}

func (s *stalls) current() StallStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}
