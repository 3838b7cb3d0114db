package body

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/viaduct-go/viaduct/internal/gobwire"
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
	return strings.Join(Notes(t), "\n")
}

// Notes are the lines of Explain, of a value of type t.
func Notes(t reflect.Type) []string {
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
	return slices.Compact(notes)
}

// Way is how values of a type are written for a peer that is no Go program.
type Way uint8

const (
	ByKind   Way = iota // as their kind says: of a pointer, slice, array or map, by their parts
	ByFields            // a map from names to values; of a Positional, an array of these
	AsTime              // a timestamp
	AsExt               // an ext value that the method chooses
	AsList              // an array that is the params itself, if it is an argument: Params
	AsText              // a str that the type makes and reads itself
	AsBytes             // a bin that the type makes and reads itself
	AsBin               // a bin: of a slice or array of bytes
	AsAny               // any value, that the type makes and reads itself
	ForGo               // not at all: only Go programs take them
	Never               // not at all
)

// Shape says how values of a type are written.
type Shape struct {
	Way        Way
	Positional bool    // ByFields: as an array
	Fields     []Field // ByFields; without an embedded Caller
}

// Field is one of a struct, as it is written.
type Field struct {
	Name string // its key
	reflect.StructField
}

// ShapeOf returns how values of t are written.
func ShapeOf(t reflect.Type) Shape {
	p := planOf(t)
	switch {
	case p.err != nil:
		return Shape{Way: Never}
	case t == typeOfTime:
		return Shape{Way: AsTime}
	case t == special.Ext:
		return Shape{Way: AsExt}
	case t.Kind() == reflect.Pointer:
		return Shape{}
	case p.self && gobwire.Has(t, txtMarshaler) && gobwire.Has(t, txtDecoder):
		return Shape{Way: AsText}
	case p.self && gobwire.Has(t, binMarshaler) && gobwire.Has(t, binDecoder):
		return Shape{Way: AsBytes}
	case p.self, t.Kind() == reflect.Interface && t.NumMethod() > 0:
		return Shape{Way: ForGo}
	case gobwire.Has(t, msgMarshaler) && gobwire.Has(t, msgDecoder):
		return Shape{Way: AsAny}
	case special.ParamsIn(reflect.New(t).Interface()) != nil:
		return Shape{Way: AsList}
	case (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t.Elem().Kind() == reflect.Uint8 && !selfMade(t.Elem()):
		return Shape{Way: AsBin}
	case p.fields == nil:
		return Shape{}
	}
	s := Shape{Way: ByFields, Positional: p.fields.array}
	for _, f := range p.fields.fields {
		if !f.caller {
			s.Fields = append(s.Fields, Field{f.name, t.Field(f.index)})
		}
	}
	return s
}
