package body

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// encodeInterface writes what is in an interface. The types that MessagePack
// gives back as they were go as MessagePack. For others the type has to cross, too:
// between Go programs a label says which it is, of the types
// registered with package gob (gob.Register). Any other peer gets the value without its type.
func encodeInterface(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.b = mpack.AppendNil(e.b)
		return nil
	}
	elem := v.Elem()
	if tellsItself(elem.Interface()) || !e.goPeer {
		return encodeConcrete(e, elem)
	}
	label, err := gobwire.LabelOf(elem)
	if err != nil {
		return err
	}
	e.b = appendLabel(e.b, label)
	return encodeConcrete(e, elem)
}

// tellsItself reports whether MessagePack gives x back as the type it has.
func tellsItself(x any) bool {
	switch x.(type) {
	case nil, bool, string, int, float64, []byte, time.Time, []any, map[string]any:
		return true
	}
	return reflect.TypeOf(x) == special.Ext
}

// appendLabel appends what stands before a labelled value.
func appendLabel(b, label []byte) []byte {
	return mpack.AppendExt(mpack.AppendMap(b, 1), gobwire.ExtType, label)
}

// appendLabel appends a label for x, if it needs one, its type has one, and the other side is Go.
func (c *Codec) appendLabel(b []byte, x any) []byte {
	if !c.goPeer() || tellsItself(x) {
		return b
	}
	label, err := gobwire.LabelOf(reflect.ValueOf(x))
	if err != nil {
		return b
	}
	return appendLabel(b, label)
}

func encodeConcrete(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	depth := e.depth
	v, err := e.target(v)
	if err == nil {
		err = planOf(v.Type()).encode(e, v)
	}
	e.depth = depth - 1
	return err
}

func decodeInterface(d *decoder, v reflect.Value) error {
	h, err := mpack.ReadHead(d.b)
	if err != nil {
		return err
	}
	if h.Kind == mpack.Nil {
		v.SetZero()
		d.b = d.b[1:]
		return nil
	}
	label, err := d.label(h)
	switch {
	case err != nil:
		return err
	case label != nil:
		x, err := d.labelled(label)
		switch {
		case err != nil:
			return err
		case !x.Type().AssignableTo(v.Type()):
			return fmt.Errorf("type mismatch: %v into Go type %v", x.Type(), v.Type())
		}
		v.Set(x)
		return nil
	}
	if v.NumMethod() > 0 {
		err := fmt.Errorf("type mismatch: MessagePack %v does not say which type of %v it is", h.Kind, v.Type())
		if d.goPeer {
			return fmt.Errorf("%w: pass a pointer to a variable of the interface's type", err)
		}
		return fmt.Errorf("%w (see Options.Dialect)", err)
	}
	x, err := d.any()
	if err == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return err
}

// labelled reads a value of the type that label tells.
func (d *decoder) labelled(label []byte) (reflect.Value, error) {
	t, err := gobwire.TypeOf(label)
	if err != nil {
		return reflect.Value{}, err
	}
	if err := d.spend(2 * t.Size()); err != nil { // reflect copies what goes into an interface
		return reflect.Value{}, err
	}
	d.whole = len(d.b)
	x := reflect.New(t).Elem()
	if t.Kind() == reflect.Pointer && d.skipNil() { // as with gob, never a nil pointer in an interface
		return gobwire.ZeroOf(t), d.spend(t.Elem().Size())
	}
	return x, planOf(t).decode(d, x)
}

const (
	anySize   = 16 + 24 // an interface and a box with a string or slice in it
	entrySize = 2*(16+anySize) + 16
)

// any reads a value into the type that fits it: nil, bool, int (int64 or
// uint64 if it is too large), float64, string, []byte, []any, map[string]any
// (map[any]any if a key is no string), time.Time, Ext.
func (d *decoder) any() (any, error) {
	h, err := mpack.ReadHead(d.b)
	if err != nil {
		return nil, err
	}
	label, err := d.label(h)
	switch {
	case err != nil:
		return nil, err
	case label != nil:
		x, err := d.labelled(label)
		if err != nil {
			return nil, err
		}
		return x.Interface(), nil
	}
	d.b = d.b[h.Size:]
	if err := d.spend(anySize); err != nil {
		return nil, err
	}
	switch h.Kind {
	case mpack.Nil:
		return nil, nil
	case mpack.Bool:
		return h.Num == 1, nil
	case mpack.Int, mpack.Uint:
		return anyInt(h), nil
	case mpack.Float:
		return h.Float(), nil
	case mpack.Str:
		return string(d.payload(h)), nil
	case mpack.Bin:
		return d.payload(h), nil
	case mpack.Ext:
		return d.anyExt(h)
	case mpack.Array:
		return d.anyArray(h)
	default:
		return d.anyMap(h)
	}
}

func anyInt(h mpack.Head) any {
	n := int64(h.Num)
	switch {
	case h.Kind == mpack.Uint && n < 0:
		return h.Num
	case n < math.MinInt || n > math.MaxInt:
		return n
	}
	return int(n)
}

func (d *decoder) anyExt(h mpack.Head) (any, error) {
	code, p := int8(h.Num), d.payload(h)
	if code == mpack.ExtTime {
		return mpack.ParseTime(p)
	}
	return special.NewExt(code, p), nil
}

func (d *decoder) anyArray(h mpack.Head) (any, error) {
	if err := d.spend(uintptr(min(h.Elems, uint64(d.budget))) * 16); err != nil {
		return nil, err
	}
	list := make([]any, h.Elems)
	for i := range list {
		x, err := d.any()
		if err != nil {
			return nil, err
		}
		list[i] = x
	}
	return list, nil
}

func (d *decoder) anyMap(h mpack.Head) (any, error) {
	names := make(map[string]any)
	var others map[any]any // once a key is no string
	for range h.Elems / 2 {
		if err := d.spend(entrySize); err != nil {
			return nil, err
		}
		key, err := d.any()
		if err != nil {
			return nil, err
		}
		value, err := d.any()
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if !ok && others == nil {
			others = make(map[any]any, len(names)+1)
			for k, x := range names {
				others[k] = x
			}
		}
		switch {
		case others == nil:
			names[name] = value
		case key != nil && !reflect.TypeOf(key).Comparable():
			return nil, fmt.Errorf("type mismatch: %T cannot be a key of a map", key)
		default:
			others[key] = value
		}
	}
	if n := max(len(names), len(others)); uint64(n) != h.Elems/2 {
		return nil, errors.New("type mismatch: of the keys of a map, some are equal in Go")
	}
	if others != nil {
		return others, nil
	}
	return names, nil
}
