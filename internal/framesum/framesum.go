// Package framesum puts sums into frames, and checks them: section Checksums of docs/PROTOCOL.md. It
// knows of a frame that it has a header of 8 bytes, with the length of what follows in two of them.
//
// A frame with sums has those behind its header: one of all up to the header, so that a length is
// not believed before it was checked, and one of all up to the end of the payload, if there is any.
package framesum

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// What a hello lists among its features.
const (
	Known = "crc32c"    // this side can do it
	Asked = "crc32c-on" // and asks for it
)

// Features are those of a side that asks for sums, or does not.
func Features(asks bool) []string {
	if asks {
		return []string{Known, Asked}
	}
	return []string{Known}
}

// Agreed reports whether two sides that list these features put sums into their frames: both know how
// to, and one asks for it.
func Agreed(here, there []string) bool {
	return slices.Contains(here, Known) && slices.Contains(there, Known) &&
		(slices.Contains(here, Asked) || slices.Contains(there, Asked))
}

// Sizes, in bytes.
const (
	header = 8
	sum    = 4
	Head   = header + sum   // what is read of a frame first: the header and its sum
	Most   = header + 2*sum // what a frame has besides its payload, at most
)

// Of returns how many bytes the sums of a frame take whose payload has so many.
func Of(payload int) int {
	if payload == 0 {
		return sum
	}
	return 2 * sum
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seed returns what the sums of what a side sends begin with: the CRC of both hellos, its own first.
func Seed(hello, peer []byte) uint32 {
	return crc32.Update(crc32.Checksum(hello, castagnoli), castagnoli, peer)
}

// Sums are those of the frames of one direction of a link, in their order. One goroutine at a time
// may use them.
type Sums struct {
	seed   uint32
	frame  uint64   // number of the next one, from 0
	at     uint64   // bytes ahead of it
	number [16]byte // that of a frame, and its header, while their sum is made
	begins []int    // of the frames that Put is about
	room   int      // that it takes for them
}

// New returns the Sums of a direction that has not begun.
func New(seed uint32) *Sums { return &Sums{seed: seed} }

// Next returns the number of the next frame, from 0, and how many bytes were ahead of it.
func (s *Sums) Next() (frame, at uint64) { return s.frame, s.at }

// ofHeader returns the sum of a frame up to its header, which h begins with.
func (s *Sums) ofHeader(frame uint64, h []byte) uint32 {
	binary.LittleEndian.PutUint64(s.number[:], frame)
	copy(s.number[8:], h[:header])
	return crc32.Update(s.seed, castagnoli, s.number[:])
}

func length(h []byte) int { return int(binary.LittleEndian.Uint16(h[2:])) }

// keepBegins bounds what is kept of the memory for begins.
const keepBegins = 4 << 10

// Room returns how many bytes longer Put makes b.
func (s *Sums) Room(b []byte) int {
	if cap(s.begins) > keepBegins {
		s.begins = nil
	}
	s.begins, s.room = s.begins[:0], 0
	for at := 0; at < len(b); at += header + length(b[at:]) {
		s.begins = append(s.begins, at)
		s.room += Of(length(b[at:]))
	}
	return s.room
}

// Put puts sums into the frames in b, which are the next ones, and for which Room was called just now.
// Its capacity must do for them.
func (s *Sums) Put(b []byte) []byte {
	end := len(b)
	total := end + s.room
	b = b[:total]
	// From the last frame to the first: each moves to where nothing is any more.
	to := total
	for i, at := range slices.Backward(s.begins) {
		payload := b[at+header : end]
		of := s.ofHeader(s.frame+uint64(i), b[at:])
		whole := crc32.Update(of, castagnoli, payload)
		to -= len(payload)
		copy(b[to:], payload)
		if len(payload) > 0 {
			to -= sum
		}
		to -= Head
		copy(b[to:], b[at:at+header])
		binary.LittleEndian.PutUint32(b[to+header:], of)
		if len(payload) > 0 {
			binary.LittleEndian.PutUint32(b[to+Head:], whole)
		}
		end = at
	}
	s.frame += uint64(len(s.begins))
	s.at += uint64(total)
	return b
}

// CheckHead checks the first Head bytes of the next frame, with which b begins. size is how many it
// has in all; it means something if found is expected.
func (s *Sums) CheckHead(b []byte) (size int, found, expected uint32) {
	n := length(b)
	return header + Of(n) + n, binary.LittleEndian.Uint32(b[header:]), s.ofHeader(s.frame, b)
}

// Take checks the rest of the next frame, which is b and whose head was checked, and takes its sums
// out: where it begins in b then, header first. If found is not expected, nothing is changed.
func (s *Sums) Take(b []byte) (begin int, found, expected uint32) {
	begin = sum
	if payload := length(b); payload > 0 {
		begin = 2 * sum
		found = binary.LittleEndian.Uint32(b[Head:])
		expected = crc32.Update(binary.LittleEndian.Uint32(b[header:]), castagnoli, b[header+begin:])
		if found != expected {
			return 0, found, expected
		}
	}
	copy(b[begin:], b[:header])
	s.frame++
	s.at += uint64(len(b))
	return begin, found, expected
}
