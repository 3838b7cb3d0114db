package listing

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/viaduct-go/viaduct/internal/body"
)

// describer gives types their names, and lists those that have parts.
type describer struct {
	types []Type
	names map[reflect.Type]string // of those that are listed
	taken map[string]bool         // names that are given
	open  map[reflect.Type]bool   // named slices, arrays and maps that are being described
}

// kindNames are those of the kinds that have no parts.
var kindNames = map[reflect.Kind]string{
	reflect.Bool: "bool", reflect.String: "string",
	reflect.Int: "int", reflect.Int8: "int8", reflect.Int16: "int16", reflect.Int32: "int32", reflect.Int64: "int64",
	reflect.Uint: "uint", reflect.Uint8: "uint8", reflect.Uint16: "uint16", reflect.Uint32: "uint32", reflect.Uint64: "uint64",
	reflect.Uintptr: "uint64", reflect.Float32: "float32", reflect.Float64: "float64",
	reflect.Complex64: "complex64", reflect.Complex128: "complex128", reflect.Interface: "any",
}

// wayNames are those of types that are written in ways of their own: what other languages see.
var wayNames = map[body.Way]string{
	body.AsTime: "time", body.AsExt: "ext", body.AsList: "list", body.Never: "never",
	body.AsText: "text", body.AsBytes: "bytes", body.AsAny: "any", body.ForGo: "go",
}

// describe returns the name of t, having listed what it is made of.
func (d *describer) describe(t reflect.Type) string {
	if name, ok := d.names[t]; ok {
		return name
	}
	shape := body.ShapeOf(t)
	switch shape.Way {
	case body.ByFields:
		return d.list(t, shape)
	case body.AsText, body.AsBytes, body.AsAny, body.ForGo:
		if t.PkgPath() != "" { // of these the name says more
			return d.add(t, Type{Is: wayNames[shape.Way]})
		}
		return wayNames[shape.Way]
	case body.AsBin:
		if t.Kind() == reflect.Array {
			return fmt.Sprintf("[%d]byte", t.Len())
		}
		return "bytes"
	case body.ByKind:
		return d.byKind(t)
	}
	return wayNames[shape.Way]
}

// list lists a struct, before its parts: it may contain itself.
func (d *describer) list(t reflect.Type, shape body.Shape) string {
	if len(shape.Fields) == 0 && t.PkgPath() == "" {
		return "struct{}"
	}
	name := d.add(t, Type{Positional: shape.Positional})
	i := len(d.types) - 1
	var fields []Field
	for _, f := range shape.Fields {
		fields = append(fields, Field{Name: f.Name, Type: d.describe(f.Type), Doc: f.Tag.Get("doc")})
	}
	d.types[i].Fields = fields
	return name
}

// add lists x, which is t, under a name that no other type has.
func (d *describer) add(t reflect.Type, x Type) string {
	name := t.String()
	switch {
	case t.Name() == "":
		name = "struct#1"
		for i := 2; d.taken[name]; i++ {
			name = fmt.Sprintf("struct#%d", i)
		}
	case d.taken[name]: // of a package with the same name
		name = t.PkgPath() + "." + t.Name()
		for i := 2; d.taken[name]; i++ { // of a function
			name = fmt.Sprintf("%s.%s#%d", t.PkgPath(), t.Name(), i)
		}
	}
	d.taken[name], d.names[t] = true, name
	x.Name = name
	d.types = append(d.types, x)
	return name
}

// byKind describes what its kind, and its parts, say all of. Such a type gets a name if it contains
// itself: it would have no end otherwise.
func (d *describer) byKind(t reflect.Type) string {
	if name, ok := kindNames[t.Kind()]; ok {
		if t.PkgPath() == "time" && t.Name() == "Duration" {
			return "duration"
		}
		return name
	}
	if t.Name() == "" {
		return d.ofParts(t)
	}
	if d.open[t] {
		return d.add(t, Type{})
	}
	d.open[t] = true
	is := d.ofParts(t)
	delete(d.open, t)
	name, within := d.names[t]
	if !within {
		return is
	}
	for i := range d.types {
		if d.types[i].Name == name {
			d.types[i].Is = is
		}
	}
	return name
}

func (d *describer) ofParts(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + d.describe(t.Elem())
	case reflect.Map:
		return "map[" + d.describe(t.Key()) + "]" + d.describe(t.Elem())
	case reflect.Slice:
		return "[]" + d.describe(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), d.describe(t.Elem()))
	}
	return "never" // has no such kind
}

// behind returns what t points to in the end: pointers around an argument or reply do not show.
func behind(t reflect.Type) reflect.Type {
	for range maxPointers {
		if t.Kind() != reflect.Pointer {
			break
		}
		t = t.Elem()
	}
	return t
}

// maxPointers is more than anybody writes: a type may point to itself.
const maxPointers = 10

// notesOf is what there is to know of types, once.
func notesOf(types ...reflect.Type) (notes []string) {
	for _, t := range types {
		notes = append(notes, body.Notes(t)...)
	}
	slices.Sort(notes)
	return slices.Compact(notes)
}
