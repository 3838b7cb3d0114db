// Package value turns JSON into the MessagePack of arguments, and the MessagePack of replies into
// JSON: by the types that the other side has listed, or, where there are none, as plain values.
//
// Nothing is changed in silence. What does not fit is an error that says where it is, what it is and
// what was expected. What JSON has no form for is written so that it can be sent again: {"$bin":
// base64}, {"$time": RFC 3339}, {"$ext": [type, base64]}, {"$map": [[key, value], ...]}.
package value

import (
	"strconv"
	"strings"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// kind is a form of values.
type kind string

// A form that is called otherwise is any.
const (
	anyKind    kind = "any"
	boolKind   kind = "bool"
	intKind    kind = "int"  // of typ.n bits
	uintKind   kind = "uint" // of typ.n bits
	floatKind  kind = "float"
	stringKind kind = "string"
	textKind   kind = "text"
	bytesKind  kind = "bytes"
	blockKind  kind = "block" // typ.n bytes
	timeKind   kind = "time"
	spanKind   kind = "duration"
	extKind    kind = "ext"
	listKind   kind = "list"
	sliceKind  kind = "slice"
	arrayKind  kind = "array" // of typ.n elements
	mapKind    kind = "map"
	pointer    kind = "pointer"
	structKind kind = "struct"
	alias      kind = "alias" // elem under a name
	goKind     kind = "go"
	never      kind = "never"
)

// typ is a type.
type typ struct {
	kind       kind
	name       string // as it is listed
	n          int
	key, elem  *typ
	fields     []field // of a struct
	positional bool
}

type field struct {
	name, doc string
	*typ
}

var simple = map[string]typ{
	"bool": {kind: boolKind}, "string": {kind: stringKind}, "text": {kind: textKind}, "bytes": {kind: bytesKind},
	"int": {kind: intKind, n: 64}, "int8": {kind: intKind, n: 8}, "int16": {kind: intKind, n: 16}, "int32": {kind: intKind, n: 32}, "int64": {kind: intKind, n: 64},
	"uint": {kind: uintKind, n: 64}, "uint8": {kind: uintKind, n: 8}, "uint16": {kind: uintKind, n: 16}, "uint32": {kind: uintKind, n: 32}, "uint64": {kind: uintKind, n: 64},
	"float32": {kind: floatKind, n: 32}, "float64": {kind: floatKind, n: 64},
	"time": {kind: timeKind}, "duration": {kind: spanKind}, "ext": {kind: extKind}, "list": {kind: listKind},
	"struct{}": {kind: structKind}, "go": {kind: goKind}, "never": {kind: never}, "any": {kind: anyKind},
}

// Schema knows the types of a listing. It is not for several goroutines at once. The nil Schema
// knows none.
type Schema struct {
	listed map[string]*rpcpipe.Type
	known  map[string]*typ
}

// NewSchema returns what knows the types of l, nil if that is nil.
func NewSchema(l *rpcpipe.Listing) *Schema {
	if l == nil {
		return nil
	}
	s := &Schema{listed: make(map[string]*rpcpipe.Type), known: make(map[string]*typ)}
	for i := range l.Types {
		s.listed[l.Types[i].Name] = &l.Types[i]
	}
	return s
}

// typeOf returns the type of a name, which may be anything. It recurses as deep as a name is long,
// which the listing bounds.
func (s *Schema) typeOf(name string) *typ {
	if s == nil {
		return &typ{kind: anyKind, name: "any"}
	}
	if t := s.known[name]; t != nil {
		return t
	}
	t := &typ{kind: anyKind, name: name}
	s.known[name] = t // before its parts: a type may contain itself
	if listed := s.listed[name]; listed != nil {
		s.fill(t, listed)
		return t
	}
	if known, ok := simple[name]; ok {
		*t = known
		t.name = name
		return t
	}
	if elem, ok := strings.CutPrefix(name, "*"); ok {
		t.kind, t.elem = pointer, s.typeOf(elem)
		return t
	}
	inner, isMap := strings.CutPrefix(name, "map[")
	if !isMap {
		inner, _ = strings.CutPrefix(name, "[")
	}
	end := closing(inner)
	if end < 0 || inner == name || end+1 == len(inner) {
		return t
	}
	within, elem := inner[:end], inner[end+1:]
	n, err := strconv.ParseUint(within, 10, 31)
	switch {
	case isMap:
		t.kind, t.key, t.elem = mapKind, s.typeOf(within), s.typeOf(elem)
	case within == "":
		t.kind, t.elem = sliceKind, s.typeOf(elem)
	case err != nil: // of no known form
	case elem == "byte":
		t.kind, t.n = blockKind, int(n)
	default:
		t.kind, t.n, t.elem = arrayKind, int(n), s.typeOf(elem)
	}
	return t
}

// closing returns the place of the bracket that closes what s begins within, -1 if there is none.
func closing(s string) int {
	open := 1
	for i := range len(s) {
		switch s[i] {
		case '[':
			open++
		case ']':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func (s *Schema) fill(t *typ, listed *rpcpipe.Type) {
	if listed.Is != "" {
		t.kind, t.elem = alias, s.typeOf(listed.Is)
		return
	}
	t.kind, t.positional = structKind, listed.Positional
	for _, f := range listed.Fields {
		t.fields = append(t.fields, field{f.Name, f.Doc, s.typeOf(f.Type)})
	}
}

// behind returns what a named type is written as, any if that has no end.
func (t *typ) behind() *typ {
	for range maxDepth {
		if t.kind != alias {
			return t
		}
		t = t.elem
	}
	return &typ{kind: anyKind, name: t.name}
}

// Uses adds to used the names of the listed types that a type is made of, itself included.
func (s *Schema) Uses(of string, used map[string]bool) {
	rest := []*typ{s.typeOf(of)}
	for len(rest) > 0 {
		t := rest[len(rest)-1]
		rest = rest[:len(rest)-1]
		if t == nil || used[t.name] {
			continue
		}
		if s.listed[t.name] != nil {
			used[t.name] = true
		}
		rest = append(rest, t.key, t.elem)
		for _, f := range t.fields {
			rest = append(rest, f.typ)
		}
	}
}
