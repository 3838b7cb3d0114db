package viaduct

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// An Encoding turns arguments and replies into bytes and back. Its methods are
// called from several goroutines at once.
//
// What the rest of this package says about values, such as what becomes of a type or how
// much memory a message may take, is about MessagePack. With another Encoding that is its own business.
type Encoding interface {
	// Name names it. The two sides of a Peer tell each other theirs, and refuse
	// to connect if they differ. It has at most 64 bytes; if it has none, the name of its Go type is told.
	// "msgpack", "gob" and "json" are those of the encodings below.
	Name() string

	// Append appends v, encoded, to b, whose bytes it leaves as they are. v is an argument as the caller
	// passed it, or a pointer to a reply. It is no nil pointer, which needs no encoding, but may point to one.
	Append(b []byte, v any) ([]byte, error)

	// Decode decodes data, all of it, into what v points to. It may keep data. A reply may
	// have been filled in by its caller.
	Decode(data []byte, v any) error
}

// The encodings that come with viaduct.
//
// Gob and JSON are encoding/gob and encoding/json: what these do with a type is what happens. Use Gob with
// peers you trust only: encoding/gob is not made for hostile bytes, and takes memory on the word of some of them.
var (
	MessagePack Encoding = messagePackEncoding{}
	Gob         Encoding = gobEncoding{}
	JSON        Encoding = jsonEncoding{}
)

type messagePackEncoding struct{}

func (messagePackEncoding) Name() string { return "msgpack" }

func (messagePackEncoding) Append(b []byte, v any) ([]byte, error) {
	return (*Options)(nil).appendBody(b, v)
}

func (messagePackEncoding) Decode(data []byte, v any) error {
	return (*Options)(nil).decodeBody(data, v)
}

type jsonEncoding struct{}

func (jsonEncoding) Name() string { return "json" }

func (jsonEncoding) Append(b []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(b, text...), err
}

func (jsonEncoding) Decode(data []byte, v any) error { return json.Unmarshal(data, v) }

// encoding returns what bodies are encoded in, nil if that is MessagePack.
func (o *Options) encoding() Encoding {
	if o == nil || o.Encoding == MessagePack {
		return nil
	}
	return o.Encoding
}

// binHead is what the head of a bin takes whose length is filled in last.
const binHead = 1 + 4

// appendEncoded appends v as a bin with v in it, encoded by enc. A nil pointer goes as nil.
func appendEncoded(b []byte, v any, enc Encoding) (_ []byte, err error) {
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.Pointer && rv.IsNil() {
		return mpack.AppendNil(b), nil
	}
	defer recoverInto(&err, "encoding")
	start := len(b)
	out, err := enc.Append(append(b, 0xc6, 0, 0, 0, 0), v)
	if err != nil {
		return b, err
	}
	n := len(out) - start - binHead
	if n < 0 || out[start] != 0xc6 || !bytes.Equal(out[:start], b[:start]) {
		return b, fmt.Errorf("encoding %s did not append to what it was given", enc.Name())
	}
	if uint64(n) > math.MaxUint32 {
		return b, fmt.Errorf("%d bytes are more than MessagePack can carry", n)
	}
	binary.BigEndian.PutUint32(out[start+1:], uint32(n))
	return out, nil
}

// decodeEncoded decodes b, one bin with a value in it, into what v points to. A nil leaves *v as it is.
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
	defer recoverInto(&err, "decoding")
	return enc.Decode(b[h.Size:len(b):len(b)], v)
}

func recoverInto(err *error, what string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic while %s: %v", what, r)
	}
}

// pointerTo reports whether there is something to decode into.
func pointerTo(v any) error {
	if p := reflect.ValueOf(v); p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("type %v is not a pointer, or it is nil: there is nothing to decode into", p.Type())
	}
	return nil
}
