package body

import (
	"encoding/gob"
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// A time.Time goes as a MessagePack timestamp, to a Go program with its offset.

func encodeTime(e *encoder, v reflect.Value) error {
	t := v.Interface().(time.Time)
	if e.zones && t.Location() != time.UTC {
		e.b = mpack.AppendZonedTime(e.b, t)
	} else {
		e.b = mpack.AppendTime(e.b, t)
	}
	return nil
}

// decodeTime also takes what structs that embed a time.Time send, which write themselves by its
// methods.
func decodeTime(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	code := int8(h.Num)
	switch {
	case h.Kind == mpack.Str:
		return v.Addr().Interface().(*time.Time).UnmarshalText(d.payload(h))
	case h.Kind == mpack.Ext && code == extGobEncoded:
		return v.Addr().Interface().(*time.Time).GobDecode(d.payload(h))
	case h.Kind != mpack.Ext || code != mpack.ExtTime:
		return mismatch(h, v)
	}
	t, err := mpack.ParseTime(d.payload(h))
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// timeInto reads a time into a value that is read as package gob has it, which writes a time in the
// same way.
func timeInto(d *decoder, h mpack.Head, v gob.GobDecoder) error {
	t, err := mpack.ParseTime(d.payload(h))
	if err != nil {
		return err
	}
	b, err := t.GobEncode()
	if err != nil {
		return err
	}
	return v.GobDecode(b)
}
