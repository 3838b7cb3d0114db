package mpack

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// AppendNil appends nil to b.
func AppendNil(b []byte) []byte { return append(b, 0xc0) }

// AppendBool appends v to b.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xc3)
	}
	return append(b, 0xc2)
}

// AppendUint appends v to b in the shortest format.
func AppendUint(b []byte, v uint64) []byte {
	switch {
	case v <= 0x7f:
		return append(b, byte(v))
	case v <= math.MaxUint8:
		return append(b, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), v)
}

// AppendString appends s to b as a str.
func AppendString(b []byte, s string) []byte {
	switch n := len(s); {
	case n <= 31:
		b = append(b, 0xa0|byte(n))
	case n <= math.MaxUint8:
		b = append(b, 0xd9, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xda), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xdb), uint32(n))
	}
	return append(b, s...)
}

// AppendBin appends p to b as a bin.
func AppendBin(b, p []byte) []byte {
	switch n := len(p); {
	case n <= math.MaxUint8:
		b = append(b, 0xc4, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xc5), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc6), uint32(n))
	}
	return append(b, p...)
}

// SizeOfBin is how many bytes AppendBin appends for n.
func SizeOfBin(n int) int {
	switch {
	case n <= math.MaxUint8:
		return 2 + n
	case n <= math.MaxUint16:
		return 3 + n
	}
	return 5 + n
}

// SizeOfString is how many bytes AppendString appends for n.
func SizeOfString(n int) int {
	if n <= 31 {
		return 1 + n
	}
	return SizeOfBin(n)
}

// AppendArray appends the head of an array of n values to b.
func AppendArray(b []byte, n int) []byte {
	switch {
	case n <= 15:
		return append(b, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xdc), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdd), uint32(n))
}

// AppendMap appends the head of a map of n pairs to b.
func AppendMap(b []byte, n int) []byte {
	switch {
	case n <= 15:
		return append(b, 0x80|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xde), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xdf), uint32(n))
}

// KindError reports a value of another family than the reader asked for.
type KindError struct{ Want, Got Kind }

func (e *KindError) Error() string {
	return fmt.Sprintf("msgpack: found %v where %v was expected", e.Got, e.Want)
}

func readKind(b []byte, want Kind) (Head, error) {
	h, err := ReadHead(b)
	if err == nil && h.Kind != want {
		err = &KindError{Want: want, Got: h.Kind}
	}
	return h, err
}

// ReadUint reads an unsigned integer and returns the bytes behind it. A
// non-negative integer in a signed format is taken too: peers may write one.
func ReadUint(b []byte) (uint64, []byte, error) {
	h, err := ReadHead(b)
	if err != nil {
		return 0, nil, err
	}
	if h.Kind == Uint || h.Kind == Int && int64(h.Num) >= 0 {
		return h.Num, b[h.Size:], nil
	}
	return 0, nil, &KindError{Want: Uint, Got: h.Kind}
}

// ReadString reads a str and returns the bytes behind it. The string aliases b.
func ReadString(b []byte) (s, rest []byte, err error) { return readBytes(b, Str) }

// ReadBin reads a bin and returns the bytes behind it. The value aliases b.
func ReadBin(b []byte) (p, rest []byte, err error) { return readBytes(b, Bin) }

func readBytes(b []byte, want Kind) (p, rest []byte, err error) {
	h, err := readKind(b, want)
	if err != nil {
		return nil, nil, err
	}
	b = b[h.Size:]
	if uint64(h.Bytes) > uint64(len(b)) {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return b[:h.Bytes:h.Bytes], b[h.Bytes:], nil
}

// ReadArray reads the head of an array and returns the number of its values.
func ReadArray(b []byte) (n int, rest []byte, err error) { return readElems(b, Array, 1) }

// ReadMap reads the head of a map and returns the number of its pairs.
func ReadMap(b []byte) (n int, rest []byte, err error) { return readElems(b, Map, 2) }

func readElems(b []byte, want Kind, per uint64) (int, []byte, error) {
	h, err := readKind(b, want)
	if err != nil {
		return 0, nil, err
	}
	b = b[h.Size:]
	if h.Elems > uint64(len(b)) {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return int(h.Elems / per), b, nil
}

// AppendInt appends v to b in the shortest format.
func AppendInt(b []byte, v int64) []byte {
	switch {
	case v >= 0:
		return AppendUint(b, uint64(v))
	case v >= -32:
		return append(b, byte(v))
	case v >= math.MinInt8:
		return append(b, 0xd0, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(v))
}

// AppendExt appends p to b as an ext value of type code.
func AppendExt(b []byte, code int8, p []byte) []byte {
	switch n := len(p); {
	case n == 1:
		b = append(b, 0xd4)
	case n == 2:
		b = append(b, 0xd5)
	case n == 4:
		b = append(b, 0xd6)
	case n == 8:
		b = append(b, 0xd7)
	case n == 16:
		b = append(b, 0xd8)
	case n <= math.MaxUint8:
		b = append(b, 0xc7, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, 0xc8), uint16(n))
	default:
		b = binary.BigEndian.AppendUint32(append(b, 0xc9), uint32(n))
	}
	return append(append(b, byte(code)), p...)
}

// ReadInt reads an integer that an int of this machine holds.
func ReadInt(b []byte) (int, []byte, error) {
	h, err := ReadHead(b)
	if err != nil {
		return 0, nil, err
	}
	n := int64(h.Num)
	switch {
	case h.Kind != Int && h.Kind != Uint:
		return 0, nil, &KindError{Want: Int, Got: h.Kind}
	case h.Kind == Uint && n < 0, int64(int(n)) != n:
		return 0, nil, fmt.Errorf("msgpack: %v is out of the range of an int of this machine", h.Num)
	}
	return int(n), b[h.Size:], nil
}

// AppendStrings appends each of list to b as a str.
func AppendStrings(b []byte, list ...string) []byte {
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// ReadStrings reads an array that begins with strings, up to its first element that is none, and so
// many at most.
func ReadStrings(b []byte, most int) (list []string) {
	n, b, err := ReadArray(b)
	if err != nil {
		return nil
	}
	for range min(n, most) {
		s, rest, err := ReadString(b)
		if err != nil {
			return list
		}
		list = append(list, string(s))
		b = rest
	}
	return list
}
