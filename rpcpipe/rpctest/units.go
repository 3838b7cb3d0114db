package rpctest

import "encoding/binary"

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
}

func (u *units) add(p []byte) { u.buf = append(u.buf, p...) }

// next returns the next unit that is whole, or nil. It is the caller's.
func (u *units) next() []byte {
	size := 0
	switch {
	case u.count == 0 && len(u.buf) >= helloHead:
		size = helloHead + int(min(binary.LittleEndian.Uint32(u.buf[12:]), capacity))
	case u.count > 0 && len(u.buf) >= frameHead:
		size = frameHead + int(binary.LittleEndian.Uint16(u.buf[2:]))
	}
	if size == 0 || len(u.buf) < size {
		return nil
	}
	unit := append([]byte(nil), u.buf[:size]...)
	u.buf = append(u.buf[:0], u.buf[size:]...)
	u.count++
	return unit
}

// rest returns what is no whole unit.
func (u *units) rest() []byte {
	b := u.buf
	u.buf = nil
	return b
}
