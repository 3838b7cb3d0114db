package value

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// A MismatchError reports JSON that does not fit a type.
type MismatchError struct {
	Path   string // from the argument on, as in A.List[2]
	Reason string
}

func (e *MismatchError) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Params returns the params of a call: JSON as an argument of the type that a method is listed with.
// Without text there is no argument.
func (s *Schema) Params(text []byte, of string) ([]byte, error) {
	if text == nil {
		return mpack.AppendArray(nil, 0), nil
	}
	t, err := parseJSON(text)
	if err != nil {
		return nil, err
	}
	e := encoder{}
	arg := s.typeOf(of)
	if as := arg.behind(); as.kind != listKind && !(as.kind == structKind && as.positional) {
		e.b = mpack.AppendArray(e.b, 1) // otherwise it is the params itself
	}
	err = e.value(t, arg, "", 0)
	return e.b, err
}

type encoder struct{ b []byte }

func mismatch(path, format string, args ...any) error {
	return &MismatchError{path, fmt.Sprintf(format, args...)}
}

// wrong says what is at path, and what was expected.
func wrong(t *tree, path, want string) error {
	found := string(t.kind)
	switch t.kind {
	case isNumber:
		found = "the number " + brief(t.text)
	case isString:
		found = "the string " + strconv.Quote(brief(t.text))
	}
	return mismatch(path, "%s was expected, this is %s", want, found)
}

func brief(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// value appends x as a value of type t. depth counts types within each other: some have no end.
func (e *encoder) value(x *tree, t *typ, path string, depth int) error {
	if depth > 2*maxDepth {
		return mismatch(path, "the type %s has no end", t.name)
	}
	name := t.name
	t = t.behind()
	switch t.kind {
	case pointer, sliceKind, mapKind, bytesKind:
		if x.kind == isNull {
			e.b = mpack.AppendNil(e.b)
			return nil
		}
	}
	switch t.kind {
	case pointer:
		return e.value(x, t.elem, path, depth+1)
	case boolKind:
		if x.kind != isBool {
			return wrong(x, path, "true or false")
		}
		e.b = mpack.AppendBool(e.b, x.yes)
		return nil
	case intKind, uintKind, floatKind:
		return e.number(x, t, path)
	case stringKind, textKind:
		if x.kind != isString {
			return wrong(x, path, "a string")
		}
		e.b = mpack.AppendString(e.b, x.text)
		return nil
	case bytesKind, blockKind:
		return e.bytes(x, t, path)
	case timeKind:
		return e.time(x, path)
	case spanKind:
		return e.span(x, path)
	case extKind:
		if _, arg := marked(x); arg == nil {
			return wrong(x, path, `an ext value, {"$ext": [type, base64]},`)
		}
		return e.plain(x, path)
	case goKind:
		return mismatch(path, "values of type %s can be sent by a Go program alone", name)
	case never:
		return mismatch(path, "values of this type cannot be sent at all: see what viaduct methods says of it")
	case listKind, sliceKind, arrayKind:
		return e.list(x, t, path, depth)
	case mapKind:
		return e.mapping(x, t, path, depth)
	case structKind:
		return e.structure(x, t, path, depth)
	}
	return e.plain(x, path)
}

func (e *encoder) number(x *tree, t *typ, path string) error {
	what := fmt.Sprintf("%s of %d bits", t.kind, t.n)
	if t.kind == floatKind {
		return e.float(x, t, path)
	}
	if x.kind != isNumber {
		return wrong(x, path, "an integer ("+what+")")
	}
	if t.kind == uintKind {
		n, err := strconv.ParseUint(x.text, 10, t.n)
		if err != nil {
			return wrong(x, path, "an integer, in digits alone, from 0 to "+strconv.FormatUint(math.MaxUint64>>(64-t.n), 10))
		}
		e.b = mpack.AppendUint(e.b, n)
		return nil
	}
	n, err := strconv.ParseInt(x.text, 10, t.n)
	if err != nil {
		most := int64(math.MaxInt64 >> (64 - t.n))
		return wrong(x, path, fmt.Sprintf("an integer, in digits alone, from %d to %d", -most-1, most))
	}
	e.b = mpack.AppendInt(e.b, n)
	return nil
}

// float also takes, as strings, the numbers that JSON does not have.
func (e *encoder) float(x *tree, t *typ, path string) error {
	special := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}
	f, ok := special[x.text]
	ok = ok && x.kind == isString
	if x.kind == isNumber {
		var err error
		f, err = strconv.ParseFloat(x.text, t.n)
		ok = err == nil
	}
	if !ok {
		return wrong(x, path, fmt.Sprintf(`a number that a float of %d bits has, or "NaN", "Infinity", "-Infinity",`, t.n))
	}
	if t.n == 32 {
		e.b = binary.BigEndian.AppendUint32(append(e.b, 0xca), math.Float32bits(float32(f)))
	} else {
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(f))
	}
	return nil
}

// decodeBase64 takes all that base64 is written as: with + and /, or - and _, with = or without.
func decodeBase64(s string) ([]byte, bool) {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.Strict().DecodeString(s); err == nil {
			return b, true
		}
	}
	return nil, false
}

func (e *encoder) bytes(x *tree, t *typ, path string) error {
	text := x
	if mark, arg := marked(x); mark == "$bin" {
		text = arg
	}
	if text.kind != isString {
		return wrong(x, path, "bytes as a string of base64")
	}
	b, ok := decodeBase64(text.text)
	if !ok {
		return wrong(text, path, "bytes as a string of base64")
	}
	if t.kind == blockKind && len(b) != t.n {
		return mismatch(path, "%d bytes were expected, these are %d", t.n, len(b))
	}
	e.b = mpack.AppendBin(e.b, b)
	return nil
}

func (e *encoder) time(x *tree, path string) error {
	if mark, arg := marked(x); mark == "$time" {
		x = arg
	}
	at, err := time.Parse(time.RFC3339Nano, x.text)
	if x.kind != isString || err != nil {
		return wrong(x, path, `a time as a string, as in "2006-01-02T15:04:05.999Z" or with an offset +01:00 in place of the Z,`)
	}
	e.b = mpack.AppendTime(e.b, at)
	return nil
}

func (e *encoder) span(x *tree, path string) error {
	d, err := time.ParseDuration(x.text)
	if x.kind == isNumber {
		var n int64
		n, err = strconv.ParseInt(x.text, 10, 64)
		d = time.Duration(n)
	}
	if x.kind != isNumber && x.kind != isString || err != nil {
		return wrong(x, path, `a duration as a string, as in "1.5s", "2h45m", or nanoseconds as a number,`)
	}
	e.b = mpack.AppendInt(e.b, int64(d))
	return nil
}

func (e *encoder) list(x *tree, t *typ, path string, depth int) error {
	if x.kind != isList {
		return wrong(x, path, "an array")
	}
	if t.kind == arrayKind && len(x.kids) != t.n {
		return mismatch(path, "an array of %d was expected, this has %d elements", t.n, len(x.kids))
	}
	elem := t.elem
	if elem == nil {
		elem = &typ{kind: anyKind}
	}
	e.b = mpack.AppendArray(e.b, len(x.kids))
	for i, kid := range x.kids {
		if err := e.value(kid, elem, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// mapping takes an object, whose keys are turned into the type of keys, or an array of pairs.
func (e *encoder) mapping(x *tree, t *typ, path string, depth int) error {
	pairs := x
	if mark, arg := marked(x); mark == "$map" {
		pairs = arg
	}
	if pairs.kind == isList {
		return e.pairs(pairs, t.key, t.elem, path, depth)
	}
	if x.kind != isObject {
		return wrong(x, path, "an object, or an array of pairs [key, value],")
	}
	e.b = mpack.AppendMap(e.b, len(x.kids))
	for i, kid := range x.kids {
		at := path + "[" + strconv.Quote(brief(x.keys[i])) + "]"
		if err := e.key(x.keys[i], t.key.behind(), at, depth); err != nil {
			return err
		}
		if err := e.value(kid, t.elem, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// key appends the key of an object as one of type t.
func (e *encoder) key(key string, t *typ, path string, depth int) error {
	x := &tree{kind: isString, text: key}
	switch t.kind {
	case intKind, uintKind, floatKind:
		if t.kind != floatKind || (key != "NaN" && key != "Infinity" && key != "-Infinity") {
			x.kind = isNumber
		}
	case boolKind:
		if key == "true" || key == "false" {
			x = &tree{kind: isBool, yes: key == "true"}
		}
	case structKind, sliceKind, arrayKind, mapKind, listKind, extKind:
		return mismatch(path, "keys of type %s do not fit into an object: an array of pairs [key, value] was expected", t.name)
	}
	if err := e.value(x, t, "", depth+1); err != nil {
		return mismatch(path, "its key: %v", err)
	}
	return nil
}

func (e *encoder) pairs(x *tree, key, elem *typ, path string, depth int) error {
	e.b = mpack.AppendMap(e.b, len(x.kids))
	for i, pair := range x.kids {
		at := fmt.Sprintf("%s[%d]", path, i)
		if pair.kind != isList || len(pair.kids) != 2 {
			return wrong(pair, at, "a pair [key, value]")
		}
		if err := e.value(pair.kids[0], key, at+"[0]", depth+1); err != nil {
			return err
		}
		if err := e.value(pair.kids[1], elem, at+"[1]", depth+1); err != nil {
			return err
		}
	}
	return nil
}
