package body

import (
	"fmt"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Slices and arrays of anything but bytes go as MessagePack arrays.

func (m *planner) fillSlice(p *plan) {
	elem := m.part(p, p.typ.Elem(), "[]")
	p.byKind = true
	if fillNumbers(p, elem) {
		return
	}
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
	if err := e.beginList(n, 1); err != nil {
		return err
	}
	for i := range n {
		if err := e.room(n - i); err != nil { // each has a byte at least
			return err
		}
		if err := elem.encode(e, v.Index(i)); err != nil {
			return atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}

// beginList writes the head of an array of n elements, each of which takes so many bytes at least, and
// makes room for them.
func (e *encoder) beginList(n, least int) error {
	if err := errTooLong(n, "elements"); err != nil {
		return err
	}
	if err := e.room(n); err != nil {
		return err
	}
	e.b = buffer.Grow(e.b, min(5+n*least, e.limit-len(e.b)))
	e.b = mpack.AppendArray(e.b, n)
	return nil
}

func decodeSlice(d *decoder, v reflect.Value, elem *plan) error {
	if err := decodeSliceHead(d, v, elem); err != nil || v.IsNil() {
		return err
	}
	return decodeElems(d, v, elem)
}

// decodeSliceHead reads the head of an array, and makes v as long; or nil, if there is a nil.
func decodeSliceHead(d *decoder, v reflect.Value, elem *plan) error {
	h, isNil, err := d.headOrNil(v, mpack.Array)
	if isNil || err != nil {
		return err
	}
	n := int(h.Elems)
	if v.Cap() >= n {
		v.SetLen(n) // reused, but not what is in it
		v.Clear()
	} else {
		if err := d.spendEach(h.Elems, elem.typ.Size()); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	}
	if v.IsNil() {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	}
	return nil
}

func decodeArray(d *decoder, v reflect.Value, elem *plan) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Array:
		return mismatch(h, v)
	case h.Elems != uint64(v.Len()):
		return fmt.Errorf("type mismatch: array of %d elements into Go type %v", h.Elems, v.Type())
	}
	return decodeElems(d, v, elem)
}

func decodeElems(d *decoder, v reflect.Value, elem *plan) error {
	for i := range v.Len() {
		if err := d.value(elem, v.Index(i)); err != nil {
			return atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return nil
}
