package duplex

import (
	"encoding/binary"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/framesum"
)

// A frame is a header of 8 bytes and a payload of up to maxPayload bytes:
//
//	kind uint8 | zero uint8 | length uint16 | id uint32 | payload
//
// All numbers are little-endian. PROTOCOL.md says what each kind means.
const (
	headerSize = 8
	maxPayload = 32 << 10
	// firstData is how many bytes of its message a first frame carries behind the total length,
	// always: so the cost of a message follows from its length.
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

	kindShutdown kind = 0x33 // the sender starts no more; it closes when both sides are idle
	// Nothing is going on at the sender, which has received id messages and streams.
	kindIdle kind = 0x34

	// Of a stream, id. The low bit says who sends: 0 the side that has opened the stream, 1 the
	// other.
	kindOpen     kind = 0x40 // window uint32, name uint32 of an offer or 0
	kindAccept   kind = 0x41 // window uint32
	kindData     kind = 0x42 // bytes
	kindMore     kind = 0x44 // number uint32: as many more bytes may be sent
	kindEnd      kind = 0x46 // no more data from the sender
	kindStop     kind = 0x48 // no more data to the sender
	kindReset    kind = 0x4a // code uint32: the stream is no more
	kindReserved kind = 0x4c // from here to 0x4f: reserved

	kindSkip kind = 0x80 // from here on: skipped by who does not know them
)

type class uint8

const (
	call class = iota
	reply
	notification
	numClasses

	// urgent messages need no credit, and go behind what has been queued.
	urgent = numClasses
)

// maxUrgent is the longest urgent message.
const maxUrgent = 64

func (c class) String() string { return [...]string{"call", "reply", "notification", "urgent"}[c&3] }

// split separates a kind that has a class from its class.
func (k kind) split() (kind, class) {
	if k >= kindWhole && k < kindPing {
		return k &^ 3, class(k & 3)
	}
	return k, 0
}

// The low bit of the kinds of a stream.
const (
	byOpener   kind = 0
	byAcceptor kind = 1
)

// ofStream separates the kind of a stream's frame from who has sent it.
func (k kind) ofStream() (base, by kind, ok bool) {
	switch {
	case k == kindOpen:
		return k, byOpener, true
	case k == kindAccept:
		return k, byAcceptor, true
	case k > kindAccept && k < kindReserved:
		return k &^ 1, k & 1, true
	}
	return k, 0, false
}

func (k kind) String() string {
	base, c := k.split()
	if of, _, ok := k.ofStream(); ok {
		base = of
	}
	names := map[kind]string{
		kindWhole: "whole", kindFirst: "first", kindPiece: "piece", kindAbort: "abort",
		kindCredit: "credit", kindGrant: "grant", kindPing: "ping", kindPong: "pong", kindBye: "bye",
		kindShutdown: "shutdown", kindIdle: "idle",
		kindOpen: "open", kindAccept: "accept", kindData: "data", kindMore: "stream credit",
		kindEnd: "end", kindStop: "stop", kindReset: "reset",
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

// parseHeader parses and checks the header in b, which holds headerSize bytes. It looks at one
// frame alone: whether it may come now is for the reader to say.
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
	if of, _, ok := h.kind.ofStream(); ok {
		base = of
	}
	switch base {
	case kindWhole, kindPiece, kindData:
		if h.length == 0 {
			return h, protocolErrorf("%v frame without payload", h.kind)
		}
		if c == urgent && h.length > maxUrgent {
			return h, protocolErrorf("%v frame: payload of %d bytes, limit is %d", h.kind, h.length, maxUrgent)
		}
	case kindFirst:
		return h, h.mustHave(maxPayload)
	case kindOpen:
		return h, h.mustHave(8)
	case kindAccept, kindMore, kindReset:
		return h, h.mustHave(4)
	case kindAbort, kindCredit, kindGrant, kindPing, kindPong, kindBye, kindShutdown, kindIdle, kindEnd, kindStop:
		return h, h.mustHave(0)
	default:
		return h, protocolErrorf("unknown frame kind %#02x", uint8(h.kind))
	}
	return h, nil
}

// mustHave returns an error unless h announces a payload of n bytes.
func (h header) mustHave(n uint16) error {
	if h.length != n {
		return protocolErrorf("%v frame: payload of %d bytes, must be %d", h.kind, h.length, n)
	}
	return nil
}

// maxEager is the longest message that sends its rest without a grant, if both sides know of that.
const maxEager = 128 << 10

// sizing says what follows from the length of a message.
type sizing struct {
	eager bool // both sides know of messages that need no grant
	sums  bool // frames have checksums
}

// piece is how much of n bytes goes into the next frame. Two full ones make up a write of 64 KiB,
// headers and checksums included.
func (z sizing) piece(n int) int {
	switch {
	case n <= maxPayload:
		return n
	case z.sums:
		return maxPayload - framesum.Most
	}
	return maxPayload - headerSize
}

// needsGrant reports whether a message of n bytes waits for a grant before it sends its rest.
func (z sizing) needsGrant(n int) bool { return n > maxPayload && !(z.eager && n <= maxEager) }

// cost is what a message of n bytes takes from the credit of its class: all of it, or, if its rest is to
// be granted, the payload of its first frame; and what keeping a message takes.
func (z sizing) cost(n int) int64 {
	const perMessage = 32
	if z.needsGrant(n) {
		n = maxPayload
	}
	return int64(n) + perMessage
}

// rest is what a message of n bytes sends only after it has been granted.
func (z sizing) rest(n int) int64 {
	if !z.needsGrant(n) {
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
