package viaduct

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"fmt"
	"math/big"
	"reflect"
	"strconv"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Ext codes between Go programs, see PROTOCOL.md.
const (
	extGobEncoded = 103 // what GobEncode of the destination's type returned
	extBinary     = 98  // what MarshalBinary of the destination's type returned
	extGobType    = 71  // the type of a value in an interface, told by package encoding/gob
)

var (
	typeOfRat   = reflect.TypeFor[big.Rat]()
	typeOfFloat = reflect.TypeFor[big.Float]()
)

// numberIn returns big.Rat or big.Float if t is that or embeds it, and so has
// its methods.
func numberIn(t reflect.Type) reflect.Type {
	switch {
	case t == typeOfRat, t == typeOfFloat:
		return t
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Type.Kind() == reflect.Pointer {
				f.Type = f.Type.Elem()
			}
			if !f.Anonymous || f.Type == t {
				continue
			}
			if n := numberIn(f.Type); n != nil {
				return n
			}
		}
	}
	return nil
}

// maxExponent is the largest exponent of a big.Float that is read from text:
// ten bytes with a large one keep a processor busy for seconds when it is written again.
const maxExponent = 5_000

// checkExponent refuses short texts of numbers that would take much memory or
// time. A big.Rat's own text has no exponent; ten bytes with one take half a megabyte.
func checkExponent(t, number reflect.Type, text []byte) error {
	i := bytes.IndexAny(text, "eEpP")
	switch {
	case i < 0:
		return nil
	case number == typeOfRat:
		return fmt.Errorf("type mismatch: text with an exponent into Go type %v", t)
	case number == typeOfFloat:
		n, err := strconv.Atoi(string(text[i+1:]))
		if err != nil || n > maxExponent || n < -maxExponent {
			return fmt.Errorf("type mismatch: text with an exponent over %d into Go type %v", maxExponent, t)
		}
	}
	return nil
}

// fillMarshaler makes the plan of a type that writes and reads itself in one of
// the ways that package gob heeds: what is in it would be lost otherwise.
//
// Between Go programs the methods that gob would use are used. Any other peer
// gets the text, or if there is none, the bytes.
func fillMarshaler(p *plan) {
	t := p.typ
	byGob := has(t, gobEncoder) && has(t, gobDecoder)
	byBin := has(t, binMarshaler) && has(t, binDecoder)
	byTxt := has(t, txtMarshaler) && has(t, txtDecoder)
	number := numberIn(t)
	p.encode = func(e *encoder, v reflect.Value) error {
		switch {
		case e.goPeer && byGob:
			b, err := addressed(v, gobEncoder).(gob.GobEncoder).GobEncode()
			e.b = mpack.AppendExt(e.b, extGobEncoded, b)
			return err
		case e.goPeer && byBin:
			b, err := addressed(v, binMarshaler).(encoding.BinaryMarshaler).MarshalBinary()
			e.b = mpack.AppendExt(e.b, extBinary, b)
			return err
		case byTxt:
			b, err := addressed(v, txtMarshaler).(encoding.TextMarshaler).MarshalText()
			e.b = mpack.AppendString(e.b, string(b))
			return err
		case byBin:
			b, err := addressed(v, binMarshaler).(encoding.BinaryMarshaler).MarshalBinary()
			e.b = mpack.AppendBin(e.b, b)
			return err
		}
		return fmt.Errorf("type %v can be sent to a Go program only: it has GobEncode, and neither MarshalText nor MarshalBinary", t)
	}
	p.decode = func(d *decoder, v reflect.Value) error {
		if d.skipNil() {
			v.SetZero()
			return nil
		}
		h, err := d.head()
		if err != nil {
			return err
		}
		code := int8(h.Num)
		ptr := v.Addr().Interface()
		switch {
		case h.Kind == mpack.Ext && code == extGobEncoded && byGob:
			return ptr.(gob.GobDecoder).GobDecode(d.payload(h))
		case h.Kind == mpack.Ext && code == extBinary && byBin, h.Kind == mpack.Bin && byBin:
			return ptr.(encoding.BinaryUnmarshaler).UnmarshalBinary(d.payload(h))
		case h.Kind == mpack.Str && byTxt:
			text := d.payload(h)
			if err := checkExponent(t, number, text); err != nil {
				return err
			}
			// A number's text is read in steps, each with garbage of its own.
			if err := d.spend(uintptr(len(text)) * 20); err != nil {
				return err
			}
			return ptr.(encoding.TextUnmarshaler).UnmarshalText(text)
		}
		return mismatch(h, v)
	}
	how := "MarshalText"
	switch {
	case byGob:
		how = "GobEncode"
	case byBin:
		how = "MarshalBinary"
	}
	p.notes = append(p.notes, fmt.Sprintf("%v writes itself, between Go programs with %s", t, how))
	if t.Kind() == reflect.Struct && t.NumField() > 1 {
		for i := range t.NumField() {
			if f := t.Field(i); f.Anonymous && (has(f.Type, gobEncoder) || has(f.Type, binMarshaler)) {
				p.notes = append(p.notes, fmt.Sprintf("%v writes itself by the method of its field %s: if it has none of its own, the other fields are not sent", t, f.Name))
			}
		}
	}
}
