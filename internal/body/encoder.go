package body

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// encoder writes one body.
type encoder struct {
	b      []byte
	goPeer bool // the other side is Go, and reads ext values with gob in them
	zones  bool // it reads times with their offsets
	arrays bool // structs go as arrays
	depth  int  // of pointers, maps, slices and structs around the value
	limit  int  // of len(b)
	plans  planCache
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > gobwire.MaxDepth {
		return gobwire.ErrCyclic
	}
	return e.room(0)
}

// room reports whether n bytes more may be written. It is asked before much is, and again and
// again: a value of little memory may be endless when it is written, and must cost no more than a
// message may.
func (e *encoder) room(n int) error {
	if n > e.limit-len(e.b) {
		return e.tooLarge(n)
	}
	return nil
}

func (e *encoder) tooLarge(n int) error {
	return &fault.SizeError{Size: len(e.b) + n, Limit: e.limit}
}

func (e *encoder) leave() { e.depth-- }

// fits is room for a value of n bytes, which takes size with its head.
func (e *encoder) fits(n, size int) error {
	if err := errTooLong(n, "bytes"); err != nil {
		return err
	}
	return e.room(size)
}

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

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// appendValue appends v, which is not nil, by the plan of its type.
func appendValue(b []byte, v any, c *Codec, limit int) (out []byte, err error) {
	e := encoders.Get().(*encoder)
	e.b, e.limit, e.goPeer, e.zones, e.arrays = b, limit, c.goPeer(), c.zones(), c.arrays()
	defer func() {
		// A value that another goroutine changes meanwhile can make reflect panic.
		if r := recover(); r != nil {
			out, err = b, fmt.Errorf("panic while encoding (is the value being changed meanwhile?): %v", r)
		}
		*e = encoder{plans: e.plans}
		encoders.Put(e)
	}()
	rv, err := e.target(reflect.ValueOf(v))
	if err != nil {
		return b, err
	}
	if err := e.plans.planOf(rv.Type()).encode(e, rv); err != nil {
		return b, err
	}
	if err := e.room(0); err != nil {
		return b, err
	}
	return e.b, nil
}
