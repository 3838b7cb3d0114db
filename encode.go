package viaduct

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sync"

	"github.com/shamaton/msgpack/v2"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// encoder writes one body.
type encoder struct {
	b      []byte
	goPeer bool // the other side is Go, and reads ext values with gob in them
	arrays bool // structs go as arrays
	depth  int  // of pointers, maps, slices and structs around the value
}

// maxEncodeDepth is deeper than a receiver's default lets values be, and not
// deep enough for a value that contains itself to overflow the stack.
const maxEncodeDepth = 10000

var errCyclic = fmt.Errorf("values nested deeper than %d: does the value contain itself?", maxEncodeDepth)

func (e *encoder) enter() error {
	if e.depth++; e.depth > maxEncodeDepth {
		return errCyclic
	}
	return nil
}

func (e *encoder) leave() { e.depth-- }

func encodeBool(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendBool(e.b, v.Bool())
	return nil
}

func encodeInt(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendInt(e.b, v.Int())
	return nil
}

func encodeUint(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendUint(e.b, v.Uint())
	return nil
}

func encodeFloat(e *encoder, v reflect.Value) error {
	if v.Kind() == reflect.Float32 {
		e.b = binary.BigEndian.AppendUint32(append(e.b, 0xca), math.Float32bits(float32(v.Float())))
	} else {
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(v.Float()))
	}
	return nil
}

func encodeString(e *encoder, v reflect.Value) error {
	s := v.String()
	if uint64(len(s)) > math.MaxUint32 {
		return fmt.Errorf("%d bytes are more than MessagePack can carry", len(s))
	}
	e.b = mpack.AppendString(e.b, s)
	return nil
}

func encodeByteSlice(e *encoder, v reflect.Value) (err error) {
	e.b, err = appendBytes(e.b, v.Bytes())
	return err
}

func encodeByteArray(e *encoder, v reflect.Value) (err error) {
	if v.CanAddr() {
		e.b, err = appendBytes(e.b, v.Bytes())
		return err
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	e.b, err = appendBytes(e.b, p.Bytes())
	return err
}

// encodeLeaf leaves v to the msgpack library.
func encodeLeaf(e *encoder, v reflect.Value) error {
	b, err := msgpack.MarshalAsMap(v.Interface())
	e.b = append(e.b, b...)
	return err
}

func encodeExt(e *encoder, v reflect.Value) error {
	x := v.Interface().(Ext)
	if uint64(len(x.Data)) > math.MaxUint32 {
		return fmt.Errorf("%d bytes are more than MessagePack can carry", len(x.Data))
	}
	e.b = mpack.AppendExt(e.b, x.Code, x.Data)
	return nil
}

func (s *structPlan) encode(e *encoder, v reflect.Value) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	left := len(s.fields)
	asArray := e.arrays || s.array
	if asArray {
		e.b = mpack.AppendArray(e.b, left)
	} else {
		left = s.count(v)
		e.b = mpack.AppendMap(e.b, left)
	}
	for i := range s.fields {
		f := &s.fields[i]
		field := v.Field(f.index)
		if !asArray {
			if f.leftOut(field) {
				continue
			}
			e.b = append(e.b, f.key...)
		}
		left--
		if err := f.plan.encode(e, field); err != nil {
			return atPath(f.name, err)
		}
	}
	if left != 0 { // what has been written is no value
		return errors.New("struct was changed while it was being sent")
	}
	return nil
}

// leftOut reports whether the field, v, is empty, and may be left out then.
func (f *structField) leftOut(v reflect.Value) bool {
	if f.caller { // its context does not count
		return v.Field(0).Len() == 0
	}
	return f.omit && v.IsZero()
}

func (s *structPlan) count(v reflect.Value) int {
	n := len(s.fields)
	if s.omits {
		for i := range s.fields {
			if f := &s.fields[i]; f.leftOut(v.Field(f.index)) {
				n--
			}
		}
	}
	return n
}

func appendKey(name string) []byte { return mpack.AppendString(nil, name) }

// orNil is encode for a type that has a nil.
func orNil(encode func(*encoder, reflect.Value) error) func(*encoder, reflect.Value) error {
	return func(e *encoder, v reflect.Value) error {
		if v.IsNil() {
			e.b = mpack.AppendNil(e.b)
			return nil
		}
		return encode(e, v)
	}
}

func (m *planner) fillPointer(p *plan) {
	elem := m.part(p, p.typ.Elem(), "")
	p.encode = orNil(func(e *encoder, v reflect.Value) error {
		if err := e.enter(); err != nil {
			return err
		}
		defer e.leave()
		return elem.encode(e, v.Elem())
	})
	p.decode = func(d *decoder, v reflect.Value) error {
		if d.skipNil() {
			v.SetZero()
			return nil
		}
		if err := d.enter(); err != nil {
			return err
		}
		defer d.leave()
		if v.IsNil() {
			if err := d.spend(elem.typ.Size()); err != nil {
				return err
			}
			v.Set(reflect.New(elem.typ))
		}
		return elem.decode(d, v.Elem())
	}
}

func (m *planner) fillSlice(p *plan) {
	elem := m.part(p, p.typ.Elem(), "[]")
	p.encode = orNil(func(e *encoder, v reflect.Value) error { return encodeElems(e, v, elem) })
	p.decode = func(d *decoder, v reflect.Value) error { return decodeSlice(d, v, elem) }
}

func (m *planner) fillArray(p *plan) {
	elem := m.part(p, p.typ.Elem(), "[]")
	p.encode = func(e *encoder, v reflect.Value) error { return encodeElems(e, v, elem) }
	p.decode = func(d *decoder, v reflect.Value) error { return decodeArray(d, v, elem) }
}

func encodeElems(e *encoder, v reflect.Value, elem *plan) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	n := v.Len()
	if uint64(n) > math.MaxUint32 {
		return fmt.Errorf("%d elements are more than MessagePack can carry", n)
	}
	e.b = mpack.AppendArray(e.b, n)
	for i := range n {
		if err := elem.encode(e, v.Index(i)); err != nil {
			return atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

func (m *planner) fillMap(p *plan) {
	key, elem := m.part(p, p.typ.Key(), "[key]"), m.part(p, p.typ.Elem(), "[]")
	p.encode = orNil(func(e *encoder, v reflect.Value) error {
		if err := e.enter(); err != nil {
			return err
		}
		defer e.leave()
		n, count := v.Len(), 0
		e.b = mpack.AppendMap(e.b, n)
		for it := v.MapRange(); it.Next(); count++ {
			if err := key.encode(e, it.Key()); err != nil {
				return atPath("[key]", err)
			}
			if err := elem.encode(e, it.Value()); err != nil {
				return atPath(keyStep(it.Key()), err)
			}
		}
		if count != n {
			return errors.New("map was changed while it was being sent")
		}
		return nil
	})
	p.decode = func(d *decoder, v reflect.Value) error { return decodeMap(d, v, key, elem) }
}

// msgEncoder and msgUnmarshaler are the methods of types that write and read
// themselves, the convention of code that tinylib/msgp generates.
type msgEncoder interface {
	MarshalMsg([]byte) ([]byte, error)
}

type msgUnmarshaler interface {
	UnmarshalMsg([]byte) ([]byte, error)
}

func encodeMsg(e *encoder, v reflect.Value) error {
	start := len(e.b)
	b, err := addressed(v, msgMarshaler).(msgEncoder).MarshalMsg(e.b)
	if err != nil {
		return err
	}
	if len(b) < start {
		return errors.New("MarshalMsg did not append to what it was given")
	}
	if err := mpack.Check(b[start:], maxEncodeDepth); err != nil {
		return fmt.Errorf("MarshalMsg has not written one whole value: %w", err)
	}
	e.b = b
	return nil
}

// addressed returns v, or a pointer to it or to a copy, whichever has the methods of iface.
func addressed(v reflect.Value, iface reflect.Type) any {
	if v.Type().Implements(iface) {
		return v.Interface()
	}
	if !v.CanAddr() {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		return p.Interface()
	}
	return v.Addr().Interface()
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// appendValue appends v, which is not nil, by the plan of its type.
func appendValue(b []byte, v any, o *Options) (out []byte, err error) {
	e := encoders.Get().(*encoder)
	*e = encoder{b: b, goPeer: o.goPeer(), arrays: o.arrays()}
	defer func() {
		*e = encoder{}
		encoders.Put(e)
	}()
	// A value that another goroutine changes meanwhile can make reflect panic.
	defer func() {
		if r := recover(); r != nil {
			out, err = b, fmt.Errorf("panic while encoding (is the value being changed meanwhile?): %v", r)
		}
	}()
	rv := reflect.ValueOf(v)
	if err := planOf(rv.Type()).encode(e, rv); err != nil {
		return b, err
	}
	return e.b, nil
}
