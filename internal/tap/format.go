// Package tap records what goes over links, in a file or in memory, and reads such records.
//
// It assumes a connection that is read by one goroutine at a time and written by one at a time, as
// those of duplex are, and knows of frames what docs/PROTOCOL.md says of their headers. It promises
// that a link does not wait for it, not even for a disk that is full or slow, and that without
// contents a record has of messages only what names them: kind, msgid and method. What it reads it
// takes for bytes that anybody may have written. docs/tap.md describes the format.
package tap

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A file is a header and records:
//
//	magic [8]byte | version uint16 | flags uint16 | begin int64, nanoseconds since 1970 | CRC-32C uint32
//
//	length uint32 of the body | CRC-32C uint32 of length and body | body:
//	kind uint8 | direction uint8 | zero uint16 | link uint32 | nanoseconds since begin uint64 | rest
//
// All numbers are little-endian.
const (
	magic      = "\xf1VIATAP\n"
	version    = 1
	headerSize = 24
	prefixSize = 8  // of a record, ahead of its body
	headSize   = 16 // of a body, ahead of its rest
	maxBody    = headSize + frameHead + maxPayload
	minRecord  = prefixSize + headSize

	flagContents = 1 << 0
)

// Kind says what a record is about.
type Kind uint8

const (
	KindBegin   Kind = 1 // a link begins: a map, see Info
	KindFrame   Kind = 2 // a frame, and what came behind its header or what names its message
	KindEnd     Kind = 3 // a link has ended: uint64 bytes that were not sent, uint32 of a frame that came in part
	KindBlocked Kind = 4 // the write that began at this time took so long: uint64 nanoseconds
	KindLost    Kind = 5 // uint64 records were not recorded: they found no room
	KindFull    Kind = 6 // the file has the size that it may have: nothing more is recorded
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendHeader(b []byte, contents bool, begin time.Time) []byte {
	start := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint16(b, version)
	flags := uint16(0)
	if contents {
		flags |= flagContents
	}
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(begin.UnixNano()))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// record is the head of a record's body.
type record struct {
	kind Kind
	out  bool // of a frame: from this side
	link uint32
	at   time.Duration
}

// appendRecord appends a record whose rest is that of parts.
func appendRecord(b []byte, r record, parts ...[]byte) []byte {
	start, size := len(b), headSize
	for _, p := range parts {
		size += len(p)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	b = append(b, 0, 0, 0, 0, byte(r.kind), 0, 0, 0)
	if r.out {
		b[start+prefixSize+1] = 1
	}
	b = binary.LittleEndian.AppendUint32(b, r.link)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.at))
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.LittleEndian.PutUint32(b[start+4:], checksum(b[start:start+4], b[start+prefixSize:]))
	return b
}

func checksum(length, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, body)
}
