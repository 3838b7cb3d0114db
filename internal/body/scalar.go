package body

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/shamaton/msgpack/v2"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Values without parts: booleans, numbers, text, bytes and ext values. A number fits a type if its
// value does, whatever format it comes in.

func outOfRange(v reflect.Value, number any) error {
	return fmt.Errorf("type mismatch: %v is out of the range of %v", number, v.Type())
}

// inexact is the error for a number that the type of v comes close to, and does not have.
func inexact(v reflect.Value, number any) error {
	return fmt.Errorf("type mismatch: %v is not exactly representable as %v", number, v.Type())
}

// wholeError says why f is no integer of v's type.
func wholeError(v reflect.Value, f float64) error {
	if f != math.Trunc(f) && math.Abs(f) < 1<<63 {
		return inexact(v, f)
	}
	return outOfRange(v, f)
}

// maxFixInt is the largest number that is written as itself, in one byte. Each integer type has it.
const maxFixInt = 0x7f

func encodeBool(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendBool(e.b, v.Bool())
	return nil
}

func decodeBool(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Bool:
		return mismatch(h, v)
	}
	v.SetBool(h.Num == 1)
	return nil
}

func encodeInt(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendInt(e.b, v.Int())
	return nil
}

func decodeInt(d *decoder, v reflect.Value) error {
	if c := d.b[0]; c <= maxFixInt {
		d.b = d.b[1:]
		v.SetInt(int64(c))
		return nil
	}
	h, err := d.head()
	if err != nil {
		return err
	}
	n := int64(h.Num)
	switch h.Kind {
	case mpack.Int:
	case mpack.Uint:
		if n < 0 {
			return outOfRange(v, h.Num)
		}
	case mpack.Float: // of languages that have no other numbers
		f := h.Float()
		if n = int64(f); float64(n) != f || f >= 1<<63 {
			return wholeError(v, f)
		}
	default:
		return mismatch(h, v)
	}
	if v.OverflowInt(n) {
		return outOfRange(v, n)
	}
	v.SetInt(n)
	return nil
}

func encodeUint(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendUint(e.b, v.Uint())
	return nil
}

func decodeUint(d *decoder, v reflect.Value) error {
	if c := d.b[0]; c <= maxFixInt {
		d.b = d.b[1:]
		v.SetUint(uint64(c))
		return nil
	}
	h, err := d.head()
	if err != nil {
		return err
	}
	n := h.Num
	switch h.Kind {
	case mpack.Uint:
	case mpack.Int:
		if int64(n) < 0 {
			return outOfRange(v, int64(n))
		}
	case mpack.Float:
		f := h.Float()
		if !(f >= 0 && f < 1<<64 && float64(uint64(f)) == f) {
			return wholeError(v, f)
		}
		n = uint64(f)
	default:
		return mismatch(h, v)
	}
	if v.OverflowUint(n) {
		return outOfRange(v, n)
	}
	v.SetUint(n)
	return nil
}

func encodeFloat(e *encoder, v reflect.Value) error {
	if v.Kind() == reflect.Float32 {
		e.b = binary.BigEndian.AppendUint32(append(e.b, 0xca), math.Float32bits(float32(v.Float())))
	} else {
		e.b = binary.BigEndian.AppendUint64(append(e.b, 0xcb), math.Float64bits(v.Float()))
	}
	return nil
}

func decodeFloat(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	var f float64
	whole := true
	switch h.Kind {
	case mpack.Float:
		f, whole = h.Float(), false
	case mpack.Int:
		if f = float64(int64(h.Num)); f >= 1<<63 || int64(f) != int64(h.Num) {
			return inexact(v, int64(h.Num))
		}
	case mpack.Uint:
		if f = float64(h.Num); f >= 1<<64 || uint64(f) != h.Num {
			return inexact(v, h.Num)
		}
	default:
		return mismatch(h, v)
	}
	switch {
	case v.OverflowFloat(f):
		return outOfRange(v, f)
	case whole && v.Kind() == reflect.Float32 && float64(float32(f)) != f:
		return inexact(v, int64(f))
	}
	v.SetFloat(f)
	return nil
}

// encodeComplex leaves v to the msgpack library.
func encodeComplex(e *encoder, v reflect.Value) error {
	b, err := msgpack.MarshalAsMap(v.Interface())
	e.b = append(e.b, b...)
	return err
}

// complexCode is the ext type that the msgpack library gives complex numbers.
const complexCode = -128

func decodeComplex(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Ext || int8(h.Num) != complexCode {
		return mismatch(h, v)
	}
	var c complex128
	switch p := d.payload(h); len(p) {
	case 8:
		c = complex(float64(math.Float32frombits(binary.BigEndian.Uint32(p))), float64(math.Float32frombits(binary.BigEndian.Uint32(p[4:]))))
	case 16:
		c = complex(math.Float64frombits(binary.BigEndian.Uint64(p)), math.Float64frombits(binary.BigEndian.Uint64(p[8:])))
	default:
		return mismatch(h, v)
	}
	if v.OverflowComplex(c) {
		return outOfRange(v, c)
	}
	v.SetComplex(c)
	return nil
}

func encodeString(e *encoder, v reflect.Value) error {
	s := v.String()
	if err := e.fits(len(s), mpack.SizeOfString(len(s))); err != nil {
		return err
	}
	e.b = mpack.AppendString(buffer.Grow(e.b, mpack.SizeOfString(len(s))), s)
	return nil
}

func decodeString(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Str && h.Kind != mpack.Bin:
		return mismatch(h, v)
	}
	v.SetString(string(d.payload(h)))
	return nil
}

func appendBytes(b, p []byte) ([]byte, error) {
	if p == nil {
		return mpack.AppendNil(b), nil
	}
	if err := errTooLong(len(p), "bytes"); err != nil {
		return b, err
	}
	return mpack.AppendBin(buffer.Grow(b, mpack.SizeOfBin(len(p))), p), nil
}

func encodeByteSlice(e *encoder, v reflect.Value) (err error) {
	if err := e.room(mpack.SizeOfBin(v.Len())); err != nil {
		return err
	}
	e.b, err = appendBytes(e.b, v.Bytes())
	return err
}

func decodeByteSlice(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	switch h.Kind {
	case mpack.Nil:
		v.SetZero()
	case mpack.Bin, mpack.Str:
		v.SetBytes(d.payload(h))
	default:
		return mismatch(h, v)
	}
	return nil
}

func encodeByteArray(e *encoder, v reflect.Value) (err error) {
	if err := e.room(mpack.SizeOfBin(v.Len())); err != nil {
		return err
	}
	if v.CanAddr() {
		e.b, err = appendBytes(e.b, v.Bytes())
		return err
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	e.b, err = appendBytes(e.b, p.Bytes())
	return err
}

func decodeByteArray(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Bin && h.Kind != mpack.Str:
		return mismatch(h, v)
	case int(h.Bytes) != v.Len():
		return fmt.Errorf("type mismatch: %d bytes into Go type %v", h.Bytes, v.Type())
	}
	copy(v.Bytes(), d.payload(h)) // the elements' type may be a named one
	return nil
}

func encodeExt(e *encoder, v reflect.Value) error {
	code, data := special.ExtOf(v.Interface())
	if err := e.fits(len(data), mpack.SizeOfBin(len(data))); err != nil {
		return err
	}
	e.b = mpack.AppendExt(e.b, code, data)
	return nil
}

func decodeExt(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Ext:
		return mismatch(h, v)
	}
	v.Set(reflect.ValueOf(special.NewExt(int8(h.Num), d.payload(h))))
	return nil
}
