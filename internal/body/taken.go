package body

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/viaduct-go/viaduct/internal/gobwire"
)

// takenField is a field that a struct does not send as its own, and takes where its key comes: one
// of an embedded struct, by its own name, as package gob does; or a chan or func, for which
// anything but nil is an error.
type takenField struct {
	index []int
	name  string
	plan  *plan
	mark  uint64 // of the embedded struct's own place in structPlan.fields
}

// take makes the taken fields of s, the plan of t: never are its fields of types that cannot be
// sent.
func (m *planner) take(s *structPlan, t reflect.Type, never []reflect.StructField) {
	fields, marks := never, uint64(1)
	for _, f := range reflect.VisibleFields(t) {
		if len(f.Index) > 1 && f.IsExported() && !neverSent(f.Type) && !leftOutWithin(t, f.Index) {
			fields = append(fields, f)
		}
	}
	for _, f := range fields {
		name := keyOf(f)
		if _, direct := s.byName[name]; direct || name == "" {
			continue
		}
		s.byName[name] = len(s.fields) + len(s.taken)
		taken := takenField{index: f.Index, name: name, plan: m.plan(f.Type)}
		for i := range s.fields {
			if own := &s.fields[i]; own.index == f.Index[0] {
				if own.mark == 0 {
					own.mark, marks = marks, marks<<1
				}
				taken.mark = own.mark
			}
		}
		s.taken = append(s.taken, taken)
	}
}

// keyOf returns the key of f in a map, "" if it has none.
func keyOf(f reflect.StructField) string {
	name, opts, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
	switch {
	case name == "-" && opts == "":
		return ""
	case name == "":
		return f.Name
	}
	return name
}

// leftOutWithin reports whether one of the embedded fields on the way to index says that it is to
// be left out.
func leftOutWithin(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		if keyOf(t.FieldByIndex(index[:i])) == "" {
			return true
		}
	}
	return false
}

// decode reads the field of v, unless what it is in has come by its own key: that wins.
func (f *takenField) decode(d *decoder, v reflect.Value, seen uint64) error {
	if f.mark&seen != 0 {
		return d.skip()
	}
	for _, i := range f.index[:len(f.index)-1] {
		v = v.Field(i)
		if v.Kind() != reflect.Pointer {
			continue
		}
		if v.IsNil() {
			if !v.CanSet() {
				return atPath(f.name, fmt.Errorf("type mismatch: the field is in an embedded %v, which is nil, and not exported", v.Type()))
			}
			if err := d.spend(v.Type().Elem().Size()); err != nil {
				return atPath(f.name, err)
			}
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return atPathOf(f.name, d.part(f.plan, v.Field(f.index[len(f.index)-1])))
}

// atPathOf is atPath of an err that may be nil.
func atPathOf(step string, err error) error {
	if err == nil {
		return nil
	}
	return atPath(step, err)
}

// neverSent reports whether package gob treats a field of type t as one that is not exported: a
// chan or func, or a pointer to one. One that writes itself is sent.
func neverSent(t reflect.Type) bool {
	t = behindPointers(t)
	return (t.Kind() == reflect.Chan || t.Kind() == reflect.Func) && !hasWay(t)
}

// hasWay reports whether t writes and reads itself.
func hasWay(t reflect.Type) bool {
	return gobwire.Has(t, msgMarshaler) && gobwire.Has(t, msgDecoder) ||
		gobwire.Has(t, gobEncoder) && gobwire.Has(t, gobDecoder) ||
		gobwire.Has(t, binMarshaler) && gobwire.Has(t, binDecoder) || hasText(t)
}

func hasText(t reflect.Type) bool { return gobwire.Has(t, txtMarshaler) && gobwire.Has(t, txtDecoder) }

// exportedIn returns the names of the exported fields that a struct embedded as f has: whoever has
// the struct around sees them as its own.
func exportedIn(f reflect.StructField) (names []string) {
	if !f.Anonymous {
		return nil
	}
	return exportedOf(f.Type, make(map[reflect.Type]bool))
}

func exportedOf(t reflect.Type, seen map[reflect.Type]bool) (names []string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == special.Caller || t == special.Positional || seen[t] {
		return nil
	}
	seen[t] = true
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case keyOf(f) == "" || f.Type == special.Caller || f.Type == special.Positional:
		case f.IsExported() && !neverSent(f.Type):
			names = append(names, f.Name)
		case f.Anonymous:
			names = append(names, exportedOf(f.Type, seen)...)
		}
	}
	return names
}
