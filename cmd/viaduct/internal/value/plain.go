package value

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// marked returns the mark and the content of an object that stands for what JSON does not have: its
// one key begins with $.
func marked(x *tree) (mark string, content *tree) {
	if x.kind == isObject && len(x.keys) == 1 && strings.HasPrefix(x.keys[0], "$") {
		return x.keys[0], x.kids[0]
	}
	return "", nil
}

// plain appends x as what it is: the type is any, or not known.
func (e *encoder) plain(x *tree, path string) error {
	switch x.kind {
	case isNull:
		e.b = mpack.AppendNil(e.b)
	case isBool:
		e.b = mpack.AppendBool(e.b, x.yes)
	case isString:
		e.b = mpack.AppendString(e.b, x.text)
	case isNumber:
		return e.plainNumber(x, path)
	case isList:
		return e.list(x, &typ{kind: listKind}, path, 0)
	case isObject:
		if mark, content := marked(x); content != nil {
			return e.mark(mark, content, path)
		}
		return e.mapping(x, &typ{kind: mapKind, key: &typ{kind: stringKind}, elem: &typ{kind: anyKind}}, path, 0)
	}
	return nil
}

// plainNumber appends an integer as that, exactly, and what has a point or an exponent as a float64.
func (e *encoder) plainNumber(x *tree, path string) error {
	if !strings.ContainsAny(x.text, ".eE") {
		if n, err := strconv.ParseInt(x.text, 10, 64); err == nil {
			e.b = mpack.AppendInt(e.b, n)
			return nil
		}
		n, err := strconv.ParseUint(x.text, 10, 64)
		if err != nil {
			return wrong(x, path, "an integer from -2^63 to 2^64-1, or a number with a point,")
		}
		e.b = mpack.AppendUint(e.b, n)
		return nil
	}
	f, err := strconv.ParseFloat(x.text, 64)
	if err != nil {
		return wrong(x, path, "a number that a float of 64 bits has")
	}
	e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(f))
	return nil
}

func (e *encoder) mark(mark string, content *tree, path string) error {
	path = strings.TrimPrefix(path+"."+mark, ".")
	switch mark {
	case "$bin":
		return e.bytes(content, &typ{kind: bytesKind}, path)
	case "$time":
		return e.time(content, path)
	case "$map":
		if content.kind != isList {
			return wrong(content, path, "an array of pairs [key, value]")
		}
		return e.pairs(content, &typ{kind: anyKind}, &typ{kind: anyKind}, path, 0)
	case "$ext":
		return e.ext(content, path)
	}
	return mismatch(path, `a key that begins with $ stands for a value that JSON does not have, and there is no such one: $bin, $time, $ext or $map was expected (to send a map with this key: {"$map": [[%q, ...]]})`, mark)
}

// ext appends [type, base64].
func (e *encoder) ext(x *tree, path string) error {
	const want = "an array [type, base64], the type an integer from -128 to 127,"
	if x.kind != isList || len(x.kids) != 2 || x.kids[0].kind != isNumber || x.kids[1].kind != isString {
		return wrong(x, path, want)
	}
	code, err := strconv.ParseInt(x.kids[0].text, 10, 8)
	data, ok := decodeBase64(x.kids[1].text)
	switch {
	case err != nil:
		return wrong(x.kids[0], path, want)
	case !ok:
		return wrong(x.kids[1], path, want)
	}
	e.b = mpack.AppendExt(e.b, int8(code), data)
	return nil
}

// spanText is a duration as it is written, and read again.
func spanText(n int64) string { return time.Duration(n).String() }
