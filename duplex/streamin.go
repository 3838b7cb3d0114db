package duplex

import (
	"io"
	"net"
	"sync"
)

// firstWindow is what a stream may send before some of it has been read, in
// bytes. The window doubles, up to Options.StreamWindow, each time the other
// side has used nearly all of it while this side reads.
const firstWindow = 64 << 10

// inStream is the receiving half of a stream.
type inStream struct {
	more chan struct{} // one slot: something of what follows has changed

	mu     sync.Mutex // guards what follows
	wanted []byte     // of a Read that waits: what comes goes there first,
	filled int        // as so many bytes have
	chunks chunks     // what has come behind that and nobody has read
	left   int64      // credit of the other side
	window int64      // what left grows to again as this side reads
	limit  int64      // of window
	taken  int64      // read since credit was last given
	ended  bool       // the other side has sent its end
	closed bool       // nobody reads here any more: what comes is dropped
	err    error      // what Read returns once chunks is empty
}

// open lets the other side send a window, which it returns.
func (in *inStream) open() uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.left = in.window
	return uint32(in.window)
}

// arrive counts n bytes in that are about to come. The reader calls it.
func (in *inStream) arrive(n int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return protocolErrorf("data behind the end of a stream")
	}
	if int64(n) > in.left {
		return protocolErrorf("data of %d bytes beyond the credit of a stream, of which %d are left", n, in.left)
	}
	in.left -= int64(n)
	return nil
}

// add takes bytes that have come. It keeps none of b.
func (in *inStream) add(b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return
	}
	n := copy(in.wanted[in.filled:], b)
	in.filled += n
	in.chunks.add(b[n:])
	signal(in.more)
}

// end says that no more comes. It reports false if that was said before.
func (in *inStream) end() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return false
	}
	in.ended = true
	if in.err == nil {
		in.err = io.EOF
	}
	signal(in.more)
	return true
}

// cut says that no more comes, and that this was not all.
func (in *inStream) cut() {
	in.mu.Lock()
	in.ended = true
	in.mu.Unlock()
	in.fail(ErrReset, false)
}

// fail has Read return err: behind what has come, or at once.
func (in *inStream) fail(err error, atOnce bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if atOnce {
		in.chunks.clear()
		in.wanted, in.filled = nil, 0
		in.closed = true
	}
	if in.err == nil || atOnce {
		in.err = err
	}
	signal(in.more)
}

// close drops what has come and will. It reports whether the other side is to be told
// to stop.
func (in *inStream) close() (tell bool) {
	in.fail(net.ErrClosed, true)
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.ended
}

// take moves what has come to p. If there is nothing and no error, the caller
// waits for more, and calls take again or leave: what comes meanwhile goes to p
// itself. grant is what the other side may send now.
func (in *inStream) take(p []byte) (n int, grant int64, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = in.filled
	in.wanted, in.filled = nil, 0
	n += in.chunks.take(p[n:])
	if n == 0 {
		if in.err == nil {
			in.wanted = p
		}
		return 0, 0, in.err
	}
	return n, in.taking(n), nil
}

// empty reports whether all that has come was read.
func (in *inStream) empty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.filled == 0 && in.chunks.size == 0
}

// last reports whether no more comes, and all that has come was read.
func (in *inStream) last() bool {
	in.mu.Lock()
	ended := in.ended
	in.mu.Unlock()
	return ended && in.empty()
}

// leave is take for a Read that waits no longer.
func (in *inStream) leave() (n int, grant int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = in.filled
	in.wanted, in.filled = nil, 0
	return n, in.taking(n)
}

// taking returns what the other side may send now that n bytes have been read. mu is held.
func (in *inStream) taking(n int) (grant int64) {
	in.taken += int64(n)
	if in.err != nil || in.taken < in.window/2 {
		return 0
	}
	grant, in.taken = in.taken, 0
	if in.left < in.window/4 && in.window < in.limit {
		// The other side waits for credit, or is about to, while this one reads.
		grown := min(2*in.window, in.limit)
		grant += grown - in.window
		in.window = grown
	}
	in.left += grant
	return grant
}

// chunks is a queue of bytes that have come in on a stream. It takes memory as
// they come, at most about twice of what they are, and none when it is empty.
type chunks struct {
	list [][]byte // none of them empty
	off  int      // how much of the first has been taken
	size int      // bytes in the queue
}

// smallChunk is the least memory taken for a chunk.
const smallChunk = 512

// chunkPool holds chunks of maxPayload bytes.
var chunkPool = sync.Pool{New: func() any { return new([maxPayload]byte) }}

func newChunk() []byte { return chunkPool.Get().(*[maxPayload]byte)[:0] }

func freeChunk(b []byte) {
	if cap(b) == maxPayload {
		chunkPool.Put((*[maxPayload]byte)(b[:maxPayload]))
	}
}

// add copies p to the end of the queue.
func (c *chunks) add(p []byte) {
	c.size += len(p)
	for len(p) > 0 {
		last := len(c.list) - 1
		if last < 0 || len(c.list[last]) == cap(c.list[last]) {
			c.list = append(c.list, c.room(len(p)))
			last++
		}
		b := c.list[last]
		n := min(len(p), cap(b)-len(b))
		c.list[last] = append(b, p[:n]...)
		p = p[n:]
	}
}

// room makes a chunk for n bytes and, as the queue grows, more of them.
func (c *chunks) room(n int) []byte {
	size := smallChunk
	for size < n || 2*size < c.size && size < maxPayload {
		size *= 2
	}
	if size >= maxPayload {
		return newChunk()
	}
	return make([]byte, 0, size)
}

// take moves bytes from the start of the queue to p.
func (c *chunks) take(p []byte) (n int) {
	for n < len(p) && len(c.list) > 0 {
		b := c.list[0]
		m := copy(p[n:], b[c.off:])
		n += m
		if c.off += m; c.off == len(b) {
			c.drop()
		}
	}
	c.size -= n
	return n
}

// drop drops the first chunk.
func (c *chunks) drop() {
	freeChunk(c.list[0])
	c.list[0] = nil
	c.off = 0
	if c.list = c.list[1:]; len(c.list) == 0 {
		c.list = nil
	}
}

// clear empties the queue.
func (c *chunks) clear() {
	for len(c.list) > 0 {
		c.drop()
	}
	c.size = 0
}
