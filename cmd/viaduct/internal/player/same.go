package player

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// sameAnswer reports whether two answers say the same.
func sameAnswer(a, b *message.Message) bool {
	if (a.Err == nil) != (b.Err == nil) {
		return false
	}
	if a.Err != nil {
		return bytes.Equal(canonical(withoutStack(a.Err)), canonical(withoutStack(b.Err)))
	}
	return bytes.Equal(canonical(a.Body), canonical(b.Body))
}

// canonical returns a value so that those which say the same have the same bytes: maps in the order of
// their keys, numbers in one format. What is not well-formed is as it is.
func canonical(b []byte) []byte {
	n, err := mpack.Skip(b, maxDepth)
	if err != nil || n != len(b) {
		return b
	}
	out, _ := appendCanonical(nil, b)
	return out
}

// appendCanonical appends the first value of b, which was found well-formed and not too deep.
func appendCanonical(out, b []byte) (_, rest []byte) {
	h, err := mpack.ReadHead(b)
	if err != nil {
		return out, nil
	}
	out = append(out, byte(h.Kind))
	rest = b[h.Size:]
	switch h.Kind {
	case mpack.Int, mpack.Uint:
		// A negative number is never a Uint.
		if h.Kind == mpack.Int && int64(h.Num) >= 0 {
			out[len(out)-1] = byte(mpack.Uint)
		}
		return binary.BigEndian.AppendUint64(out, h.Num), rest
	case mpack.Float:
		return binary.BigEndian.AppendUint64(out, math.Float64bits(h.Float())), rest
	case mpack.Array:
		out = binary.BigEndian.AppendUint64(out, h.Elems)
		for range h.Elems {
			out, rest = appendCanonical(out, rest)
		}
		return out, rest
	case mpack.Map:
		pairs := make([][]byte, 0, min(h.Elems/2, uint64(len(rest))))
		for range h.Elems / 2 {
			var pair []byte
			pair, rest = appendCanonical(nil, rest)
			pair, rest = appendCanonical(pair, rest)
			pairs = append(pairs, pair)
		}
		slices.SortFunc(pairs, bytes.Compare)
		out = binary.BigEndian.AppendUint64(out, uint64(len(pairs)))
		return append(out, bytes.Join(pairs, nil)...), rest
	}
	out = binary.BigEndian.AppendUint64(out, h.Num)
	out = binary.BigEndian.AppendUint64(out, uint64(h.Bytes))
	return append(out, rest[:h.Bytes]...), rest[h.Bytes:]
}

// withoutStack returns an error without the stack of a method that has crashed: that has addresses in
// it.
func withoutStack(err []byte) []byte {
	var out []byte
	n := 0
	_, mapErr := mpack.EachPair(err, maxDepth, func(key, value []byte) error {
		n++
		out = mpack.AppendString(out, string(key))
		if string(key) == "panic" {
			if _, rest, err := mpack.ReadArray(value); err == nil {
				if size, err := mpack.Skip(rest, maxDepth); err == nil {
					value = rest[:size]
				}
			}
		}
		out = append(out, value...)
		return nil
	})
	if mapErr != nil {
		return err
	}
	return append(mpack.AppendMap(nil, n), out...)
}
