package duplex

import (
	"context"
	"slices"
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

// Ping asks the other side for an answer and returns how long that took: the time there and
// back behind what is being written and read, whatever calls are doing. A peer that is stopped does not answer; one whose
// handlers are busy does. It returns ctx.Err(), or the link's error if that ends.
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
	p.id = c.nextPing
	p.sent = time.Now()
	c.nextPing++
	c.pings = append(c.pings, p)
	c.mu.Unlock()
	w.control = appendHeader(w.control, kindPing, 0, p.id)
	w.unlockAndWrite(false)
	return nil
}

// pong is called by the reader. The other side may answer only the latest of
// several pings, so those before are answered, too.
func (c *Conn) pong(id uint32) {
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
