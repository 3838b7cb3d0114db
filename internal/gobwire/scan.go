package gobwire

import (
	"errors"
	"math"
)

// scanner reads the bytes of package encoding/gob, whose format its
// documentation describes. It knows as much as labels of types need.
type scanner struct {
	b     []byte // what is left of a message
	rest  []byte // the messages behind it
	types map[int]wireType
	bad   bool // once it is set, b is empty and all that is read is 0
}

// wireType is the definition of a type.
type wireType struct {
	form   form
	elem   int   // of an array: the id of its elements' type
	size   int   // of an array
	fields []int // of a struct: the ids of their types
}

// form is a form of types, by its field number in gob's wireType.
type form int

const (
	arrayForm  form = 1
	sliceForm  form = 2
	structForm form = 3
	mapForm    form = 4
	bytesForm  form = 5 // GobEncoder; and BinaryMarshaler and TextMarshaler, 6 and 7
)

// The ids of types that need no definition go from 1, bool, to 8.
const (
	complexID   = 7
	interfaceID = 8
)

var errLabel = errors.New("type mismatch: description of a type is not as package gob writes it")

// nameInLabel checks that b is one interface value as gob writes it, with a
// zero in it, or the bytes of a type that writes itself. It returns the type's name.
// What it accepts takes no more memory to decode than there are bytes, times a constant.
func nameInLabel(b []byte) (name []byte, err error) {
	s := scanner{rest: b, types: make(map[int]wireType)}
	s.message()
	s.need(s.int() == interfaceID && s.uint() == 0)
	name = s.bytes()
	s.need(len(name) > 0)
	id := s.int()
	for id < 0 {
		s.types[-id] = s.definition()
		s.need(len(s.b) == 0)
		s.message()
		id = s.int()
	}
	s.need(s.uint() == uint64(len(s.b)) && len(s.rest) == 0)
	if s.types[id].form != structForm {
		s.need(s.uint() == 0)
	}
	s.zero(id, maxZero)
	s.need(len(s.b) == 0)
	if s.bad {
		return nil, errLabel
	}
	return name, nil
}

func (s *scanner) need(ok bool) bool {
	if !ok {
		s.bad, s.b, s.rest = true, nil, nil
	}
	return ok
}

// message goes to the next message.
func (s *scanner) message() {
	s.b = s.rest
	m := s.bytes()
	s.b, s.rest = m, s.b
}

func (s *scanner) uint() uint64 {
	if !s.need(len(s.b) > 0) {
		return 0
	}
	first := s.b[0]
	s.b = s.b[1:]
	if first < 0x80 {
		return uint64(first)
	}
	n := -int(int8(first))
	if !s.need(n <= 8 && n <= len(s.b)) {
		return 0
	}
	var x uint64
	for _, c := range s.b[:n] {
		x = x<<8 | uint64(c)
	}
	s.b = s.b[n:]
	return x
}

func (s *scanner) int() int {
	x := s.uint()
	if !s.need(x <= math.MaxInt32) {
		return 0
	}
	if x&1 != 0 {
		return ^int(x >> 1)
	}
	return int(x >> 1)
}

func (s *scanner) bytes() []byte {
	n := s.uint()
	if !s.need(n <= uint64(len(s.b))) {
		return nil
	}
	p := s.b[:n]
	s.b = s.b[n:]
	return p
}

// definition reads a wireType: a struct of which one field is set.
func (s *scanner) definition() wireType {
	w := wireType{form: form(s.uint())}
	s.need(w.form >= arrayForm && w.form <= bytesForm+2)
	s.fields(3, func(field int) {
		switch {
		case field == 1:
			s.nameAndID()
		case w.form == structForm && field == 2:
			n := s.uint()
			if s.need(n <= uint64(len(s.b))) {
				for range n {
					w.fields = append(w.fields, s.nameAndID())
				}
			}
		case w.form <= sliceForm && field == 2, w.form == mapForm:
			w.elem = s.int()
		case w.form == arrayForm:
			w.size = s.int()
		default:
			s.need(false)
		}
	})
	s.need(s.uint() == 0)
	return w
}

// nameAndID reads what a type and a field of a struct have in common.
func (s *scanner) nameAndID() (id int) {
	s.fields(2, func(field int) {
		if field == 1 {
			s.bytes()
		} else {
			id = s.int()
		}
	})
	return id
}

// fields calls f with the number of each field of a struct that is there, of n.
func (s *scanner) fields(n int, f func(field int)) {
	field := 0
	for delta := s.uint(); delta != 0; delta = s.uint() {
		if !s.need(delta <= uint64(n-field)) {
			return
		}
		field += int(delta)
		f(field)
	}
}

// maxZero is how deep arrays and structs in zeros may nest.
const maxZero = 30

// zero reads a zero of a type, or the bytes of one that writes itself. In a
// struct gob leaves out what is zero, but for arrays.
func (s *scanner) zero(id, depth int) {
	w, defined := s.types[id]
	switch {
	case !s.need(depth > 0):
	case !defined:
		s.need(id > 0 && id <= interfaceID && s.uint() == 0 && (id != complexID || s.uint() == 0))
	case w.form == arrayForm:
		if s.need(s.uint() == uint64(w.size) && w.size <= len(s.b)) {
			for i := 0; i < w.size && !s.bad; i++ {
				s.zero(w.elem, depth-1)
			}
		}
	case w.form == structForm:
		s.fields(len(w.fields), func(field int) { s.zero(w.fields[field-1], depth-1) })
	case w.form >= bytesForm:
		s.bytes()
	default:
		s.need(s.uint() == 0)
	}
}
