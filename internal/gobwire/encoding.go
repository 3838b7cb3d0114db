package gobwire

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"sync"
)

// Encoding is encoding/gob. Each body is a stream of its own, with the
// definitions of its types, as bodies may be lost or come in any order. A new encoder and decoder
// for each would cost many times as much as the rest of a call, so they are kept:
// an encoder that has written the definitions goes on with the next value, and the definitions
// are put in front again; a decoder that has read them is given what comes behind.
type Encoding struct{}

func (Encoding) Name() string { return "gob" }

func (Encoding) Append(b []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	known := shapeOf(rv.Type())
	if known.endless {
		if err := cyclic(rv, 0); err != nil {
			return b, err
		}
	}
	if known.open {
		var buf bytes.Buffer
		err := gob.NewEncoder(&buf).EncodeValue(rv)
		return append(b, buf.Bytes()...), err
	}
	pool := poolOf(&writers, rv.Type())
	w, _ := pool.Get().(*writer)
	if w == nil {
		w = new(writer)
		w.enc = gob.NewEncoder(&w.buf)
	}
	w.buf.Reset()
	if err := w.enc.EncodeValue(rv); err != nil {
		return b, err // and w with it: who knows what it has written
	}
	out := w.buf.Bytes()
	if w.definitions == nil {
		n := definitionsOf(out)
		w.definitions, out = bytes.Clone(out[:n]), out[n:]
	}
	b = append(append(b, w.definitions...), out...)
	if w.buf.Cap() <= maxKept {
		pool.Put(w)
	}
	return b, nil
}

func (Encoding) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	definitions := data[:definitionsOf(data)]
	if shapeOf(t).open || len(definitions) > maxKept {
		return newReader().decode(data, v)
	}
	pool := poolOf(&readers, t)
	r, _ := pool.Get().(*reader)
	if r != nil && bytes.Equal(r.definitions, definitions) {
		if r.decode(data[len(definitions):], v) == nil {
			if len(data) <= maxKept {
				pool.Put(r)
			}
			return nil
		}
		// Perhaps because of what it has read before: the other side's type may have
		// interfaces in it, whose definitions come with values.
	}
	r = newReader()
	if err := r.decode(data, v); err != nil {
		return err
	}
	if r.definitions = bytes.Clone(definitions); len(data) <= maxKept {
		pool.Put(r)
	}
	return nil
}

// maxKept bounds what is kept: the buffer of an encoder or a decoder, definitions.
const maxKept = 64 << 10

type writer struct {
	enc         *gob.Encoder
	buf         bytes.Buffer
	definitions []byte
}

type reader struct {
	dec         *gob.Decoder
	src         bytes.Reader
	definitions []byte
}

func newReader() *reader {
	r := new(reader)
	r.dec = gob.NewDecoder(&r.src)
	return r
}

func (r *reader) decode(b []byte, v any) error {
	r.src.Reset(b)
	defer r.src.Reset(nil)
	if err := r.dec.Decode(v); err != nil {
		return err
	}
	if r.src.Len() > 0 {
		return fmt.Errorf("%d bytes left behind a gob value", r.src.Len())
	}
	return nil
}

// The encoders and decoders that are kept, a *sync.Pool for each type.
var writers, readers sync.Map

func poolOf(pools *sync.Map, t reflect.Type) *sync.Pool {
	p, ok := pools.Load(t)
	if !ok {
		p, _ = pools.LoadOrStore(t, new(sync.Pool))
	}
	return p.(*sync.Pool)
}

// definitionsOf returns how many bytes of a stream are definitions of types at its start.
func definitionsOf(b []byte) int {
	s := scanner{rest: b}
	for {
		n := len(b) - len(s.rest)
		if s.message(); s.int() >= 0 {
			return n
		}
	}
}

// shape is what is to be known of a type before gob gets its values.
type shape struct {
	open    bool // there are interfaces in it: definitions of types may come with each value
	endless bool // a value may contain itself
}

var shapes sync.Map // reflect.Type -> shape

func shapeOf(t reflect.Type) shape {
	if s, ok := shapes.Load(t); ok {
		return s.(shape)
	}
	var s shape
	s.look(t, make(map[reflect.Type]progress))
	shapes.Store(t, s)
	return s
}

// progress is how far a type has been looked at.
type progress uint8

const (
	lookingAt progress = iota + 1
	lookedAt
)

// look looks at t, each type once: programs have types by the dozen that refer to each other.
func (s *shape) look(t reflect.Type, seen map[reflect.Type]progress) {
	switch {
	case writesItself(t):
		return // bytes, to gob
	case seen[t] == lookingAt:
		s.endless = true // it is part of itself
		return
	case seen[t] == lookedAt:
		return
	}
	seen[t] = lookingAt
	defer func() { seen[t] = lookedAt }()
	switch t.Kind() {
	case reflect.Interface:
		s.open, s.endless = true, true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		s.look(t.Elem(), seen)
	case reflect.Map:
		s.look(t.Key(), seen)
		s.look(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				s.look(f.Type, seen)
			}
		}
	}
}
