package mpack

import (
	"errors"
	"fmt"
	"io"
)

// TooDeepError reports values nested deeper than the caller allows.
type TooDeepError struct{ Limit int }

func (e *TooDeepError) Error() string {
	return fmt.Sprintf("msgpack: values nested deeper than the limit of %d", e.Limit)
}

// ErrTrailing reports bytes behind the end of a value.
var ErrTrailing = errors.New("msgpack: bytes left over behind the value")

// Check verifies that b holds exactly one value, whose every length is backed
// by bytes of b and whose arrays and maps nest at most depth levels. It is
// what makes b safe for a decoder that recurses and allocates by what lengths
// say. It takes time linear in len(b) and memory linear in depth.
func Check(b []byte, depth int) error {
	n, err := Skip(b, depth)
	if err != nil {
		return err
	}
	if n != len(b) {
		return ErrTrailing
	}
	return nil
}

// Skip returns the length of the value at the start of b, checked as Check does.
// It returns io.ErrUnexpectedEOF if b ends within the value.
func Skip(b []byte, depth int) (int, error) {
	var room [16]uint64
	open := room[:0] // values still missing at each level that is open
	pos := 0
	for {
		if pos >= len(b) {
			return 0, io.ErrUnexpectedEOF
		}
		if n := fixedSizes[b[pos]]; n != 0 {
			if pos += int(n); pos > len(b) {
				return 0, io.ErrUnexpectedEOF
			}
			if len(open) == 0 {
				return pos, nil
			}
			open[len(open)-1]--
		} else {
			h, err := ReadHead(b[pos:])
			if err != nil {
				return 0, err
			}
			pos += h.Size
			left := uint64(len(b) - pos)
			if uint64(h.Bytes) > left || h.Elems > left {
				return 0, io.ErrUnexpectedEOF // a value takes one byte at least
			}
			pos += int(h.Bytes)
			if h.Kind == Array || h.Kind == Map {
				if len(open) == depth {
					return 0, &TooDeepError{Limit: depth}
				}
				open = append(open, h.Elems)
			} else if len(open) > 0 {
				open[len(open)-1]--
			}
		}
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
			if len(open) > 0 {
				open[len(open)-1]--
			}
		}
		if len(open) == 0 {
			return pos, nil
		}
	}
}

// fixedSizes has the size of each value whose first byte says it, 0 for all others.
var fixedSizes = func() (sizes [256]uint8) {
	for c := range sizes {
		h, err := ReadHead(append([]byte{byte(c)}, make([]byte, 8)...))
		if err == nil && h.Kind != Array && h.Kind != Map && !hasLength(byte(c)) {
			sizes[c] = uint8(h.Size + int(h.Bytes))
		}
	}
	return sizes
}()

// hasLength reports whether a length follows the first byte c of a value.
func hasLength(c byte) bool {
	if c < 0xc0 || c >= 0xe0 {
		return false
	}
	f := formats[c-0xc0]
	return f.width > 0 && (f.kind == Str || f.kind == Bin || f.kind == Ext)
}

// Finder finds where a value ends in a buffer that grows, without looking at
// any byte twice. The zero Finder is ready; Reset makes it so again.
type Finder struct {
	pos    int    // bytes of the value looked at so far
	opened bool   // whether the first head has been read
	need   uint64 // values still missing
}

// Reset forgets the value looked at so far.
func (f *Finder) Reset() { *f = Finder{} }

// Find returns the length of the value at the start of b, or 0 if b does not
// hold all of it yet: call it again with more bytes behind the same ones. It
// returns an error for what cannot become a value of max bytes or less. Depth is not
// checked: Find keeps one count, however deep the value.
func (f *Finder) Find(b []byte, max int) (int, error) {
	if !f.opened {
		f.need, f.opened = 1, true
	}
	for f.need > 0 {
		if f.pos >= len(b) {
			return 0, nil
		}
		h, err := ReadHead(b[f.pos:])
		if err == io.ErrUnexpectedEOF {
			if len(b) >= max {
				return 0, &TooLongError{Limit: max}
			}
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		// What the head promises needs a byte for each value at least, so
		// need stays below max and cannot overflow.
		end := uint64(f.pos) + uint64(h.Size) + uint64(h.Bytes)
		if end+f.need-1+h.Elems > uint64(max) {
			return 0, &TooLongError{Limit: max}
		}
		if end > uint64(len(b)) {
			return 0, nil
		}
		f.pos = int(end)
		f.need += h.Elems - 1
	}
	return f.pos, nil
}

// TooLongError reports a value that is, or says it will be, over the limit.
type TooLongError struct{ Limit int }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("msgpack: value longer than the limit of %d bytes", e.Limit)
}
