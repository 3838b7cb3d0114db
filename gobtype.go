package viaduct

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// Package gob alone knows which types a program has registered with
// gob.Register, and it tells by decoding only. So the type of a value in an interface
// crosses as a label: what gob writes for a zero value of that type in an
// interface. The receiver has gob decode it once for each type.
//
// Package gob trusts its input: a few bytes can make it take any amount of memory. So a
// label is decoded only if it is of the form that gobLabel in gobscan.go knows, with zeros for a value.

// maxGobLabel bounds a label: the names and types of all fields, and those in them.
const maxGobLabel = 64 << 10

var (
	gobLabels sync.Map // reflect.Type -> []byte, for values sent

	gobTypesMu sync.RWMutex                    // guards gobTypes
	gobTypes   = make(map[string]reflect.Type) // registered name -> type, for values received
)

// labelOf returns the label of v's type. v is not nil.
func labelOf(v reflect.Value) ([]byte, error) {
	t := v.Type()
	depth := 0
	for p := v; p.Kind() == reflect.Pointer; p = p.Elem() {
		if p.IsNil() {
			return nil, fmt.Errorf("nil pointer of type %v in an interface: its type cannot be told", t)
		}
		if depth++; depth > maxEncodeDepth {
			return nil, errCyclic // a pointer to itself
		}
	}
	known, tried := gobLabels.Load(t)
	if label, _ := known.([]byte); label != nil {
		return label, nil
	}
	writesItself := has(t, gobEncoder) || has(t, binMarshaler)
	if !tried {
		label, err := writeLabel(zeroOf(t))
		if err == nil && writesItself {
			_, err = typeOfLabel(label)
		}
		switch {
		case err == nil:
			gobLabels.Store(t, label)
			return label, nil
		case !writesItself:
			return nil, fmt.Errorf("%v in an interface: %w", t, err)
		}
		gobLabels.Store(t, []byte(nil)) // its zero is nothing that it can write and read
	}
	label, err := writeLabel(v)
	if err != nil {
		return nil, fmt.Errorf("%v in an interface: %w", t, err)
	}
	return label, nil
}

// zeroOf returns a zero value of t, or, of pointers, a pointer to one. Arrays of
// pointers have pointers to zeros in them: package gob can write no nil there.
func zeroOf(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	fillZero(v, t.Kind() == reflect.Pointer, maxGobZero)
	return v
}

// fillZero sets the pointers in v that must not be nil. depth bounds types that have no finite value.
func fillZero(v reflect.Value, must bool, depth int) {
	switch {
	case depth == 0:
	case v.Kind() == reflect.Pointer && must:
		v.Set(reflect.New(v.Type().Elem()))
		fillZero(v.Elem(), true, depth-1)
	case v.Kind() == reflect.Array && v.Len() <= maxGobLabel:
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
	defer recoverInto(&err, "encoding") // its own methods may not be made for zeros
	var buf bytes.Buffer
	x := v.Interface()
	if err := gob.NewEncoder(&buf).Encode(&x); err != nil {
		return nil, err
	}
	if buf.Len() > maxGobLabel {
		return nil, fmt.Errorf("the description of its type takes %d bytes, limit is %d", buf.Len(), maxGobLabel)
	}
	if _, err := gobLabel(buf.Bytes()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// typeOfLabel returns the type that is registered here for what the other side sent.
func typeOfLabel(label []byte) (reflect.Type, error) {
	if len(label) > maxGobLabel {
		return nil, fmt.Errorf("description of a type takes %d bytes, limit is %d", len(label), maxGobLabel)
	}
	name, err := gobLabel(label)
	if err != nil {
		return nil, err
	}
	gobTypesMu.RLock()
	t := gobTypes[string(name)]
	gobTypesMu.RUnlock()
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
	gobTypesMu.Lock()
	gobTypes[string(name)] = t // no more of them than types are registered
	gobTypesMu.Unlock()
	return t, nil
}
