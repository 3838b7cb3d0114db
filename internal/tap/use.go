package tap

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/viaduct-go/viaduct/internal/framesum"
)

// blockedTime is how long a write has to take to be recorded as one that did.
const blockedTime = 10 * time.Millisecond

// Use is the recording of one link. Link is called once, and then Release once; or Release alone, if
// there will be no link.
type Use struct {
	r *Recorder

	// Guarded by the Recorder's mu.
	link    uint32 // from 1; 0: there is none
	ended   bool
	out, in splitter
	// How much was recorded of what comes next: what the system has not taken at once is written
	// again.
	ahead int
}

// Link records that the link begins, and returns conn as one that records what is read and written.
// It has a WriteNow as duplex.New wants it, which fails if conn has none.
func (u *Use) Link(conn io.ReadWriteCloser, info *Info) io.ReadWriteCloser {
	r := u.r
	r.mu.Lock()
	r.links++
	u.link = r.links
	sums := framesum.Agreed(info.Here.Features, info.There.Features)
	u.out = splitter{contents: r.config.Contents, sums: sums, emit: func(head, kept []byte) { u.frame(true, head, kept) }}
	u.in = splitter{contents: r.config.Contents, sums: sums, emit: func(head, kept []byte) { u.frame(false, head, kept) }}
	r.record(record{kind: KindBegin, link: u.link, at: r.now()}, info.append(nil))
	r.mu.Unlock()
	c := &tapped{ReadWriteCloser: conn, use: u}
	c.now, _ = conn.(interface{ WriteNow([]byte) (int, error) })
	return c
}

// Release records that the link has ended, and waits, for 1 s at most, until the file has it all.
// What is read or written later is not recorded.
func (u *Use) Release() {
	if u.link != 0 {
		u.r.mu.Lock()
		rest := binary.LittleEndian.AppendUint64(nil, uint64(u.ahead))
		rest = binary.LittleEndian.AppendUint32(rest, uint32(u.in.open()))
		u.r.record(record{kind: KindEnd, link: u.link, at: u.r.now()}, rest)
		u.ended, u.in.closed, u.out.closed = true, true, true
		u.r.mu.Unlock()
	}
	u.r.release()
}

// frame records a frame. mu is held.
func (u *Use) frame(out bool, head, kept []byte) {
	rec := record{kind: KindFrame, out: out, link: u.link, at: u.r.now()}
	if u.r.config.Contents {
		u.r.record(rec, head, kept)
		return
	}
	var total []byte
	switch head[0] &^ 3 {
	case frameFirst:
		n := min(len(kept), firstTotal)
		total, kept = kept[:n], kept[n:]
	case frameWhole:
	default:
		u.r.record(rec, head, kept)
		return
	}
	var name []byte
	if n, ok := NameOf(kept); ok {
		name = n.append(nil)
	}
	u.r.record(rec, head, total, name)
}

// sent is called before p is written.
func (u *Use) sent(p []byte) {
	u.r.mu.Lock()
	if u.ahead < len(p) {
		u.out.feed(p[u.ahead:])
		u.ahead = len(p)
	}
	u.r.mu.Unlock()
}

// taken is called when n bytes of that were written.
func (u *Use) taken(n int) {
	u.r.mu.Lock()
	u.ahead -= n
	u.r.mu.Unlock()
}

// tapped is a connection whose traffic is recorded.
type tapped struct {
	io.ReadWriteCloser
	now interface{ WriteNow([]byte) (int, error) }
	use *Use
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	if n > 0 {
		c.use.r.mu.Lock()
		c.use.in.feed(p[:n])
		c.use.r.mu.Unlock()
	}
	return n, err
}

// Write records p before it writes: an answer may be read before Write has returned.
func (c *tapped) Write(p []byte) (int, error) {
	c.use.sent(p)
	begin := time.Now()
	n, err := c.ReadWriteCloser.Write(p)
	c.use.taken(n)
	if took := time.Since(begin); took >= c.use.r.blocked {
		c.use.blocked(begin, took)
	}
	return n, err
}

// WriteNow is that of the connection below.
func (c *tapped) WriteNow(p []byte) (int, error) {
	if c.now == nil {
		return 0, errors.ErrUnsupported
	}
	c.use.sent(p)
	n, err := c.now.WriteNow(p)
	c.use.taken(n)
	return n, err
}

// blocked records that a write took so long.
func (u *Use) blocked(begin time.Time, took time.Duration) {
	u.r.mu.Lock()
	if !u.ended {
		at := begin.Sub(u.r.begin)
		u.r.record(record{kind: KindBlocked, out: true, link: u.link, at: at}, appendUint64(uint64(took)))
	}
	u.r.mu.Unlock()
}
