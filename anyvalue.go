package viaduct

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// maxGobValue bounds what is given to package gob, which overflows the stack
// on a few megabytes of a type that contains itself.
const maxGobValue = 1 << 20

// encodeInterface writes what is in an interface. The types that MessagePack
// gives back as they were go as MessagePack. For others the type has to cross, too:
// between Go programs package gob sees to that, with types
// registered with it (gob.Register). Any other peer gets the value without its type.
func encodeInterface(e *encoder, v reflect.Value) error {
	if v.IsNil() {
		e.b = mpack.AppendNil(e.b)
		return nil
	}
	elem := v.Elem()
	switch elem.Interface().(type) {
	case bool, string, int, float64, []byte, time.Time, []any, map[string]any, Ext:
		return encodeConcrete(e, elem)
	}
	if !e.goPeer {
		return encodeConcrete(e, elem)
	}
	if err := ends(elem, e.depth); err != nil {
		return err
	}
	var buf bytes.Buffer
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	if err := gob.NewEncoder(&buf).EncodeValue(p); err != nil {
		return fmt.Errorf("%v in an interface: %w", elem.Type(), err)
	}
	if buf.Len() > maxGobValue {
		return fmt.Errorf("%v in an interface: %d bytes, limit is %d", elem.Type(), buf.Len(), maxGobValue)
	}
	e.b = mpack.AppendExt(e.b, extGobValue, buf.Bytes())
	return nil
}

// ends returns an error if v is too deep, as a value that contains itself is:
// package gob would overflow the stack, which nothing can recover from.
func ends(v reflect.Value, depth int) error {
	if depth++; depth > maxEncodeDepth {
		return errCyclic
	}
	if has(v.Type(), gobEncoder) || has(v.Type(), binMarshaler) {
		return nil // gob leaves it to these
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return ends(v.Elem(), depth)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				if err := ends(v.Field(i), depth); err != nil {
					return err
				}
			}
		}
	case reflect.Slice, reflect.Array:
		switch k := v.Type().Elem().Kind(); {
		case k <= reflect.Complex128 || k == reflect.String:
			return nil
		}
		for i := range v.Len() {
			if err := ends(v.Index(i), depth); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := ends(it.Key(), depth); err != nil {
				return err
			}
			if err := ends(it.Value(), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func encodeConcrete(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return planOf(v.Type()).encode(e, v)
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
	if h.Kind == mpack.Ext && int8(h.Num) == extGobValue && d.goPeer {
		d.b = d.b[h.Size:]
		return decodeGobValue(d.payload(h), v)
	}
	if v.NumMethod() > 0 {
		return fmt.Errorf("type mismatch: MessagePack %v does not say which type of %v it is", h.Kind, v.Type())
	}
	x, err := d.any()
	if err == nil && x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return err
}

func decodeGobValue(b []byte, v reflect.Value) error {
	if len(b) > maxGobValue {
		return fmt.Errorf("gob value of %d bytes, limit is %d", len(b), maxGobValue)
	}
	r := bytes.NewReader(b)
	if err := gob.NewDecoder(r).DecodeValue(v.Addr()); err != nil {
		return fmt.Errorf("type mismatch: %w", err)
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes left behind a gob value", r.Len())
	}
	return nil
}

const (
	anySize   = 16 + 24 // an interface and a box with a string or slice in it
	entrySize = 2*(16+anySize) + 16
)

// any reads a value into the type that fits it: nil, bool, int (int64 or
// uint64 if it is too large), float64, string, []byte, []any, map[string]any
// (map[any]any if a key is no string), time.Time, Ext.
func (d *decoder) any() (any, error) {
	h, err := d.head()
	if err != nil {
		return nil, err
	}
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
		return floatOf(h), nil
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
	if code == -1 {
		return parseTime(p)
	}
	if code == extGobValue && d.goPeer {
		var x any
		err := decodeGobValue(p, reflect.ValueOf(&x).Elem())
		return x, err
	}
	return Ext{Code: code, Data: p}, nil
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
	if others != nil {
		return others, nil
	}
	return names, nil
}
