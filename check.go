package viaduct

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Check reports whether values of v's type can cross whole, between Go
// programs; v may be nil only as a typed pointer. It returns nil, or an error that names the field which
// nothing can carry. What is in an interface is checked when it is sent. Use
// it in tests of your own:
//
//	if err := viaduct.Check(Args{}); err != nil {
//		t.Error(err)
//	}
func Check(v any) error {
	t := reflect.TypeOf(v)
	if t == nil {
		return fmt.Errorf("viaduct: Check of a nil interface: pass a value of the type")
	}
	if err := planOf(t).err; err != nil {
		return fmt.Errorf("viaduct: type %v: %w", t, err)
	}
	return nil
}

// Explain says how values of v's type cross: what is not plain MessagePack,
// what does not come back as it was, and what costs more than the rest. It returns "" for a type of
// which there is nothing to say.
func Explain(v any) string {
	t := reflect.TypeOf(v)
	if t == nil {
		return ""
	}
	var notes []string
	seen := make(map[reflect.Type]bool)
	var visit func(t reflect.Type)
	visit = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		p := planOf(t)
		if p.err != nil {
			notes = append(notes, p.err.Error())
			return
		}
		notes = append(notes, p.notes...)
		if t.Kind() == reflect.Struct && p.fields == nil {
			return // has a way of its own
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			visit(t.Elem())
		case reflect.Map:
			visit(t.Key())
			visit(t.Elem())
		case reflect.Struct:
			for _, f := range p.fields.fields {
				visit(f.plan.typ)
			}
		}
	}
	visit(t)
	slices.Sort(notes)
	return strings.Join(slices.Compact(notes), "\n")
}
