// Package mpack reads and writes the MessagePack that viaduct itself speaks:
// message headers and the hello. It also checks the structure of anything a
// peer sends before a decoder that trusts its input sees it.
//
// It never allocates on behalf of its input and never recurses. The format is
// https://github.com/msgpack/msgpack/blob/master/spec.md.
package mpack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Kind is the type family of a MessagePack value.
type Kind uint8

const (
	Nil Kind = iota + 1
	Bool
	Int   // negative or signed formats
	Uint  // positive fixint and uint formats
	Float // float32 and float64
	Str
	Bin
	Ext
	Array
	Map
)

var kindNames = [...]string{
	Nil: "nil", Bool: "bool", Int: "int", Uint: "uint", Float: "float",
	Str: "str", Bin: "bin", Ext: "ext", Array: "array", Map: "map",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Head is what the first bytes of a value say about the rest of it.
type Head struct {
	Kind  Kind
	Size  int    // bytes of the head itself: a number's value is part of it
	Bytes uint32 // payload bytes that follow: str, bin, ext (without its type byte)
	Elems uint64 // values that follow: array elements, map keys and values
	Num   uint64 // int (two's complement), uint, bool (0 or 1), float (IEEE bits), ext type
}

// Float is the value of a float of either width.
func (h Head) Float() float64 {
	if h.Size == 1+4 {
		return float64(math.Float32frombits(uint32(h.Num)))
	}
	return math.Float64frombits(h.Num)
}

// ErrReserved reports the one byte, 0xc1, that starts no MessagePack value.
var ErrReserved = errors.New("msgpack: byte 0xc1 starts no value")

// ReadHead parses the head at the start of b. It returns io.ErrUnexpectedEOF
// if b ends within the head; the payload need not be there.
func ReadHead(b []byte) (Head, error) {
	if len(b) == 0 {
		return Head{}, io.ErrUnexpectedEOF
	}
	c := b[0]
	switch {
	case c <= 0x7f:
		return Head{Kind: Uint, Size: 1, Num: uint64(c)}, nil
	case c <= 0x8f:
		return Head{Kind: Map, Size: 1, Elems: 2 * uint64(c&0x0f)}, nil
	case c <= 0x9f:
		return Head{Kind: Array, Size: 1, Elems: uint64(c & 0x0f)}, nil
	case c <= 0xbf:
		return Head{Kind: Str, Size: 1, Bytes: uint32(c & 0x1f)}, nil
	case c >= 0xe0:
		return Head{Kind: Int, Size: 1, Num: uint64(int64(int8(c)))}, nil
	}
	f := formats[c-0xc0]
	if f.kind == 0 {
		return Head{}, ErrReserved
	}
	size := 1 + int(f.width)
	if f.kind == Ext {
		size++
	}
	if len(b) < size {
		return Head{}, io.ErrUnexpectedEOF
	}
	var n uint64
	switch f.width {
	case 0:
		n = uint64(f.fixed)
	case 1:
		n = uint64(b[1])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b[1:]))
	case 4:
		n = uint64(binary.BigEndian.Uint32(b[1:]))
	case 8:
		n = binary.BigEndian.Uint64(b[1:])
	}
	h := Head{Kind: f.kind, Size: size}
	switch f.kind {
	case Str, Bin:
		h.Bytes = uint32(n)
	case Ext:
		h.Bytes, h.Num = uint32(n), uint64(b[size-1])
	case Array:
		h.Elems = n
	case Map:
		h.Elems = 2 * n
	case Int:
		shift := 64 - 8*uint(f.width)
		h.Num = uint64(int64(n<<shift) >> shift)
	default:
		h.Num = n
	}
	return h, nil
}

// formats describes the first bytes 0xc0 to 0xdf: the family, how many bytes
// of length or value follow, and for those without any the value itself.
var formats = [32]struct {
	kind  Kind
	width uint8
	fixed uint8
}{
	0:           {kind: Nil},
	0xc2 - 0xc0: {kind: Bool, fixed: 0},
	0xc3 - 0xc0: {kind: Bool, fixed: 1},
	0xc4 - 0xc0: {kind: Bin, width: 1},
	0xc5 - 0xc0: {kind: Bin, width: 2},
	0xc6 - 0xc0: {kind: Bin, width: 4},
	0xc7 - 0xc0: {kind: Ext, width: 1},
	0xc8 - 0xc0: {kind: Ext, width: 2},
	0xc9 - 0xc0: {kind: Ext, width: 4},
	0xca - 0xc0: {kind: Float, width: 4},
	0xcb - 0xc0: {kind: Float, width: 8},
	0xcc - 0xc0: {kind: Uint, width: 1},
	0xcd - 0xc0: {kind: Uint, width: 2},
	0xce - 0xc0: {kind: Uint, width: 4},
	0xcf - 0xc0: {kind: Uint, width: 8},
	0xd0 - 0xc0: {kind: Int, width: 1},
	0xd1 - 0xc0: {kind: Int, width: 2},
	0xd2 - 0xc0: {kind: Int, width: 4},
	0xd3 - 0xc0: {kind: Int, width: 8},
	0xd4 - 0xc0: {kind: Ext, fixed: 1},
	0xd5 - 0xc0: {kind: Ext, fixed: 2},
	0xd6 - 0xc0: {kind: Ext, fixed: 4},
	0xd7 - 0xc0: {kind: Ext, fixed: 8},
	0xd8 - 0xc0: {kind: Ext, fixed: 16},
	0xd9 - 0xc0: {kind: Str, width: 1},
	0xda - 0xc0: {kind: Str, width: 2},
	0xdb - 0xc0: {kind: Str, width: 4},
	0xdc - 0xc0: {kind: Array, width: 2},
	0xdd - 0xc0: {kind: Array, width: 4},
	0xde - 0xc0: {kind: Map, width: 2},
	0xdf - 0xc0: {kind: Map, width: 4},
}
