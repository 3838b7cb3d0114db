package body

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Check is viaduct.Check.
func Check(v any) error {
	t := reflect.TypeOf(v)
	if t == nil {
		return fmt.Errorf("viaduct: Check of a nil interface: pass a value of the type")
	}
	p := planOf(t)
	if err := cmp.Or(p.err, p.lost); err != nil {
		return fmt.Errorf("viaduct: type %v: %w", t, err)
	}
	return nil
}

// Explain is viaduct.Explain.
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
