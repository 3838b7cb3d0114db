package rpctest

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/viaduct-go/viaduct/internal/framesum"
)

// Sizes of docs/PROTOCOL.md, sections Hello and Frames.
const (
	helloHead = 16 // size of the map that follows at offset 12, 4 bytes
	frameHead = 8  // size of what follows at offset 2, 2 bytes
)

// units finds the hello, and then frames, in what is written. A program that writes something else
// gets units by the same rule.
type units struct {
	buf   []byte
	count int64 // that next has returned
	both  *hellos
}

func newUnits(both *hellos) *units { return &units{both: both} }

func (u *units) add(p []byte) { u.buf = append(u.buf, p...) }

// next returns the next unit that is whole, or nil. It is the caller's.
func (u *units) next() []byte {
	size := 0
	switch {
	case u.count == 0 && len(u.buf) >= helloHead:
		size = helloHead + int(min(binary.LittleEndian.Uint32(u.buf[12:]), capacity))
	case u.count > 0 && len(u.buf) >= frameHead:
		length := int(binary.LittleEndian.Uint16(u.buf[2:]))
		size = frameHead + length
		if u.both.sums() {
			size += framesum.Of(length)
		}
	}
	if size == 0 || len(u.buf) < size {
		return nil
	}
	unit := append([]byte(nil), u.buf[:size]...)
	u.buf = append(u.buf[:0], u.buf[size:]...)
	if u.count == 0 {
		u.both.hear(unit)
	}
	u.count++
	return unit
}

// rest returns what is no whole unit.
func (u *units) rest() []byte {
	b := u.buf
	u.buf = nil
	return b
}

// hellos is what both sides say of checksums. Neither sends a frame before it has the other's hello.
type hellos struct {
	mu           sync.Mutex
	known, asked int
}

// hear is told of each hello.
func (h *hellos) hear(hello []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lists := func(feature string) bool {
		return bytes.Contains(hello, append([]byte{0xa0 | byte(len(feature))}, feature...)) // a short str
	}
	if lists(framesum.Known) {
		h.known++
	}
	if lists(framesum.Asked) {
		h.asked++
	}
}

// sums reports whether frames have checksums.
func (h *hellos) sums() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known == 2 && h.asked > 0
}
