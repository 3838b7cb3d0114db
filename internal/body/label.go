package body

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// A label stands before what was in an interface, and says which type that has: the value is that
// of a map of one pair, whose key is the label.

var errPlain = errors.New("type mismatch: the other side sends Go's types along, and this side takes plain MessagePack: give both the same Options.Dialect")

// label returns the label of the value that begins with h, nil if it has none, and goes on behind
// it.
func (d *decoder) label(h mpack.Head) ([]byte, error) {
	if h.Kind != mpack.Map || h.Elems != 2 {
		return nil, nil
	}
	key, err := mpack.ReadHead(d.b[h.Size:])
	switch {
	case err != nil || key.Kind != mpack.Ext || int8(key.Num) != gobwire.ExtType:
		return nil, nil
	case !d.goPeer:
		return nil, errPlain
	}
	d.b = d.b[h.Size+key.Size:]
	return d.payload(key), nil
}

// behindLabel reads the next value, which may have a label, into v, whose type is no interface: so
// the label is not needed but to say what does not fit. Package gob refuses all of these.
func (d *decoder) behindLabel(p *plan, v reflect.Value) error {
	h, err := mpack.ReadHead(d.b)
	if err != nil {
		return err
	}
	label, err := d.label(h)
	switch {
	case err != nil:
		return err
	case label == nil:
		return p.decode(d, v)
	}
	if t := behindPointers(p.typ); t.Kind() == reflect.Struct && t.NumField() == 0 && d.b[0] != nilByte && d.b[0] != 0x80 {
		return fmt.Errorf("type mismatch: %s in an interface into Go type %v, which has no fields", gobwire.NameOf(label), p.typ)
	}
	d.whole = len(d.b)
	if err := d.part(p, v); err != nil {
		return fmt.Errorf("type mismatch: %s in an interface into Go type %v: %w", gobwire.NameOf(label), p.typ, err)
	}
	return nil
}

// holdsAny reports whether t is an interface, or leads to one by pointers.
func holdsAny(t reflect.Type) bool { return behindPointers(t).Kind() == reflect.Interface }

// behindPointers returns what t leads to by pointers, but not by too many: a type like type T *T has no
// end.
func behindPointers(t reflect.Type) reflect.Type {
	for i := 0; t.Kind() == reflect.Pointer && i < 100; i++ {
		t = t.Elem()
	}
	return t
}
