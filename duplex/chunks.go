package duplex

import "sync"

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
