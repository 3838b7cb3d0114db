package body

import (
	"context"
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/viaduct-go/viaduct/internal/gobwire"
)

// A plan says how values of one type are written and read. There is one for
// each type, made when it is first met and kept.
type plan struct {
	typ    reflect.Type
	encode func(e *encoder, v reflect.Value) error
	decode func(d *decoder, v reflect.Value) error // v can be set
	notes  []string                                // what a user should know: see Explain
	err    error                                   // why nothing can carry the type; then encode and decode return it
	lost   error                                   // what is left out, though whoever looks at the type would not think so: see Check
	fields *structPlan                             // of a struct without a way of its own

	// labelled says that decode takes labels itself: the type is an interface, or a pointer to one.
	labelled bool
	// byKind says that a nil slice or map is written as nil, as its kind is.
	byKind bool
	// self says that the type writes itself, in one of the ways of fillMarshaler.
	self bool
	// nilable says that decode takes a nil itself: the type has one.
	nilable bool
	// zeroFails reports that a zero does not come through the type's own methods; nil: it has none.
	// Package gob leaves out fields that are zero, and does not ask them.
	zeroFails func() bool
}

var plans sync.Map // reflect.Type -> *plan

// planOf returns the plan of t.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	m := &planner{made: make(map[reflect.Type]*plan)}
	p := m.plan(t)
	m.propagateErrors()
	for t, p := range m.made {
		plans.LoadOrStore(t, p) // another goroutine may have been faster: both plans are good
	}
	return p
}

// planCache has the plan that was asked for last: most links carry few types.
type planCache struct {
	typ  reflect.Type
	plan *plan
}

func (c *planCache) planOf(t reflect.Type) *plan {
	if c.typ != t {
		c.typ, c.plan = t, planOf(t)
	}
	return c.plan
}

// planner makes the plans of a type and all it is made of.
type planner struct {
	made  map[reflect.Type]*plan
	parts []part
}

// part says that one plan is part of another, so that what is wrong with it is
// wrong with the whole.
type part struct {
	whole, part *plan
	path        string
}

func (m *planner) plan(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	if p := m.made[t]; p != nil {
		return p
	}
	p := &plan{typ: t, labelled: holdsAny(t), nilable: hasNil(t)}
	m.made[t] = p // before its parts: a type may contain itself
	m.fill(p)
	return p
}

// part makes the plan of a part of p that stands at path.
func (m *planner) part(p *plan, t reflect.Type, path string) *plan {
	child := m.plan(t)
	m.parts = append(m.parts, part{p, child, path})
	return child
}

// propagateErrors makes plans with parts that nothing can carry errors themselves, or, if they have
// a text, that.
func (m *planner) propagateErrors() {
	byText := make(map[*plan]bool)
	for changed := true; changed; {
		changed = false
		for _, x := range m.parts {
			switch {
			case byText[x.whole] || x.whole.err != nil:
			case x.part.err != nil && x.whole.typ.Kind() != reflect.Pointer && hasText(x.whole.typ):
				x.whole.fields, x.whole.lost, x.whole.notes = nil, nil, nil
				fillMarshaler(x.whole)
				byText[x.whole], changed = true, true
			case x.part.err != nil:
				x.whole.fail(x.path, wayOut(x))
				changed = true
			case x.part.lost != nil && x.whole.lost == nil:
				x.whole.lose(x.path, x.part.lost)
				changed = true
			}
		}
	}
}

// fail makes p an error.
func (p *plan) fail(path string, err error) {
	p.err = atPath(path, err)
	p.encode = func(*encoder, reflect.Value) error { return p.err }
	p.decode = func(*decoder, reflect.Value) error { return p.err }
}

// wayOut is the error of a part, which for an element says what to do: it has no field to be left
// out as.
func wayOut(x part) error {
	if k := x.part.typ.Kind(); x.path != "" && x.path[0] == '[' && (k == reflect.Chan || k == reflect.Func) {
		return fmt.Errorf("%w: put it into a field of a struct, which is left out, or give its type MarshalText and UnmarshalText", x.part.err)
	}
	return x.part.err
}

// lose says that what is at path is left out.
func (p *plan) lose(path string, err error) {
	if p.lost == nil {
		p.lost = atPath(path, err)
	}
}

// hasNil reports whether the kind of t has a nil that its plan writes and reads.
func hasNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return true
	}
	return false
}

// Types are those of the root package that have ways of their own here. It hands them down when it
// is initialised, by SetTypes.
type Types struct {
	Ext        reflect.Type // an ext value, as it is
	Caller     reflect.Type // embedded, it is left out where its first field, a map, is empty
	Positional reflect.Type // embedded, it makes a struct the params array itself
	Mark       reflect.Type // the interface that Positional, and what embeds it, has

	ExtOf        func(ext any) (code int8, data []byte)
	NewExt       func(code int8, data []byte) any
	IsPositional func(args any) bool                  // args have Mark
	ParamsOf     func(args any) (list []any, ok bool) // ok: args are a Params or a pointer to one
	ParamsIn     func(args any) *[]any                // the list that a pointer to Params is, nil of all else
}

// special has none of them in a program without the root package.
var special = Types{
	IsPositional: func(any) bool { return false },
	ParamsOf:     func(any) ([]any, bool) { return nil, false },
	ParamsIn:     func(any) *[]any { return nil },
}

// SetTypes is called once, before anything else here.
func SetTypes(t Types) { special = t }

var (
	typeOfTime    = reflect.TypeFor[time.Time]()
	contextSetter = reflect.TypeFor[interface{ SetContext(context.Context) }]()
	gobEncoder    = reflect.TypeFor[gob.GobEncoder]()
	gobDecoder    = reflect.TypeFor[gob.GobDecoder]()
	binMarshaler  = reflect.TypeFor[encoding.BinaryMarshaler]()
	binDecoder    = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	txtMarshaler  = reflect.TypeFor[encoding.TextMarshaler]()
	txtDecoder    = reflect.TypeFor[encoding.TextUnmarshaler]()
	msgMarshaler  = reflect.TypeFor[msgEncoder]()
	msgDecoder    = reflect.TypeFor[msgUnmarshaler]()
)

func (m *planner) fill(p *plan) {
	t := p.typ
	switch {
	case t.Kind() == reflect.Struct && takesPositions(t) && !isPositional(t):
		p.fail("", fmt.Errorf("type %v has viaduct.Positional in it, but not as a field embedded in itself, or writes itself: it would not be sent as the params array", t))
		return
	case t == typeOfTime:
		p.encode, p.decode = encodeTime, decodeTime
		p.notes = append(p.notes, "time.Time keeps the instant, and between Go programs its offset; otherwise it comes back in UTC")
		return
	case t == special.Ext:
		p.encode, p.decode = encodeExt, decodeExt
		return
	case t.Kind() == reflect.Pointer:
		m.fillPointer(p)
		return
	case gobwire.Has(t, msgMarshaler) && gobwire.Has(t, msgDecoder):
		p.encode, p.decode, p.nilable = encodeMsg, decodeMsg, true
		p.notes = append(p.notes, fmt.Sprintf("%v writes and reads itself, with MarshalMsg and UnmarshalMsg", t))
		return
	case gobwire.Has(t, gobEncoder) && gobwire.Has(t, gobDecoder),
		gobwire.Has(t, binMarshaler) && gobwire.Has(t, binDecoder):
		fillMarshaler(p)
		return
	}
	m.fillKind(p)
	// gob does not heed MarshalText. It may leave something out, so it is only
	// for a type that would lose all there is in it otherwise.
	if p.err != nil && hasText(t) {
		p.err, p.lost, p.notes = nil, nil, nil
		fillMarshaler(p)
	}
}

func (m *planner) fillKind(p *plan) {
	t := p.typ
	switch t.Kind() {
	case reflect.Bool:
		p.encode, p.decode = encodeBool, decodeBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		p.encode, p.decode = encodeInt, decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		p.encode, p.decode = encodeUint, decodeUint
	case reflect.Float32, reflect.Float64:
		p.encode, p.decode = encodeFloat, decodeFloat
	case reflect.Complex64, reflect.Complex128:
		p.encode, p.decode = encodeComplex, decodeComplex
	case reflect.String:
		p.encode, p.decode = encodeString, decodeString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !selfMade(t.Elem()) {
			p.encode, p.decode, p.byKind = encodeByteSlice, decodeByteSlice, true
			return
		}
		m.fillSlice(p)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && !selfMade(t.Elem()) {
			p.encode, p.decode = encodeByteArray, decodeByteArray
			return
		}
		m.fillArray(p)
	case reflect.Map:
		m.fillMap(p)
	case reflect.Struct:
		m.fillStruct(p)
	case reflect.Interface:
		p.encode, p.decode = encodeInterface, decodeInterface
		p.notes = append(p.notes, fmt.Sprintf("%v holds any type: what is no basic type has to be registered with gob.Register, and crosses with its type between Go programs alone; pass a pointer to an interface variable to keep the type", t))
	default: // chan, func, unsafe.Pointer
		p.fail("", fmt.Errorf("type %v cannot be sent", t))
	}
}

// selfMade reports whether t has a way of its own.
func selfMade(t reflect.Type) bool {
	for _, iface := range []reflect.Type{gobEncoder, binMarshaler, txtMarshaler, msgMarshaler} {
		if gobwire.Has(t, iface) {
			return true
		}
	}
	return false
}
