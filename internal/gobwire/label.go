package gobwire

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Package gob alone knows which types a program has registered with gob.Register, and it tells by
// decoding only. So the type of a value in an interface crosses as a label: what gob writes for a
// zero value of that type in an interface. The receiver has gob decode it once for each type.
//
// Package gob trusts its input: a few bytes can make it take any amount of memory. So a label is
// decoded only if it is of the form that nameInLabel in gobscan.go knows, with zeros for a value.

// ExtType is the ext type of a label.
const ExtType = 71

// MaxLabel bounds a label: the names and types of all fields, and those in them.
const MaxLabel = 64 << 10

var (
	labels sync.Map // reflect.Type -> []byte, for values sent

	typesMu sync.RWMutex                    // guards types
	types   = make(map[string]reflect.Type) // registered name -> type, for values received
)

// LabelOf returns the label of v's type. v is not nil.
func LabelOf(v reflect.Value) ([]byte, error) {
	t := v.Type()
	depth := 0
	for p := v; p.Kind() == reflect.Pointer; p = p.Elem() {
		if p.IsNil() {
			return nil, fmt.Errorf("nil pointer of type %v in an interface: its type cannot be told", t)
		}
		if depth++; depth > MaxDepth {
			return nil, ErrCyclic // a pointer to itself
		}
	}
	known, tried := labels.Load(t)
	if label, _ := known.([]byte); label != nil {
		return label, nil
	}
	opaque := writesItself(t)
	if !tried {
		label, err := writeLabel(ZeroOf(t))
		if err == nil && opaque {
			_, err = TypeOf(label)
		}
		switch {
		case err == nil:
			labels.Store(t, label)
			return label, nil
		case !opaque:
			return nil, notWritten(t, err)
		}
		labels.Store(t, []byte(nil)) // its zero is nothing that it can write and read
	}
	label, err := writeLabel(v)
	if err != nil {
		return nil, notWritten(t, err)
	}
	return label, nil
}

// notWritten is the error for what package gob does not write in an interface.
func notWritten(t reflect.Type, err error) error {
	if strings.Contains(err.Error(), "not registered") { // there is no other way to tell, and it is for people
		return fmt.Errorf("%v in an interface: %w: both sides have to call gob.Register", t, err)
	}
	return fmt.Errorf("%v in an interface: %w", t, err)
}

// ZeroOf returns a zero value of t, or, of pointers, a pointer to one. Arrays of
// pointers have pointers to zeros in them: package gob can write no nil there.
func ZeroOf(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	fillZero(v, t.Kind() == reflect.Pointer, maxZero)
	return v
}

// fillZero sets the pointers in v that must not be nil. depth bounds types that have no finite
// value.
func fillZero(v reflect.Value, must bool, depth int) {
	switch {
	case depth == 0:
	case v.Kind() == reflect.Pointer && must:
		v.Set(reflect.New(v.Type().Elem()))
		fillZero(v.Elem(), true, depth-1)
	case v.Kind() == reflect.Array && v.Len() <= MaxLabel:
		for i := range v.Len() {
			fillZero(v.Index(i), true, depth-1)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillZero(v.Field(i), false, depth-1)
			}
		}
	}
}

func writeLabel(v reflect.Value) (_ []byte, err error) {
	defer Recover(&err, "encoding") // its own methods may not be made for zeros
	var buf bytes.Buffer
	x := v.Interface()
	if err := gob.NewEncoder(&buf).Encode(&x); err != nil {
		return nil, err
	}
	if buf.Len() > MaxLabel {
		return nil, fmt.Errorf("the description of its type takes %d bytes, limit is %d", buf.Len(), MaxLabel)
	}
	if _, err := nameInLabel(buf.Bytes()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// NameOf returns the name of the type that label tells, for errors.
func NameOf(label []byte) string {
	if len(label) <= MaxLabel {
		if name, err := nameInLabel(label); err == nil {
			return fmt.Sprintf("%.200s", name)
		}
	}
	return "a value of unreadable type"
}

// TypeOf returns the type that is registered here for what the other side sent.
func TypeOf(label []byte) (reflect.Type, error) {
	if len(label) > MaxLabel {
		return nil, fmt.Errorf("description of a type takes %d bytes, limit is %d", len(label), MaxLabel)
	}
	name, err := nameInLabel(label)
	if err != nil {
		return nil, err
	}
	typesMu.RLock()
	t := types[string(name)]
	typesMu.RUnlock()
	if t != nil {
		return t, nil
	}
	var x any
	if err := gob.NewDecoder(bytes.NewReader(label)).Decode(&x); err != nil {
		return nil, fmt.Errorf("type mismatch: %w", err)
	}
	if x == nil {
		return nil, errors.New("type mismatch: description of no type")
	}
	t = reflect.TypeOf(x)
	typesMu.Lock()
	types[string(name)] = t // no more of them than types are registered
	typesMu.Unlock()
	return t, nil
}
