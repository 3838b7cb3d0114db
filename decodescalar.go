package viaduct

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

func mismatch(h mpack.Head, v reflect.Value) error { return typeMismatch(h, v.Type()) }

func outOfRange(v reflect.Value, number any) error {
	return fmt.Errorf("type mismatch: %v is out of the range of %v", number, v.Type())
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

func decodeInt(d *decoder, v reflect.Value) error {
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
		f := floatOf(h)
		if n = int64(f); float64(n) != f || f >= 1<<63 {
			return outOfRange(v, f)
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

func decodeUint(d *decoder, v reflect.Value) error {
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
		f := floatOf(h)
		if f < 0 || f >= 1<<64 || float64(uint64(f)) != f {
			return outOfRange(v, f)
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

func floatOf(h mpack.Head) float64 {
	if h.Size == 5 {
		return float64(math.Float32frombits(uint32(h.Num)))
	}
	return math.Float64frombits(h.Num)
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
		f, whole = floatOf(h), false
	case mpack.Int:
		if f = float64(int64(h.Num)); f >= 1<<63 || int64(f) != int64(h.Num) {
			return outOfRange(v, int64(h.Num))
		}
	case mpack.Uint:
		if f = float64(h.Num); f >= 1<<64 || uint64(f) != h.Num {
			return outOfRange(v, h.Num)
		}
	default:
		return mismatch(h, v)
	}
	if v.OverflowFloat(f) || whole && v.Kind() == reflect.Float32 && float64(float32(f)) != f {
		return outOfRange(v, f)
	}
	v.SetFloat(f)
	return nil
}

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

// complexCode is the ext type that the msgpack library gives complex numbers.
const complexCode = -128

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

func decodeExt(d *decoder, v reflect.Value) error {
	h, err := d.head()
	switch {
	case err != nil:
		return err
	case h.Kind != mpack.Ext:
		return mismatch(h, v)
	}
	v.Set(reflect.ValueOf(Ext{Code: int8(h.Num), Data: d.payload(h)}))
	return nil
}
