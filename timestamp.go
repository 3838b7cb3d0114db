package viaduct

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// encodeTime writes a MessagePack timestamp.
func encodeTime(e *encoder, v reflect.Value) error {
	e.b = appendTime(e.b, v.Interface().(time.Time))
	return nil
}

func appendTime(b []byte, t time.Time) []byte {
	secs, nano := t.Unix(), t.Nanosecond()
	switch {
	case uint64(secs)>>34 != 0:
		b = binary.BigEndian.AppendUint32(append(b, 0xc7, 12, 0xff), uint32(nano))
		return binary.BigEndian.AppendUint64(b, uint64(secs))
	case nano != 0 || secs > math.MaxUint32:
		return binary.BigEndian.AppendUint64(append(b, 0xd7, 0xff), uint64(nano)<<34|uint64(secs))
	}
	return binary.BigEndian.AppendUint32(append(b, 0xd6, 0xff), uint32(secs))
}

// decodeTime reads a MessagePack timestamp.
func decodeTime(d *decoder, v reflect.Value) error {
	h, err := d.head()
	if err != nil {
		return err
	}
	if h.Kind != mpack.Ext || int8(h.Num) != -1 {
		return mismatch(h, v)
	}
	t, err := parseTime(d.payload(h))
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func parseTime(p []byte) (time.Time, error) {
	var secs int64
	var nano uint32
	switch len(p) {
	case 4:
		secs = int64(binary.BigEndian.Uint32(p))
	case 8:
		n := binary.BigEndian.Uint64(p)
		nano, secs = uint32(n>>34), int64(n&(1<<34-1))
	case 12:
		nano, secs = binary.BigEndian.Uint32(p), int64(binary.BigEndian.Uint64(p[4:]))
	default:
		return time.Time{}, fmt.Errorf("timestamp of %d bytes, expected 4, 8 or 12", len(p))
	}
	if nano > 999999999 {
		return time.Time{}, fmt.Errorf("timestamp with %d nanoseconds", nano)
	}
	return time.Unix(secs, int64(nano)).UTC(), nil
}
