package duplex

import (
	"io"
	"sync"
)

// firstWindow is what a stream may send before some of it has been read, in bytes. The window
// doubles, up to Options.StreamWindow, each time the other side has used nearly all of it while
// this side reads.
const firstWindow = 64 << 10

// inStream is the receiving half of a stream.
type inStream struct {
	changed chan struct{} // one slot: something of what follows has changed

	mu    sync.Mutex // guards what follows
	state inState
	err   error // what Read returns once all that came was read; nil while the state is inOpen

	// What has come and nobody has taken: what fits into the buffer of a Read that waits, then
	// chunks.
	reading []byte // that buffer; nil if no Read waits
	filled  int    // bytes of it that have come
	chunks  chunks

	credit int64 // what the other side may still send, in bytes
	window int64 // what credit grows to again as this side reads
	limit  int64 // of window
	unpaid int64 // bytes read since credit was last given
}

// grantWindow lets the other side begin to send. It returns the window to tell it.
func (in *inStream) grantWindow() uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.credit = in.window
	return uint32(in.window)
}

// arrive counts n bytes in that are about to come. The reader calls it.
func (in *inStream) arrive(n int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.state.noMoreComes() {
		return protocolErrorf("data behind the end of a stream")
	}
	if int64(n) > in.credit {
		return protocolErrorf("data of %d bytes beyond the credit of a stream, of which %d are left", n, in.credit)
	}
	in.credit -= int64(n)
	return nil
}

// add takes bytes that have come. It keeps none of b.
func (in *inStream) add(b []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.state.dropsData() {
		return
	}
	n := copy(in.reading[in.filled:], b)
	in.filled += n
	in.chunks.add(b[n:])
	signal(in.changed)
}

// end has Read return io.EOF behind what has come. It reports false if no more could come before.
func (in *inStream) end() bool { return in.endBehind(inEnds, io.EOF) }

// cut has Read return ErrReset behind what has come: that was not all.
func (in *inStream) cut() { in.endBehind(inIsCut, ErrReset) }

// lose has Read return errEnded behind what has come.
func (in *inStream) lose() { in.endBehind(inLoses, errEnded) }

// endBehind has e happen, and err come behind what has come. The first such error counts.
func (in *inStream) endBehind(e inEvent, err error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.state.on(e) {
		return false
	}
	if in.err == nil {
		in.err = err
	}
	signal(in.changed)
	return true
}

// close drops what has come and will, and has Read return err at once. It reports whether the other
// side may still be sending.
func (in *inStream) close(err error) (maySend bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.state.on(inCloses)
	in.err = err
	in.chunks.clear()
	in.reading, in.filled = nil, 0
	signal(in.changed)
	return !in.state.noMoreComes()
}

// take moves what has come to p. If there is nothing and no error, the caller waits until something
// has changed, and then calls take again, or stopWaiting: what comes meanwhile goes to p itself.
// grant is what the other side may send now.
func (in *inStream) take(p []byte) (n int, grant int64, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = in.takeFilled()
	n += in.chunks.take(p[n:])
	if n > 0 {
		return n, in.grantFor(n), nil
	}
	if in.state == inOpen {
		in.reading = p
	}
	return 0, 0, in.err
}

// stopWaiting is take for a Read that waits no longer: what has come stays in its buffer.
func (in *inStream) stopWaiting() (n int, grant int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n = in.takeFilled()
	return n, in.grantFor(n)
}

// takeFilled takes the buffer back from a Read that waited, and returns how much is in it. mu is
// held.
func (in *inStream) takeFilled() (n int) {
	n = in.filled
	in.reading, in.filled = nil, 0
	return n
}

// isEmpty reports whether all that has come was read.
func (in *inStream) isEmpty() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.empty()
}

// isReadToLast reports whether no more comes, and all that has come was read.
func (in *inStream) isReadToLast() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.state.noMoreComes() && in.empty()
}

// empty is isEmpty while mu is held.
func (in *inStream) empty() bool { return in.filled == 0 && in.chunks.size == 0 }

// grantFor returns what the other side may send now that n bytes have been read. mu is held.
func (in *inStream) grantFor(n int) (grant int64) {
	in.unpaid += int64(n)
	if in.state != inOpen || in.unpaid < in.window/2 {
		return 0
	}
	grant, in.unpaid = in.unpaid, 0
	otherSideWaits := in.credit < in.window/4 // or is about to, while this one reads
	if otherSideWaits && in.window < in.limit {
		grown := min(2*in.window, in.limit)
		grant += grown - in.window
		in.window = grown
	}
	in.credit += grant
	return grant
}

// chunks is a queue of bytes that have come in on a stream. It takes memory as they come, at most
// about twice of what they are, and none when it is empty.
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
