package value

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// JSON appends to out a value of MessagePack, one that mpack.Check has found whole, as JSON in one
// line: by the type that it is listed with, as far as it is of that type, otherwise as what it is.
// Nothing is left out.
func (s *Schema) JSON(out, msgpack []byte, of string) []byte {
	if len(msgpack) == 0 {
		return append(out, "null"...)
	}
	d := decoder{out: out, b: msgpack}
	d.value(s.typeOf(of), 0)
	return d.out
}

// decoder reads b and writes out. It recurses as deep as b nests, which was checked.
type decoder struct{ out, b []byte }

var anything = &typ{kind: anyKind}

// head reads the head of the next value, and its payload.
func (d *decoder) head() (h mpack.Head, payload []byte) {
	h, err := mpack.ReadHead(d.b)
	if err != nil { // cannot be: it was checked
		h, d.b = mpack.Head{Kind: mpack.Nil}, nil
		return h, nil
	}
	d.b = d.b[h.Size:]
	payload = d.b[:h.Bytes]
	d.b = d.b[h.Bytes:]
	return h, payload
}

func (d *decoder) value(t *typ, depth int) {
	for range maxDepth { // pointers have no form of their own
		if t = t.behind(); t.kind != pointer {
			break
		}
		t = t.elem
	}
	h, payload := d.head()
	switch h.Kind {
	case mpack.Nil:
		d.out = append(d.out, "null"...)
	case mpack.Bool:
		d.out = strconv.AppendBool(d.out, h.Num == 1)
	case mpack.Int:
		d.integer(int64(h.Num), t)
	case mpack.Uint:
		if t.kind == spanKind && h.Num <= math.MaxInt64 {
			d.integer(int64(h.Num), t)
		} else {
			d.out = strconv.AppendUint(d.out, h.Num, 10)
		}
	case mpack.Float:
		d.float(h)
	case mpack.Str:
		d.text(payload)
	case mpack.Bin:
		if t.kind == bytesKind || t.kind == blockKind {
			d.base64(payload)
		} else {
			d.marked("$bin", func() { d.base64(payload) })
		}
	case mpack.Ext:
		d.ext(int8(h.Num), payload, t)
	case mpack.Array:
		d.array(h, t, depth)
	case mpack.Map:
		d.mapping(h, t, depth)
	}
}

func (d *decoder) integer(n int64, t *typ) {
	if t.kind == spanKind {
		d.string(spanText(n))
		return
	}
	d.out = strconv.AppendInt(d.out, n, 10)
}

// float writes what JSON has no number for as a string.
func (d *decoder) float(h mpack.Head) {
	f, bits := h.Float(), 64
	if h.Size == 1+4 {
		bits = 32
	}
	switch {
	case math.IsNaN(f):
		d.string("NaN")
	case math.IsInf(f, 1):
		d.string("Infinity")
	case math.IsInf(f, -1):
		d.string("-Infinity")
	default:
		n := len(d.out)
		d.out = strconv.AppendFloat(d.out, f, 'g', -1, bits)
		for _, c := range d.out[n:] {
			if c == '.' || c == 'e' {
				return
			}
		}
		d.out = append(d.out, ".0"...) // so that it is a float when it is read again
	}
}

// text writes a str. One that is no UTF-8 has no form in JSON.
func (d *decoder) text(b []byte) {
	if !utf8.Valid(b) {
		d.marked("$bin", func() { d.base64(b) })
		return
	}
	d.string(string(b))
}

func (d *decoder) string(s string) {
	b, _ := json.Marshal(s) // a string has no error
	d.out = append(d.out, b...)
}

func (d *decoder) base64(b []byte) {
	d.out = append(d.out, '"')
	d.out = base64.StdEncoding.AppendEncode(d.out, b)
	d.out = append(d.out, '"')
}

func (d *decoder) marked(mark string, content func()) {
	d.out = append(d.out, '{')
	d.string(mark)
	d.out = append(d.out, ':')
	content()
	d.out = append(d.out, '}')
}

func (d *decoder) ext(code int8, payload []byte, t *typ) {
	if code == mpack.ExtTime {
		if at, err := mpack.ParseTime(payload); err == nil && at.Year() >= 0 && at.Year() <= 9999 {
			text := at.Format(time.RFC3339Nano)
			if t.kind == timeKind {
				d.string(text)
			} else {
				d.marked("$time", func() { d.string(text) })
			}
			return
		}
	}
	d.marked("$ext", func() {
		d.out = append(d.out, '[')
		d.out = strconv.AppendInt(d.out, int64(code), 10)
		d.out = append(d.out, ',')
		d.base64(payload)
		d.out = append(d.out, ']')
	})
}

// array writes one, or, if it is a struct that goes as one, an object.
func (d *decoder) array(h mpack.Head, t *typ, depth int) {
	if t.kind == structKind && h.Elems == uint64(len(t.fields)) && h.Elems > 0 {
		d.out = append(d.out, '{')
		for i, f := range t.fields {
			if i > 0 {
				d.out = append(d.out, ',')
			}
			d.string(f.name)
			d.out = append(d.out, ':')
			d.value(f.typ, depth+1)
		}
		d.out = append(d.out, '}')
		return
	}
	elem := anything
	if t.kind == sliceKind || t.kind == arrayKind {
		elem = t.elem
	}
	d.out = append(d.out, '[')
	for i := range h.Elems {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		d.value(elem, depth+1)
	}
	d.out = append(d.out, ']')
}

// mapping writes an object if all keys can be those of one, or else an array of pairs.
func (d *decoder) mapping(h mpack.Head, t *typ, depth int) {
	key, elem := anything, anything
	fields := make(map[string]*typ)
	switch t.kind {
	case mapKind:
		key, elem = t.key.behind(), t.elem
	case structKind:
		for _, f := range t.fields {
			fields[f.name] = f.typ
		}
	}
	marks := "$" // one key that begins so would be taken for a mark
	switch t.kind {
	case structKind:
		marks = ""
	case mapKind:
		marks = "$map"
	}
	keys, plain := keysOf(d.b, h.Elems/2, key, marks)
	if !plain {
		d.pairs(h.Elems/2, key, elem, t.kind == mapKind, depth)
		return
	}
	d.out = append(d.out, '{')
	for i := range keys {
		if i > 0 {
			d.out = append(d.out, ',')
		}
		d.string(keys[i])
		d.out = append(d.out, ':')
		d.skip()
		of := elem
		if f := fields[keys[i]]; f != nil {
			of = f
		}
		d.value(of, depth+1)
	}
	d.out = append(d.out, '}')
}

func (d *decoder) skip() {
	n, err := mpack.Skip(d.b, maxDepth)
	if err != nil { // cannot be: it was checked
		n = len(d.b)
	}
	d.b = d.b[n:]
}

// keysOf returns the keys of n pairs as those of an object, false if they cannot be: some are no
// names, or the same, or there is one alone that begins with marks, if that is not empty.
func keysOf(b []byte, n uint64, t *typ, marks string) (keys []string, ok bool) {
	seen := make(map[string]bool)
	for range n {
		d := decoder{b: b}
		h, payload := d.head()
		var key string
		switch k := t.kind; {
		case h.Kind == mpack.Str && utf8.Valid(payload):
			key = string(payload)
		case h.Kind == mpack.Bin && k == bytesKind:
			key = base64.StdEncoding.EncodeToString(payload)
		case h.Kind == mpack.Bool && k == boolKind, h.Kind == mpack.Uint && k == intKind, h.Kind == mpack.Int && k == intKind,
			h.Kind == mpack.Uint && k == uintKind, h.Kind == mpack.Float && k == floatKind:
			d = decoder{b: b}
			d.value(t, 0)
			key = string(d.out)
			if len(key) > 0 && key[0] == '"' {
				key = key[1 : len(key)-1]
			}
		case h.Kind == mpack.Ext && k == timeKind, k == spanKind && (h.Kind == mpack.Uint || h.Kind == mpack.Int):
			d = decoder{b: b}
			d.value(t, 0)
			if len(d.out) < 2 || d.out[0] != '"' {
				return nil, false
			}
			key = string(d.out[1 : len(d.out)-1])
		default:
			return nil, false
		}
		if seen[key] || n == 1 && marks != "" && strings.HasPrefix(key, marks) {
			return nil, false
		}
		seen[key] = true
		keys = append(keys, key)
		d.skip()
		b = d.b
	}
	return keys, true
}

// pairs writes an array of n pairs. Where nothing says that it is a map it is marked.
func (d *decoder) pairs(n uint64, key, elem *typ, typed bool, depth int) {
	list := func() {
		d.out = append(d.out, '[')
		for i := range n {
			if i > 0 {
				d.out = append(d.out, ',')
			}
			d.out = append(d.out, '[')
			d.value(key, depth+1)
			d.out = append(d.out, ',')
			d.value(elem, depth+1)
			d.out = append(d.out, ']')
		}
		d.out = append(d.out, ']')
	}
	if typed {
		list()
	} else {
		d.marked("$map", list)
	}
}
