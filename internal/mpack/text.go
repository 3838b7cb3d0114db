package mpack

import (
	"fmt"
	"strconv"
)

// Text writes the value b out for people, cut off after a few kilobytes: a str or
// bin at the top as it is, anything else in the manner of JSON.
// b must have passed Check.
func Text(b []byte) (string, error) {
	if h, err := ReadHead(b); err == nil && (h.Kind == Str || h.Kind == Bin) {
		return string(b[h.Size:]), nil
	}
	out, _, err := appendText(nil, b)
	if len(out) > maxText {
		out = append(out[:maxText], "..."...)
	}
	return string(out), err
}

const maxText = 4 << 10

// appendText recurses, maxText deep at most: each level writes a byte.
func appendText(out, b []byte) (_, rest []byte, err error) {
	h, err := ReadHead(b)
	if err != nil || len(out) > maxText {
		return out, nil, err
	}
	b = b[h.Size:]
	payload := b[:h.Bytes]
	b = b[h.Bytes:]
	switch h.Kind {
	case Nil:
		return append(out, "null"...), b, nil
	case Bool:
		return strconv.AppendBool(out, h.Num == 1), b, nil
	case Int:
		return strconv.AppendInt(out, int64(h.Num), 10), b, nil
	case Uint:
		return strconv.AppendUint(out, h.Num, 10), b, nil
	case Float:
		return strconv.AppendFloat(out, h.Float(), 'g', -1, 64), b, nil
	case Str, Bin:
		return strconv.AppendQuote(out, string(payload[:min(len(payload), maxText)])), b, nil
	case Ext:
		return fmt.Appendf(out, "ext(%d, %x)", int8(h.Num), payload[:min(len(payload), 16)]), b, nil
	}
	ends := "[]"
	if h.Kind == Map {
		ends = "{}"
	}
	out = append(out, ends[0])
	for i := range h.Elems {
		switch {
		case i == 0:
		case h.Kind == Map && i%2 == 1:
			out = append(out, ": "...)
		default:
			out = append(out, ", "...)
		}
		if out, b, err = appendText(out, b); err != nil || len(out) > maxText {
			return out, nil, err
		}
	}
	return append(out, ends[1]), b, nil
}
