package duplex

import (
	"encoding/binary"
	"fmt"
)

// A frame is a header of 8 bytes and a payload of up to maxPayload bytes:
//
//	kind uint8 | zero uint8 | length uint16 | id uint32 | payload
//
// All numbers are little-endian. PROTOCOL.md says what each kind means.
const (
	headerSize = 8
	maxPayload = 32 << 10
	// firstData is how many bytes of its message a first frame carries behind
	// the total length, always: so the cost of a message follows from its length.
	firstData = maxPayload - 8
)

type kind uint8

// The class of a message is in the low two bits of the kinds that have one.
const (
	kindWhole  kind = 0x10 // a message of one frame; the only kind with class urgent
	kindFirst  kind = 0x14 // total length uint64, then the first bytes of message id
	kindPiece  kind = 0x18 // more bytes of message id
	kindAbort  kind = 0x1c // message id ends here and is dropped
	kindCredit kind = 0x20 // id more bytes of the class may be sent
	kindGrant  kind = 0x24 // the rest of message id may be sent
	kindPing   kind = 0x30
	kindPong   kind = 0x31
	kindBye    kind = 0x32 // the sender closes the link in order

	// 0x33 (shutdown) and 0x40 to 0x4f (streams) are reserved.

	kindSkip kind = 0x80 // from here on: skipped by who does not know them
)

type class uint8

const (
	call class = iota
	reply
	oneWay
	numClasses

	// urgent messages need no credit, and go behind what has been queued.
	urgent = numClasses
)

// maxUrgent is the longest urgent message.
const maxUrgent = 64

func (c class) String() string { return [...]string{"call", "reply", "one-way", "urgent"}[c&3] }

// split separates a kind that has a class from its class.
func (k kind) split() (kind, class) {
	if k >= kindWhole && k < kindPing {
		return k &^ 3, class(k & 3)
	}
	return k, 0
}

func (k kind) String() string {
	base, c := k.split()
	names := map[kind]string{
		kindWhole: "whole", kindFirst: "first", kindPiece: "piece", kindAbort: "abort",
		kindCredit: "credit", kindGrant: "grant", kindPing: "ping", kindPong: "pong", kindBye: "bye",
	}
	switch name := names[base]; {
	case name == "":
		return fmt.Sprintf("kind %#02x", uint8(k))
	case base < kindPing:
		return name + " " + c.String()
	default:
		return name
	}
}

type header struct {
	kind   kind
	length uint16
	id     uint32
}

func appendHeader(b []byte, k kind, length int, id uint32) []byte {
	b = append(b, byte(k), 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, id)
}

// parseHeader parses and checks the header in b, which holds headerSize bytes.
// It looks at one frame alone: whether it may come now is for the reader to say.
func parseHeader(b []byte) (header, error) {
	h := header{
		kind:   kind(b[0]),
		length: binary.LittleEndian.Uint16(b[2:]),
		id:     binary.LittleEndian.Uint32(b[4:]),
	}
	if h.kind >= kindSkip {
		return h, nil
	}
	if b[1] != 0 {
		return h, protocolErrorf("%v frame: second byte is %#02x, not zero", h.kind, b[1])
	}
	if h.length > maxPayload {
		return h, protocolErrorf("%v frame: payload of %d bytes, limit is %d", h.kind, h.length, maxPayload)
	}
	base, c := h.kind.split()
	if c == urgent && base != kindWhole {
		return h, protocolErrorf("unknown frame kind %#02x", uint8(h.kind))
	}
	switch base {
	case kindWhole, kindPiece:
		if h.length == 0 {
			return h, protocolErrorf("%v frame without payload", h.kind)
		}
		if c == urgent && h.length > maxUrgent {
			return h, protocolErrorf("%v frame: payload of %d bytes, limit is %d", h.kind, h.length, maxUrgent)
		}
	case kindFirst:
		if h.length != maxPayload {
			return h, protocolErrorf("%v frame: payload of %d bytes, must be %d", h.kind, h.length, maxPayload)
		}
	case kindAbort, kindCredit, kindGrant, kindPing, kindPong, kindBye:
		if h.length != 0 {
			return h, protocolErrorf("%v frame: payload of %d bytes, must be empty", h.kind, h.length)
		}
	default:
		return h, protocolErrorf("unknown frame kind %#02x", uint8(h.kind))
	}
	return h, nil
}

// cost is what a message of n bytes takes from the credit of its class: the
// payload of its first or only frame, and what keeping a message takes.
func cost(n int) int64 {
	const perMessage = 32
	if n > maxPayload {
		n = maxPayload
	}
	return int64(n) + perMessage
}

// rest is what a message of n bytes sends only after it has been granted.
func rest(n int) int64 {
	if n <= maxPayload {
		return 0
	}
	return int64(n) - firstData
}

func appendWhole(b []byte, c class, msg []byte) []byte {
	b = appendHeader(b, kindWhole+kind(c), len(msg), 0)
	return append(b, msg...)
}

func appendFirst(b []byte, c class, id uint32, msg []byte) []byte {
	b = appendHeader(b, kindFirst+kind(c), maxPayload, id)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(msg)))
	return append(b, msg[:firstData]...)
}
