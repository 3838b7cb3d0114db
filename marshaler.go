package viaduct

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"fmt"
	"math/big"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Ext codes between Go programs, see PROTOCOL.md.
const (
	extGobEncoded = 103 // what GobEncode of the destination's type returned
	extBinary     = 98  // what MarshalBinary of the destination's type returned
	extGobType    = 71  // the type of a value in an interface, told by package encoding/gob
)

var typeOfRat = reflect.TypeFor[big.Rat]()

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
			// Ten bytes with an exponent take half a megabyte; MarshalText writes none.
			if t == typeOfRat && bytes.ContainsAny(text, "eEpP") {
				return fmt.Errorf("type mismatch: text with an exponent into Go type %v", t)
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
}
