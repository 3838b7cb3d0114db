package value

import (
	"fmt"
	"strings"

	"github.com/viaduct-go/viaduct/cmd/viaduct/internal/nearest"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// structure appends an object as a struct. Fields that are not there stay as the method has them,
// but for a struct that goes as an array: that needs all of them.
func (e *encoder) structure(x *tree, t *typ, path string, depth int) error {
	if t.positional && x.kind == isList {
		if len(x.kids) != len(t.fields) {
			return mismatch(path, "%d parameters were expected (%s), these are %d", len(t.fields), fieldNames(t), len(x.kids))
		}
		e.b = mpack.AppendArray(e.b, len(x.kids))
		for i, kid := range x.kids {
			if err := e.value(kid, t.fields[i].typ, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if x.kind != isObject {
		return wrong(x, path, "an object")
	}
	given := make(map[string]*tree)
	for i, key := range x.keys {
		given[key] = x.kids[i]
	}
	for _, f := range t.fields {
		delete(given, f.name)
	}
	for _, key := range x.keys {
		if given[key] != nil {
			return unknownField(t, key, path)
		}
	}
	for i, key := range x.keys {
		given[key] = x.kids[i]
	}
	if t.positional {
		e.b = mpack.AppendArray(e.b, len(t.fields))
	} else {
		e.b = mpack.AppendMap(e.b, len(given))
	}
	for _, f := range t.fields {
		v, there := given[f.name]
		at := strings.TrimPrefix(path+"."+f.name, ".")
		switch {
		case !there && t.positional:
			return mismatch(at, "it is missing: parameters are sent in their order, so all were expected (%s)", fieldNames(t))
		case !there:
			continue
		case !t.positional:
			e.b = mpack.AppendString(e.b, f.name)
		}
		if err := e.value(v, f.typ, at, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func unknownField(t *typ, key, path string) error {
	if len(t.fields) == 0 {
		return mismatch(path, "there is no field %q: %s has none, {} was expected", brief(key), t.name)
	}
	var names []string
	for _, f := range t.fields {
		names = append(names, f.name)
	}
	hint := ""
	if near := nearest.To(key, names); len(near) > 0 {
		hint = fmt.Sprintf(" (is it %s?)", strings.Join(near, ", "))
	}
	return mismatch(path, "there is no field %q in %s%s: it has %s", brief(key), t.name, hint, fieldNames(t))
}

// fieldNames lists the fields of t, the first of many.
func fieldNames(t *typ) string {
	var names []string
	for i, f := range t.fields {
		if i == 20 {
			names = append(names, "...")
			break
		}
		names = append(names, f.name+" "+f.typ.name)
	}
	return strings.Join(names, ", ")
}
