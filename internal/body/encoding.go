package body

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Encoding is viaduct.Encoding.
type Encoding interface {
	Name() string
	Append(b []byte, v any) ([]byte, error)
	Decode(data []byte, v any) error
}

// MessagePack is the default as an Encoding, for those who wrap it.
type MessagePack struct{}

func (MessagePack) Name() string { return "msgpack" }

func (MessagePack) Append(b []byte, v any) ([]byte, error) { return (*Codec)(nil).Append(b, v) }

func (MessagePack) Decode(data []byte, v any) error { return (*Codec)(nil).Decode(data, v) }

// JSON is encoding/json.
type JSON struct{}

func (JSON) Name() string { return "json" }

func (JSON) Append(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(b, text...), err
}

func (JSON) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// binHead is what the head of a bin takes whose length is filled in last.
const binHead = 1 + 4

// appendEncoded appends v as a bin with v in it, encoded by enc. A nil pointer goes as nil.
func appendEncoded(b []byte, v any, enc Encoding, limit int) (_ []byte, err error) {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
		return mpack.AppendNil(b), nil
	}
	defer gobwire.Recover(&err, "encoding")
	start := len(b)
	out, err := enc.Append(append(b, 0xc6, 0, 0, 0, 0), v)
	if err != nil {
		return b, err
	}
	n := len(out) - start - binHead
	if n < 0 || out[start] != 0xc6 || !bytes.Equal(out[:start], b[:start]) {
		return b, fmt.Errorf("encoding %s did not append to what it was given", enc.Name())
	}
	if len(out) > limit {
		return b, &fault.SizeError{Size: len(out), Limit: limit}
	}
	if uint64(n) > math.MaxUint32 {
		return b, fmt.Errorf("%d bytes are more than MessagePack can carry", n)
	}
	binary.BigEndian.PutUint32(out[start+1:], uint32(n))
	return out, nil
}

// decodeEncoded decodes b, one bin with a value in it, into what v points to. A nil leaves *v as it
// is.
func decodeEncoded(b []byte, v any, enc Encoding) (err error) {
	h, err := mpack.ReadHead(b)
	switch {
	case err != nil:
		return err
	case h.Kind == mpack.Nil && len(b) == 1:
		return nil
	case h.Kind != mpack.Bin:
		return fmt.Errorf("type mismatch: MessagePack %v, where a bin with %s in it was expected: has the other side the same Options.Encoding?", h.Kind, enc.Name())
	case uint64(len(b)-h.Size) != uint64(h.Bytes):
		return errors.New("argument is cut off, or bytes follow it")
	}
	if err := pointerTo(v); err != nil {
		return err
	}
	defer gobwire.Recover(&err, "decoding")
	return enc.Decode(b[h.Size:len(b):len(b)], v)
}
