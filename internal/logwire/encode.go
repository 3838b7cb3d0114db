package logwire

import (
	"encoding"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"unicode/utf8"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// encoder writes log records.
type encoder struct {
	b       []byte
	limit   int  // how long b may become
	over    bool // it would have: what is in b is of no use
	replace func(groups []string, a slog.Attr) slog.Attr

	maps   []openMap // those that are not complete, the innermost last
	groups []string  // the names of all but the first
}

// openMap is a map whose size is filled in last. It does not count until it has something in it.
type openMap struct {
	key  int // where in b its key begins,
	head int // and where it begins itself
	n    int // pairs
}

// record appends a record with its attributes, after those of h.
func (e *encoder) record(r *slog.Record, h *handler) {
	var source *slog.Source
	if h.opts.AddSource {
		source = r.Source()
	}
	n := 4
	if source != nil {
		n = 5
	}
	e.head(r, n)
	e.str(r.Message)
	start := len(e.b)
	e.b = append(e.b, h.attrs.b...)
	e.over = e.over || h.attrs.over
	e.groups = append(e.groups[:0], h.attrs.groups...)
	e.maps = e.maps[:0]
	for _, m := range h.attrs.maps {
		e.maps = append(e.maps, openMap{m.key + start, m.head + start, m.n})
	}
	r.Attrs(func(a slog.Attr) bool {
		e.attr(a)
		return !e.over
	})
	for len(e.maps) > 0 {
		e.close()
	}
	if source != nil {
		e.b = mpack.AppendArray(e.b, 3)
		e.str(source.Function)
		e.str(source.File)
		e.b = mpack.AppendInt(e.b, int64(source.Line))
	}
	e.over = e.over || len(e.b) > e.limit
}

// head appends the beginning of a record of n elements, up to its message.
func (e *encoder) head(r *slog.Record, n int) {
	e.b = mpack.AppendArray(e.b, n)
	if r.Time.IsZero() {
		e.b = mpack.AppendNil(e.b)
	} else {
		e.b = mpack.AppendTime(e.b, r.Time)
	}
	e.b = mpack.AppendInt(e.b, int64(r.Level))
}

// shortRest is what a shortened record takes besides its message.
const shortRest = 100

// shortRecord appends what is left of a record that is too large: its message, as far as there is
// room.
func (e *encoder) shortRecord(r *slog.Record) {
	e.head(r, 4)
	message := r.Message
	if room := max(e.limit-len(e.b)-shortRest, 0); len(message) > room {
		for room > 0 && !utf8.RuneStart(message[room]) {
			room--
		}
		message = message[:room] + "..."
	}
	e.str(message)
	e.b = mpack.AppendMap(e.b, 1)
	e.b = mpack.AppendString(e.b, "!TOOLARGE")
	e.b = mpack.AppendString(e.b, fmt.Sprintf("record of more than %d bytes", e.limit-headSize))
	e.over = len(e.b) > e.limit
}

// open begins a map with this key in the innermost one.
func (e *encoder) open(key string) {
	m := openMap{key: len(e.b)}
	if len(e.maps) > 0 {
		e.str(key)
		e.groups = append(e.groups, key)
	}
	m.head = len(e.b)
	e.b = append(e.b, 0xde, 0, 0)
	e.maps = append(e.maps, m)
}

// close ends the innermost map. One with nothing in it is left out, unless it is the outermost.
func (e *encoder) close() {
	last := len(e.maps) - 1
	m := e.maps[last]
	e.maps = e.maps[:last]
	if last > 0 {
		e.groups = e.groups[:last-1]
		if m.n == 0 {
			e.b = e.b[:m.key]
			return
		}
		e.maps[last-1].n++
	}
	binary.BigEndian.PutUint16(e.b[m.head+1:], uint16(m.n)) // it fits: so many pairs are over the limit
}

// attr appends a to the innermost map, as [slog.Handler] wants it.
func (e *encoder) attr(a slog.Attr) {
	a.Value = a.Value.Resolve()
	if e.replace != nil && a.Value.Kind() != slog.KindGroup {
		a = e.replace(e.groups, a)
		a.Value = a.Value.Resolve()
	}
	if e.over = e.over || len(e.b) > e.limit; e.over {
		return
	}
	if a.Value.Kind() == slog.KindGroup {
		e.group(a.Key, a.Value.Group())
		return
	}
	if a.Key == "" && a.Value.Kind() == slog.KindAny && a.Value.Any() == nil {
		return // no attribute at all
	}
	e.str(a.Key)
	e.value(a.Value)
	e.maps[len(e.maps)-1].n++
}

func (e *encoder) group(key string, attrs []slog.Attr) {
	switch {
	case len(attrs) == 0:
	case len(e.maps) >= maxDepth: // it may have no end
		e.str(key)
		e.str("!TOODEEP")
		e.maps[len(e.maps)-1].n++
	case key == "":
		e.attrs(attrs)
	default:
		e.open(key)
		e.attrs(attrs)
		e.close()
	}
}

func (e *encoder) attrs(attrs []slog.Attr) {
	for _, a := range attrs {
		if e.attr(a); e.over {
			return
		}
	}
}

func (e *encoder) str(s string) {
	if len(s) > e.limit {
		e.over = true
		return
	}
	e.b = mpack.AppendString(e.b, s)
}

func (e *encoder) value(v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		e.str(v.String())
	case slog.KindInt64:
		if n := v.Int64(); n > math.MaxUint32 { // in the format of a uint64 it would become one
			e.b = binary.BigEndian.AppendUint64(append(e.b, 0xd3), uint64(n))
		} else {
			e.b = mpack.AppendInt(e.b, n)
		}
	case slog.KindUint64:
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcf), v.Uint64())
	case slog.KindFloat64:
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(v.Float64()))
	case slog.KindBool:
		e.b = mpack.AppendBool(e.b, v.Bool())
	case slog.KindDuration:
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xd7, extDuration), uint64(v.Duration()))
	case slog.KindTime:
		e.b = mpack.AppendTime(e.b, v.Time())
	default:
		e.any(v.Any())
	}
}

func (e *encoder) any(x any) {
	switch x := x.(type) {
	case nil:
		e.b = mpack.AppendNil(e.b)
	case []byte:
		if e.over = e.over || len(x) > e.limit; !e.over {
			e.b = mpack.AppendBin(e.b, x)
		}
	default:
		e.str(logText(x))
	}
}

// logText is x as a slog.TextHandler writes it.
func logText(x any) (text string) {
	defer func() {
		if r := recover(); r != nil {
			if v := reflect.ValueOf(x); v.Kind() == reflect.Pointer && v.IsNil() {
				text = "<nil>"
			} else {
				text = fmt.Sprintf("!PANIC: %v", r)
			}
		}
	}()
	switch x := x.(type) {
	case error:
		return x.Error()
	case encoding.TextMarshaler:
		b, err := x.MarshalText()
		if err != nil {
			return "!ERROR:" + err.Error()
		}
		return string(b)
	}
	return fmt.Sprintf("%+v", x)
}
