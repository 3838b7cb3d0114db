package viaduct

import (
	"cmp"
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// A plan says how values of one type are written and read. There is one for
// each type, made when it is first met and kept.
//
// A plan writes what it knows to be MessagePack, reads what fits the type whole, and has an error for everything
// else: nothing wraps, nothing is dropped in silence.
type plan struct {
	typ    reflect.Type
	encode func(e *encoder, v reflect.Value) error
	decode func(d *decoder, v reflect.Value) error // v can be set
	notes  []string                                // what a user should know: see Explain
	err    error                                   // why nothing can carry the type; then encode and decode return it
	fields *structPlan                             // of a struct without a way of its own
}

var plans sync.Map // reflect.Type -> *plan

// planOf returns the plan of t.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	m := &planner{made: make(map[reflect.Type]*plan)}
	p := m.plan(t)
	m.spread()
	for t, p := range m.made {
		plans.LoadOrStore(t, p) // another goroutine may have been faster: both plans are good
	}
	return p
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
	p := &plan{typ: t}
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

// spread makes plans with parts that nothing can carry errors themselves.
func (m *planner) spread() {
	for changed := true; changed; {
		changed = false
		for _, x := range m.parts {
			if x.part.err != nil && x.whole.err == nil {
				x.whole.fail(x.path, x.part.err)
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

var (
	typeOfTime       = reflect.TypeFor[time.Time]()
	typeOfExt        = reflect.TypeFor[Ext]()
	typeOfCaller     = reflect.TypeFor[Caller]()
	typeOfPositional = reflect.TypeFor[Positional]()
	contextSetter    = reflect.TypeFor[contextTaker]()
	positionalMark   = reflect.TypeFor[positional]()
	gobEncoder       = reflect.TypeFor[gob.GobEncoder]()
	gobDecoder       = reflect.TypeFor[gob.GobDecoder]()
	binMarshaler     = reflect.TypeFor[encoding.BinaryMarshaler]()
	binDecoder       = reflect.TypeFor[encoding.BinaryUnmarshaler]()
	txtMarshaler     = reflect.TypeFor[encoding.TextMarshaler]()
	txtDecoder       = reflect.TypeFor[encoding.TextUnmarshaler]()
	msgMarshaler     = reflect.TypeFor[msgEncoder]()
	msgDecoder       = reflect.TypeFor[msgUnmarshaler]()
)

// has reports whether t, or a pointer to it, has the methods of an interface.
func has(t, iface reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(iface) || reflect.PointerTo(t).Implements(iface))
}

func (m *planner) fill(p *plan) {
	t := p.typ
	switch {
	case t.Kind() == reflect.Struct && t != typeOfPositional && has(t, positionalMark) && !isPositional(t):
		p.fail("", fmt.Errorf("type %v has viaduct.Positional in it, but not as a field embedded in itself, or writes itself: it would not be sent as the params array", t))
		return
	case t == typeOfTime:
		p.encode, p.decode = encodeTime, decodeTime
		p.notes = append(p.notes, "time.Time keeps the instant, and comes back in UTC")
		return
	case t == typeOfExt:
		p.encode, p.decode = encodeExt, decodeExt
		return
	case t.Kind() == reflect.Pointer:
		m.fillPointer(p)
		return
	case has(t, msgMarshaler) && has(t, msgDecoder):
		p.encode, p.decode = encodeMsg, decodeMsg
		p.notes = append(p.notes, fmt.Sprintf("%v writes and reads itself, with MarshalMsg and UnmarshalMsg", t))
		return
	case has(t, gobEncoder) && has(t, gobDecoder),
		has(t, binMarshaler) && has(t, binDecoder):
		fillMarshaler(p)
		return
	}
	m.fillKind(p)
	// gob does not heed MarshalText. It may leave something out, so it is only
	// for a type that would lose all there is in it otherwise.
	if p.err != nil && has(t, txtMarshaler) && has(t, txtDecoder) {
		p.err = nil
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
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		p.encode, p.decode = encodeUint, decodeUint
	case reflect.Float32, reflect.Float64:
		p.encode, p.decode = encodeFloat, decodeFloat
	case reflect.Complex64, reflect.Complex128:
		p.encode, p.decode = encodeLeaf, decodeComplex
	case reflect.String:
		p.encode, p.decode = encodeString, decodeString
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !selfMade(t.Elem()) {
			p.encode, p.decode = encodeByteSlice, decodeByteSlice
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
		p.notes = append(p.notes, fmt.Sprintf("%v holds any type: what is no basic type has to be registered with gob.Register, and crosses with its type between Go programs alone", t))
	default: // chan, func, uintptr, unsafe.Pointer
		p.fail("", fmt.Errorf("type %v cannot be sent", t))
	}
}

// selfMade reports whether t has a way of its own.
func selfMade(t reflect.Type) bool {
	for _, iface := range []reflect.Type{gobEncoder, binMarshaler, txtMarshaler, msgMarshaler} {
		if has(t, iface) {
			return true
		}
	}
	return false
}

// structPlan is what is particular to a struct.
type structPlan struct {
	fields []structField
	byName map[string]int
	omits  bool // one of them is left out when it is empty
	array  bool // it goes as an array: see Positional
}

type structField struct {
	index  int
	name   string
	key    []byte // the name, encoded
	omit   bool   // if it is empty
	caller bool   // it is the embedded Caller, which is left out without Metadata
	plan   *plan
}

func (m *planner) fillStruct(p *plan) {
	t := p.typ
	positional := t != typeOfPositional && has(t, positionalMark)
	s := &structPlan{byName: make(map[string]int), array: t == typeOfPositional}
	hidden := ""
	var left []string // fields that are not sent
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		if name == "-" && opts == "" {
			left = append(left, f.Name)
			continue
		}
		if f.Type == typeOfPositional && f.Anonymous {
			s.array = true
			continue
		}
		caller := f.Type == typeOfCaller && f.Anonymous
		if caller && positional {
			continue // is no parameter
		}
		if !f.IsExported() {
			if f.Name != "_" {
				hidden = cmp.Or(hidden, f.Name)
				left = append(left, f.Name)
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		if _, taken := s.byName[name]; taken {
			p.fail("", fmt.Errorf("type %v has two fields named %q", t, name))
			return
		}
		s.byName[name] = len(s.fields)
		omit := strings.Contains(","+opts+",", ",omitempty,")
		s.omits = s.omits || omit || caller
		s.fields = append(s.fields, structField{
			index: i, name: name, key: appendKey(name), omit: omit, caller: caller,
			plan: m.part(p, f.Type, f.Name),
		})
	}
	if len(s.fields) == 0 && hidden != "" && !has(t, contextSetter) {
		p.fail("", fmt.Errorf("type %v has no exported field: what is in it (%s, ...) would be lost", t, hidden))
		return
	}
	if left != nil && t != typeOfCaller {
		p.notes = append(p.notes, fmt.Sprintf("%v is sent without %s", t, strings.Join(left, ", ")))
	}
	p.fields = s
	p.encode, p.decode = s.encode, s.decode
}

const (
	maxStep = 100
	maxPath = 1000
)

// pathError is an error in a part of a value.
type pathError struct {
	path string // such as .Field or [3], from the whole to the part
	err  error
}

func (e *pathError) Error() string {
	return "field " + strings.TrimPrefix(e.path, ".") + ": " + e.err.Error()
}
func (e *pathError) Unwrap() error { return e.err }

// keyStep names a key of a map. Those with methods are not asked: to print a
// number can take any time.
func keyStep(k reflect.Value) string {
	if k.Kind() == reflect.Interface {
		k = k.Elem()
	}
	switch {
	case k.Kind() == reflect.String:
		return "[" + k.String() + "]"
	case k.CanInt():
		return fmt.Sprintf("[%d]", k.Int())
	case k.CanUint():
		return fmt.Sprintf("[%d]", k.Uint())
	default:
		return "[]"
	}
}

// atPath adds a step to the path of err: a field name, or an index in brackets.
func atPath(step string, err error) error {
	if step == "" {
		return err
	}
	if step[0] != '[' {
		step = "." + step
	}
	if len(step) > maxStep { // the key of a map, of any length
		step = step[:maxStep] + "...]"
	}
	if p, ok := err.(*pathError); ok {
		path := step + p.path
		if len(path) > maxPath { // a deep value must not make a long text, nor many of them
			path = path[:maxPath] + "..."
		}
		return &pathError{path, p.err}
	}
	return &pathError{step, err}
}
