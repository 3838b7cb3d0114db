package duplex

import (
	"slices"
	"sync"
)

const (
	// spareSize is the capacity of the buffer that is kept for single messages,
	// so that they cost no allocation.
	spareSize = 4 << 10
	// bufferSize is that of the larger ones, which all connections share, so
	// that an idle connection keeps little. A batch fits, unless control frames are many.
	bufferSize = maxWrite + maxPayload + spareSize
)

var bufferPool = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// buffer returns b with room for n bytes more; b may be nil. mu is held.
func (w *writer) buffer(b []byte, n int) []byte {
	switch {
	case cap(b)-len(b) >= n && b != nil:
		return b
	case b == nil && n <= spareSize:
		if b = w.spare; b == nil {
			return make([]byte, 0, spareSize)
		}
		w.spare = nil
		return b
	case len(b)+n > bufferSize:
		return slices.Grow(b, n)
	}
	larger := append(bufferPool.Get().(*[bufferSize]byte)[:0], b...)
	w.recycle(b)
	return larger
}

// recycle keeps b for later. mu is held.
func (w *writer) recycle(b []byte) {
	switch cap(b) {
	case spareSize:
		w.spare = b[:0]
	case bufferSize:
		bufferPool.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}
