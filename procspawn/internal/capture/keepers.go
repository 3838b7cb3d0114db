package capture

import (
	"bytes"
	"sync"
)

// keeper keeps a part of a stream. It copies what it keeps of p.
type keeper interface{ Add(p []byte) }

// TailSize is how much a Tail keeps, in bytes.
const TailSize = 64 << 10

// Tail keeps the end of a stream. The zero Tail is ready. Its methods may be called at the same
// time.
type Tail struct {
	mu  sync.Mutex
	buf []byte // at most 2 * TailSize, so that moving is rare
}

// Add appends p to the stream.
func (t *Tail) Add(p []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf)+len(p) > 2*TailSize {
		keep := max(0, TailSize-len(p))
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-min(keep, len(t.buf)):]...)
	}
	t.buf = append(t.buf, p[max(0, len(p)-TailSize):]...)
}

// Bytes returns a copy of what is kept. For a nil Tail it says that there is none.
func (t *Tail) Bytes() (kept []byte, ok bool) {
	if t == nil {
		return nil, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.buf[max(0, len(t.buf)-TailSize):]), true
}

// head keeps the beginning of a stream.
type head struct {
	mu  sync.Mutex
	buf []byte // at most crashSize
}

func (h *head) Add(p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = append(h.buf, p[:min(len(p), crashSize-len(h.buf))]...)
}

// bytes returns a copy of what is kept, nil for a nil head.
func (h *head) bytes() []byte {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.buf)
}
