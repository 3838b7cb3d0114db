package viaduct

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// checkFields refuses a map none of whose keys is a field of the struct dst:
// gob does too, and a call with the wrong type of argument would otherwise run
// with an empty one. b is a checked value whose head is h.
func checkFields(h mpack.Head, b []byte, dst reflect.Type) error {
	for dst.Kind() == reflect.Pointer {
		dst = dst.Elem()
	}
	if dst.Kind() != reflect.Struct || h.Kind != mpack.Map || h.Elems == 0 {
		return nil
	}
	names := fieldNames(dst)
	if len(names) == 0 {
		return nil
	}
	var keys []string
	rest := b[h.Size:]
	for range h.Elems / 2 {
		key, after, err := mpack.ReadString(rest)
		if err != nil {
			return fmt.Errorf("type mismatch: key of a struct: %w", err)
		}
		if names[string(key)] {
			return nil
		}
		if len(keys) < 8 {
			keys = append(keys, fmt.Sprintf("%.40q", key))
		}
		n, err := mpack.Skip(after, len(after))
		if err != nil {
			return err
		}
		rest = after[n:]
	}
	return fmt.Errorf("type mismatch: no field of %v among the keys sent: %s", dst, strings.Join(keys, ", "))
}

var fieldNameSets sync.Map // reflect.Type -> map[string]bool

// fieldNames returns the keys that dst's fields have in a map.
func fieldNames(dst reflect.Type) map[string]bool {
	if names, ok := fieldNameSets.Load(dst); ok {
		return names.(map[string]bool)
	}
	names := make(map[string]bool)
	for _, f := range reflect.VisibleFields(dst) {
		name, _, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names[name] = true
	}
	fieldNameSets.Store(dst, names)
	return names
}
