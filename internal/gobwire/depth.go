package gobwire

import (
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
)

// MaxDepth bounds pointers, maps, slices and structs around a value that is written. It is deeper
// than a receiver's default lets values be, and not deep enough for a value that contains itself to
// overflow the stack, which nothing can recover from.
const MaxDepth = 10000

// ErrCyclic says that a value is deeper than that.
var ErrCyclic = fmt.Errorf("values nested deeper than %d: does the value contain itself?", MaxDepth)

var (
	gobEncoder   = reflect.TypeFor[gob.GobEncoder]()
	binMarshaler = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// Has reports whether t, or a pointer to it, has the methods of an interface.
func Has(t, iface reflect.Type) bool {
	return t.Kind() != reflect.Interface &&
		(t.Implements(iface) || reflect.PointerTo(t).Implements(iface))
}

// writesItself reports whether package gob leaves it to t's own methods to write it: its bytes are
// opaque then.
func writesItself(t reflect.Type) bool { return Has(t, gobEncoder) || Has(t, binMarshaler) }

// Recover is to be deferred: it turns a panic into *err. Methods of users' types may panic, and so
// does package reflect about a value that another goroutine changes meanwhile.
func Recover(err *error, doing string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic while %s: %v", doing, r)
	}
}

// cyclic returns an error if v is too deep, as a value that contains itself is: package gob would
// overflow the stack. around counts what is around v.
func cyclic(v reflect.Value, around int) error {
	if around++; around > MaxDepth {
		return ErrCyclic
	}
	if writesItself(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return cyclic(v.Elem(), around)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				if err := cyclic(v.Field(i), around); err != nil {
					return err
				}
			}
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k <= reflect.Complex128 || k == reflect.String {
			return nil
		}
		for i := range v.Len() {
			if err := cyclic(v.Index(i), around); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := cyclic(it.Key(), around); err != nil {
				return err
			}
			if err := cyclic(it.Value(), around); err != nil {
				return err
			}
		}
	}
	return nil
}
