package duplex

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

// ErrUnresponsive is why a Conn ended when nothing came from the other side
// for as long as Options.Keepalive allows.
var ErrUnresponsive = errors.New("duplex: the other side does not answer, though the connection is open")

// keepalive pings the other side when nothing has come from it for an
// interval, and ends the link when nothing comes for another one. A peer whose handlers
// are busy answers; one that is stopped, or hangs as a whole, does not.
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
		k.c.writer.update(func() {
			// A number behind those of Ping: its pong may be the only one to come, and answers these.
			k.c.mu.Lock()
			id := k.c.nextPing
			k.c.nextPing++
			k.c.mu.Unlock()
			k.c.writer.control = appendHeader(k.c.writer.control, kindPing, 0, id)
		})
	}
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if !isClosed(k.c.done) {
		k.due = now.Add(k.interval)
		k.timer.Reset(k.interval)
	}
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
