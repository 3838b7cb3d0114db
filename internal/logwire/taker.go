package logwire

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/message"
)

// Taker takes the log records that come in, for a worker to give them to
// the handler one by one, which may take its time: what finds no room meanwhile is counted.
type Taker struct {
	host    *Host
	handler slog.Handler
	ctx     context.Context

	mu     sync.Mutex // guards what follows
	queue  []arrival
	bytes  int           // of queue, and of what the worker is at
	full   bool          // until half of the queue is free again
	lost   uint64        // records dropped behind those of queue, here or there: the handler does not know
	giving bool          // a worker is at the queue
	left   int           // records of now that the handler has not got
	over   bool          // no more are given
	total  atomic.Uint64 // dropped, ever

	now arrival // what the worker is at; owned by it
}

// arrival is what has come in one message.
type arrival struct {
	lost    uint64 // records dropped before these
	n       int    // records
	records []byte
	cost    int
}

// NewTaker returns a Taker for handler.
func NewTaker(host *Host, handler slog.Handler) *Taker {
	// With what Up holds, without its end: the last records are handled after that of the link.
	return &Taker{host: host, handler: handler, ctx: context.WithoutCancel(host.Up)}
}

// Dropped returns how many records were dropped so far, as far as this side knows.
func (t *Taker) Dropped() uint64 { return t.total.Load() }

// Take takes a message in. It is called from the goroutine that reads the link, and does not block.
func (t *Taker) Take(m message.Message) {
	n, lost, records, err := readHead(m.Body)
	if err != nil {
		n, lost = 0, 1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Add(lost)
	t.lost += lost
	cost := m.Size + messageCost
	switch {
	case t.over:
		t.total.Add(uint64(n))
		return
	case n == 0:
	case t.full || t.bytes+cost > maxQueue:
		t.full = true
		t.lost += uint64(n)
		t.total.Add(uint64(n))
	default:
		t.queue = append(t.queue, arrival{t.lost, n, records, cost})
		t.bytes += cost
		t.lost = 0
	}
	if !t.giving {
		t.giving = true
		t.host.hold(1) // an orderly end waits for the handler
		t.host.Run(t.run)
	}
}

// Backlog returns how many records wait for the handler.
func (t *Taker) Backlog() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.left
	for _, a := range t.queue {
		n += a.n
	}
	return n
}

// GiveUp drops the records that wait, and those that still come, and counts them. It is for when
// nobody waits for the worker any more: the handler might go on for hours.
func (t *Taker) GiveUp() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	for _, a := range t.queue {
		t.total.Add(uint64(a.n))
	}
	t.total.Add(uint64(t.left))
	t.queue, t.left, t.lost = nil, 0, 0
}

// run gives the handler what is queued, until there is nothing more. A worker runs it.
func (t *Taker) run() {
	finished := false
	defer func() {
		if !finished {
			t.host.Run(t.run) // the handler has ended its goroutine, not the queue
		}
	}()
	for t.give() || t.next() {
	}
	finished = true
}

// next makes now what comes next. It reports false if there is nothing.
func (t *Taker) next() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bytes -= t.now.cost; t.bytes <= maxQueue/2 {
		t.full = false
	}
	t.now = arrival{}
	switch {
	case len(t.queue) > 0:
		t.now = t.queue[0]
		t.left = t.now.n
		t.queue[0] = arrival{}
		t.queue = t.queue[1:]
	case t.lost > 0 && !t.over:
		t.now.lost, t.lost = t.lost, 0
	default:
		t.queue, t.giving = nil, false
		t.host.hold(-1)
		return false
	}
	return true
}

// give gives the handler the first of what there is in now. It reports false if there is nothing.
func (t *Taker) give() bool {
	now := &t.now
	switch {
	case now.lost > 0:
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "viaduct: log records of the other side were dropped", 0)
		r.AddAttrs(slog.Uint64("dropped", now.lost))
		now.lost = 0
		t.handle(r)
	case t.begin():
		b, rest, err := nextRecord(now.records)
		if err != nil { // where would the next one begin?
			t.lose(true)
			break
		}
		now.records = rest
		r, err := decodeRecord(b)
		if err != nil {
			t.lose(false)
			break
		}
		t.handle(r)
	default:
		return false
	}
	return true
}

// begin takes a record out of those of now that are left. It reports false if there is none.
func (t *Taker) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 {
		return false
	}
	t.left--
	return true
}

// lose counts a record that cannot be understood, and perhaps the rest of its message.
func (t *Taker) lose(rest bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 1
	if rest {
		n += t.left
		t.left = 0
	}
	t.total.Add(uint64(n))
	t.lost += uint64(n)
}

// handle does as slog.Logger does. A panic ends the process, as that of a method does.
func (t *Taker) handle(r slog.Record) {
	if t.handler.Enabled(t.ctx, r.Level) {
		_ = t.handler.Handle(t.ctx, r)
	}
}
