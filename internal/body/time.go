package body

import (
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// A time.Time goes as a MessagePack timestamp.

func encodeTime(e *encoder, v reflect.Value) error {
	e.b = mpack.AppendTime(e.b, v.Interface().(time.Time))
	return nil
}

func decodeTime(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Ext || int8(h.Num) != mpack.ExtTime {
		return mismatch(h, v)
	}
	t, err := mpack.ParseTime(d.payload(h))
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}
