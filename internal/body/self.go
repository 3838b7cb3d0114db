package body

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"sync"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Ext codes between Go programs, see PROTOCOL.md.
const (
	extGobEncoded = 103 // what GobEncode of the destination's type returned
	extBinary     = 98  // what MarshalBinary of the destination's type returned
)

var (
	typeOfInt   = reflect.TypeFor[big.Int]()
	typeOfRat   = reflect.TypeFor[big.Rat]()
	typeOfFloat = reflect.TypeFor[big.Float]()
)

// numberIn returns big.Int, big.Rat or big.Float if t is that or embeds it, and so has its methods.
func numberIn(t reflect.Type, depth int) reflect.Type {
	switch {
	case t == typeOfInt, t == typeOfRat, t == typeOfFloat:
		return t
	case depth > maxEmbedded: // types may embed pointers to each other
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Type.Kind() == reflect.Pointer {
				f.Type = f.Type.Elem()
			}
			if !f.Anonymous {
				continue
			}
			if n := numberIn(f.Type, depth+1); n != nil {
				return n
			}
		}
	}
	return nil
}

const maxEmbedded = 10

// Reading the text of a number takes time that grows with the square of its digits. So one number
// has at most maxDigits, which takes 10 ms, and all those of a body that have more than fewDigits
// have manyDigits together.
const (
	fewDigits  = 4 << 10
	maxDigits  = 64 << 10
	manyDigits = 1 << 20
)

// checkDigits refuses texts of numbers that would keep a processor busy.
func (d *decoder) checkDigits(t, number reflect.Type, text []byte) error {
	switch n := len(text); {
	case number == nil || n <= fewDigits:
		return nil
	case n > maxDigits:
		return fmt.Errorf("type mismatch: text of %d digits into Go type %v, limit is %d", n, t, maxDigits)
	default:
		if d.digits += n; d.digits > manyDigits {
			return fmt.Errorf("type mismatch: texts of %d digits into Go type %v, limit is %d in numbers of more than %d", d.digits, t, manyDigits, fewDigits)
		}
		return nil
	}
}

// maxExponent is the largest exponent of a big.Float that is read from text:
// ten bytes with a large one keep a processor busy for seconds when it is written again.
const maxExponent = 5_000

// To read a number with an exponent takes time that grows with it, 2 µs for the largest. Those that
// no float64 has are counted together, up to manyExponents, which take 30 ms.
const (
	fewExponent   = 400
	manyExponents = 64 << 20
)

// checkExponent refuses short texts of numbers that would take much memory or
// time. A big.Rat's own text has no exponent; ten bytes with one take half a megabyte.
func (d *decoder) checkExponent(t, number reflect.Type, text []byte) error {
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
		if n = max(n, -n); n > fewExponent {
			if d.exponents += n; d.exponents > manyExponents {
				return fmt.Errorf("type mismatch: texts with exponents of %d together into Go type %v, limit is %d in those over %d", d.exponents, t, manyExponents, fewExponent)
			}
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
	p.byKind, p.nilable, p.self = false, false, true
	byGob := gobwire.Has(t, gobEncoder) && gobwire.Has(t, gobDecoder)
	byBin := gobwire.Has(t, binMarshaler) && gobwire.Has(t, binDecoder)
	byTxt := gobwire.Has(t, txtMarshaler) && gobwire.Has(t, txtDecoder)
	number := numberIn(t, 0)
	if byGob || byBin {
		p.zeroFails = sync.OnceValue(func() bool {
			c, zero := &Codec{GoPeer: true}, reflect.New(t)
			b, err := c.Append(nil, zero.Interface())
			return err != nil || c.Decode(b, zero.Interface()) != nil || number == nil && !zero.Elem().IsZero()
		})
	}
	p.encode = func(e *encoder, v reflect.Value) error {
		switch {
		case e.goPeer && byGob:
			b, err := addressed(v, gobEncoder).(gob.GobEncoder).GobEncode()
			return e.ext(extGobEncoded, b, err)
		case e.goPeer && byBin:
			b, err := addressed(v, binMarshaler).(encoding.BinaryMarshaler).MarshalBinary()
			return e.ext(extBinary, b, err)
		case byTxt:
			b, err := addressed(v, txtMarshaler).(encoding.TextMarshaler).MarshalText()
			if err == nil {
				err = e.fits(len(b), mpack.SizeOfString(len(b)))
			}
			if err == nil {
				e.b = mpack.AppendString(e.b, string(b))
			}
			return err
		case byBin:
			b, err := addressed(v, binMarshaler).(encoding.BinaryMarshaler).MarshalBinary()
			if err == nil {
				err = e.fits(len(b), mpack.SizeOfString(len(b)))
			}
			if err == nil {
				e.b = mpack.AppendBin(e.b, b)
			}
			return err
		}
		return fmt.Errorf("type %v can be sent to a Go program only (see Options.Dialect): it has GobEncode, and neither MarshalText nor MarshalBinary", t)
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
		case h.Kind == mpack.Ext && code == mpack.ExtTime && byGob: // the type embeds a time.Time, most likely
			return timeInto(d, h, ptr.(gob.GobDecoder))
		case h.Kind == mpack.Ext && code == extBinary && byBin, h.Kind == mpack.Bin && byBin:
			return ptr.(encoding.BinaryUnmarshaler).UnmarshalBinary(d.payload(h))
		case h.Kind == mpack.Str && byTxt:
			text := d.payload(h)
			if err := d.checkDigits(t, number, text); err != nil {
				return err
			}
			if err := d.checkExponent(t, number, text); err != nil {
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
			if f := t.Field(i); f.Anonymous && (gobwire.Has(f.Type, gobEncoder) || gobwire.Has(f.Type, binMarshaler)) {
				p.notes = append(p.notes, fmt.Sprintf("%v writes itself by the method of its field %s: if it has none of its own, the other fields are not sent", t, f.Name))
			}
		}
	}
}

// ext writes what a method has returned.
func (e *encoder) ext(code int8, b []byte, err error) error {
	if err == nil {
		err = e.fits(len(b), mpack.SizeOfString(len(b)))
	}
	if err == nil {
		e.b = mpack.AppendExt(e.b, code, b)
	}
	return err
}

// msgEncoder and msgUnmarshaler are the methods of types that write and read
// themselves, the convention of code that tinylib/msgp generates.
type msgEncoder interface {
	MarshalMsg([]byte) ([]byte, error)
}

type msgUnmarshaler interface {
	UnmarshalMsg([]byte) ([]byte, error)
}

func encodeMsg(e *encoder, v reflect.Value) error {
	start := len(e.b)
	b, err := addressed(v, msgMarshaler).(msgEncoder).MarshalMsg(e.b)
	if err != nil {
		return err
	}
	if len(b) < start {
		return errors.New("MarshalMsg did not append to what it was given")
	}
	if err := mpack.Check(b[start:], gobwire.MaxDepth); err != nil {
		return fmt.Errorf("MarshalMsg has not written one whole value: %w", err)
	}
	e.b = b
	return e.room(0)
}

// addressed returns v, or a pointer to it or to a copy, whichever has the methods of iface.
func addressed(v reflect.Value, iface reflect.Type) any {
	if v.Type().Implements(iface) {
		return v.Interface()
	}
	if !v.CanAddr() {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		return p.Interface()
	}
	return v.Addr().Interface()
}

func decodeMsg(d *decoder, v reflect.Value) error {
	n, err := mpack.Skip(d.b, len(d.b))
	if err != nil {
		return err
	}
	rest, err := v.Addr().Interface().(msgUnmarshaler).UnmarshalMsg(d.b[:n:n])
	if err != nil && d.b[0] == nilByte && d.goPeer { // it has no nil of its own: see part
		rest, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("type mismatch: %v: %w", v.Type(), err)
	}
	if len(rest) > 0 {
		return fmt.Errorf("UnmarshalMsg of %v left %d bytes", v.Type(), len(rest))
	}
	d.b = d.b[n:]
	return nil
}
