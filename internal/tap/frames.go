package tap

import (
	"encoding/binary"

	"github.com/viaduct-go/viaduct/internal/framesum"
)

// What is known of frames here: see section Frames of docs/PROTOCOL.md.
const (
	frameHead  = 8
	maxPayload = 1<<16 - 1 // of a frame that is skipped by who does not know it

	frameWhole = 0x10 // and its class, in the low two bits
	frameFirst = 0x14
	framePiece = 0x18
	frameBye   = 0x32
	frameData  = 0x42 // and who sends
	firstTotal = 8    // bytes of a first frame ahead of those of its message
)

// keepName is how much of a message is looked at for what names it, if contents are not recorded.
const keepName = 512

// splitter cuts the bytes of one direction into frames, with as much of each as is recorded.
// Guarded by the Recorder's mu.
type splitter struct {
	contents bool
	sums     bool // frames have checksums, which are not recorded
	emit     func(header, kept []byte)

	head   [frameHead]byte
	have   int    // bytes of head, or all of it
	kept   []byte // of the payload
	keep   int    // how many more bytes are kept
	skip   int    // how many bytes come behind those
	lead   int    // how many bytes of checksums come ahead of both
	closed bool   // behind a bye there is nothing
}

// feed takes the next bytes.
func (s *splitter) feed(p []byte) {
	for len(p) > 0 && !s.closed {
		if s.have < frameHead {
			n := copy(s.head[s.have:], p)
			s.have += n
			if p = p[n:]; s.have < frameHead {
				return
			}
			s.begin()
		}
		n := min(s.lead, len(p))
		s.lead -= n
		p = p[n:]
		n = min(s.keep, len(p))
		s.kept = append(s.kept, p[:n]...)
		s.keep -= n
		p = p[n:]
		n = min(s.skip, len(p))
		s.skip -= n
		p = p[n:]
		if s.lead+s.keep+s.skip == 0 {
			s.emit(s.head[:], s.kept)
			s.have, s.kept = 0, s.kept[:0]
			s.closed = s.head[0] == frameBye
		}
	}
}

// begin is for a head that is complete.
func (s *splitter) begin() {
	length := int(binary.LittleEndian.Uint16(s.head[2:]))
	s.keep = length
	if !s.contents {
		s.keep = min(length, keptOf(s.head[0]))
	}
	s.skip = length - s.keep
	if s.sums {
		s.lead = framesum.Of(length)
	}
}

// open is how many bytes have come of a frame that is not complete.
func (s *splitter) open() int {
	if s.have == 0 || s.closed {
		return 0
	}
	if s.have < frameHead {
		return s.have
	}
	length := int(binary.LittleEndian.Uint16(s.head[2:]))
	n := frameHead + length - s.keep - s.skip
	if s.sums {
		n += framesum.Of(length) - s.lead
	}
	return n
}

// keptOf is how much of a frame's payload is looked at without contents: numbers that are about
// streams, and the beginnings of messages.
func keptOf(kind byte) int {
	switch {
	case kind&^3 == frameWhole, kind&^3 == frameFirst:
		return keepName
	case kind&^3 == framePiece, kind&^1 == frameData, kind >= 0x80:
		return 0
	}
	return 8
}
