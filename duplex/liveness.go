package duplex

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"
	"time"
)

// ping is one that has been sent and not answered.
type ping struct {
	id       uint32
	sent     time.Time
	own      bool          // of Stats
	took     time.Duration // before answered is closed
	answered chan struct{} // closed by the reader
}

// Ping asks the other side for an answer and returns how long that took: the time there and back
// behind what is being written and read, whatever calls are doing. A peer that is stopped does not
// answer; one whose handlers are busy does. The error is ctx.Err(), or why the link has ended.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	p := &ping{answered: make(chan struct{})}
	if err := c.sendPing(p); err != nil {
		return 0, err
	}
	select {
	case <-p.answered:
		return p.took, nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		c.pings = remove(c.pings, p)
		return 0, ctx.Err()
	case <-c.done:
		return 0, c.err
	}
}

func (c *Conn) sendPing(p *ping) error {
	w := &c.writer
	w.mu.Lock()
	if err := w.maySend(); err != nil {
		w.mu.Unlock()
		return c.endErr(err)
	}
	c.mu.Lock() // numbers go out in order
	p.id = c.pingNumberLocked()
	p.sent = time.Now()
	c.pings = append(c.pings, p)
	c.mu.Unlock()
	w.owed.addFrame(kindPing, p.id)
	w.unlockAndWrite(false)
	return nil
}

// pong is called by the reader. The other side may answer only the latest of several pings, so
// those before are answered, too.
func (c *Conn) pong(id uint32) {
	c.writer.pipe.answered(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := slices.IndexFunc(c.pings, func(p *ping) bool { return int32(p.id-id) > 0 })
	if n < 0 {
		n = len(c.pings)
	}
	now := time.Now()
	for _, p := range c.pings[:n] {
		p.took = now.Sub(p.sent)
		c.roundTrip = p.took
		c.measuring = c.measuring && !p.own
		close(p.answered)
	}
	c.pings = slices.Delete(c.pings, 0, n)
}

// ErrUnresponsive is why a Conn ended when nothing came from the other side for as long as
// Options.Keepalive allows.
var ErrUnresponsive = errors.New("duplex: the other side does not answer, though the connection is open")

// keepalive pings the other side when nothing has come from it for an interval, and ends the link
// when nothing comes for another one. A peer whose handlers are busy answers; one that is stopped,
// or hangs as a whole, does not.
type keepalive struct {
	c        *Conn
	interval time.Duration
	timer    *time.Timer

	// Owned by the timer's function.
	seen  uint32    // reads that had brought something when it ran last
	asked bool      // it has sent a ping since
	due   time.Time // when it was to run
}

func (k *keepalive) start() {
	k.due = time.Now().Add(k.interval)
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if !isClosed(k.c.done) {
		k.timer = time.AfterFunc(k.interval, k.look)
		k.c.timers = append(k.c.timers, k.timer)
	}
}

// look is called by the timer.
func (k *keepalive) look() {
	now := time.Now()
	// If this process itself was held up, what the other side has said may not be read yet.
	late := now.Sub(k.due) > k.interval/2
	reads := k.c.reads.Load()
	switch {
	case reads != k.seen || late:
		k.seen, k.asked = reads, false
	case k.asked:
		k.c.end(k.c.reason(ErrUnresponsive))
		return
	default:
		k.asked = true
		k.ask()
	}
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if !isClosed(k.c.done) {
		k.due = now.Add(k.interval)
		k.timer.Reset(k.interval)
	}
}

// ask sends a ping that nobody waits for. Its number is behind those of Ping: its pong may be the
// only one to come, and answers these.
func (k *keepalive) ask() {
	w := &k.c.writer
	w.update(func() { w.owed.addFrame(kindPing, k.c.pingNumber()) })
}

// pingNumber returns the number of a ping that nobody waits for. It goes out in the order of numbers:
// writer.mu is held.
func (c *Conn) pingNumber() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pingNumberLocked()
}

func (c *Conn) pingNumberLocked() uint32 {
	c.nextPing++
	return c.nextPing - 1
}

// counted counts the reads that have brought something, and what.
type counted struct {
	io.Reader
	n     *atomic.Uint32
	bytes *atomic.Uint64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if n > 0 {
		c.n.Add(1)
		c.bytes.Add(uint64(n))
	}
	return n, err
}
