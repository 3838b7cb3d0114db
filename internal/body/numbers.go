package body

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Slices of the usual number types are written and read without reflection for each element: bytes are
// the same, and an element in another form than the usual one is read as any other.

// fillNumbers fills the plan of a slice of such numbers. It reports false if p is of others.
func fillNumbers(p *plan, elem *plan) bool {
	switch p.typ.Elem() {
	case reflect.TypeFor[float64]():
		numbers[float64]{elem, 9, appendFloat, readFloat}.fill(p)
	case reflect.TypeFor[int]():
		numbers[int]{elem, 1, appendInt, readInt}.fill(p)
	default:
		return false
	}
	return true
}

// numbers is a way to write and read a []T.
type numbers[T any] struct {
	elem  *plan
	least int                            // bytes that one takes
	write func(b []byte, x T) []byte     // as elem does
	read  func(b []byte) (x T, size int) // size is 0 if it is not in the usual form
}

func appendFloat(b []byte, x float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(x))
}

func readFloat(b []byte) (float64, int) {
	if len(b) < 9 || b[0] != 0xcb {
		return 0, 0
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b[1:])), 9
}

func appendInt(b []byte, x int) []byte { return mpack.AppendInt(b, int64(x)) }

func readInt(b []byte) (int, int) {
	if len(b) < 1 || b[0] > maxFixInt {
		return 0, 0
	}
	return int(b[0]), 1
}

func (ns numbers[T]) fill(p *plan) {
	p.encode = orNil(func(e *encoder, v reflect.Value) error { return ns.encode(e, listOf[T](v)) })
	p.decode = func(d *decoder, v reflect.Value) error {
		if err := decodeSliceHead(d, v, ns.elem); err != nil || v.IsNil() {
			return err
		}
		return ns.decode(d, listOf[T](v), v)
	}
}

// listOf is what v, which may be of a named type, has in it.
func listOf[T any](v reflect.Value) []T {
	return v.Convert(reflect.TypeFor[[]T]()).Interface().([]T)
}

func (ns numbers[T]) encode(e *encoder, list []T) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	if err := e.beginList(len(list), ns.least); err != nil {
		return err
	}
	for i, x := range list {
		if e.b = ns.write(e.b, x); len(e.b) > e.limit {
			return e.room(len(list) - i - 1)
		}
	}
	return nil
}

// decode reads the elements of list, which v is a view of.
func (ns numbers[T]) decode(d *decoder, list []T, v reflect.Value) error {
	for i := range list {
		x, size := ns.read(d.b)
		if size == 0 {
			if err := d.value(ns.elem, v.Index(i)); err != nil {
				return atPath(fmt.Sprintf("[%d]", i), err)
			}
			continue
		}
		list[i] = x
		d.b = d.b[size:]
	}
	return nil
}
