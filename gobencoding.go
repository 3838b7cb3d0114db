package viaduct

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"sync"
)

// gobEncoding is encoding/gob. Each body is a stream of its own, with the
// definitions of its types, as bodies may be lost or come in any order. A new encoder and decoder
// for each would cost many times as much as the rest of a call, so they are kept:
// an encoder that has written the definitions goes on with the next value, and the definitions
// are put in front again; a decoder that has read them is given what comes behind.
type gobEncoding struct{}

func (gobEncoding) Name() string { return "gob" }

func (gobEncoding) Append(b []byte, v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	shape := shapeOf(rv.Type())
	if shape.endless {
		if err := cyclic(rv, 0); err != nil {
			return b, err
		}
	}
	if shape.open {
		var buf bytes.Buffer
		err := gob.NewEncoder(&buf).EncodeValue(rv)
		return append(b, buf.Bytes()...), err
	}
	pool := gobPool(&gobWriters, rv.Type())
	w, _ := pool.Get().(*gobWriter)
	if w == nil {
		w = new(gobWriter)
		w.enc = gob.NewEncoder(&w.buf)
	}
	w.buf.Reset()
	if err := w.enc.EncodeValue(rv); err != nil {
		return b, err // and w with it: who knows what it has written
	}
	out := w.buf.Bytes()
	if w.definitions == nil {
		n := gobDefinitions(out)
		w.definitions, out = bytes.Clone(out[:n]), out[n:]
	}
	b = append(append(b, w.definitions...), out...)
	if w.buf.Cap() <= maxGobKept {
		pool.Put(w)
	}
	return b, nil
}

func (gobEncoding) Decode(data []byte, v any) error {
	t := reflect.TypeOf(v)
	definitions := data[:gobDefinitions(data)]
	if shapeOf(t).open || len(definitions) > maxGobKept {
		return newGobReader().decode(data, v)
	}
	pool := gobPool(&gobReaders, t)
	r, _ := pool.Get().(*gobReader)
	if r != nil && bytes.Equal(r.definitions, definitions) {
		if r.decode(data[len(definitions):], v) == nil {
			if len(data) <= maxGobKept {
				pool.Put(r)
			}
			return nil
		}
		// Perhaps because of what it has read before: the other side's type may have
		// interfaces in it, whose definitions come with values.
	}
	r = newGobReader()
	if err := r.decode(data, v); err != nil {
		return err
	}
	if r.definitions = bytes.Clone(definitions); len(data) <= maxGobKept {
		pool.Put(r)
	}
	return nil
}

// maxGobKept bounds what is kept: the buffer of an encoder or a decoder, definitions.
const maxGobKept = 64 << 10

type gobWriter struct {
	enc         *gob.Encoder
	buf         bytes.Buffer
	definitions []byte
}

type gobReader struct {
	dec         *gob.Decoder
	src         bytes.Reader
	definitions []byte
}

func newGobReader() *gobReader {
	r := new(gobReader)
	r.dec = gob.NewDecoder(&r.src)
	return r
}

func (r *gobReader) decode(b []byte, v any) error {
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
var gobWriters, gobReaders sync.Map

func gobPool(pools *sync.Map, t reflect.Type) *sync.Pool {
	p, ok := pools.Load(t)
	if !ok {
		p, _ = pools.LoadOrStore(t, new(sync.Pool))
	}
	return p.(*sync.Pool)
}

// gobDefinitions returns how many bytes of a stream are definitions of types at its start.
func gobDefinitions(b []byte) int {
	s := gobScan{rest: b}
	for {
		n := len(b) - len(s.rest)
		if s.message(); s.int() >= 0 {
			return n
		}
	}
}

// gobShape is what is to be known of a type before gob gets its values.
type gobShape struct {
	open    bool // there are interfaces in it: definitions of types may come with each value
	endless bool // a value may contain itself
}

var gobShapes sync.Map // reflect.Type -> gobShape

func shapeOf(t reflect.Type) gobShape {
	if s, ok := gobShapes.Load(t); ok {
		return s.(gobShape)
	}
	var s gobShape
	s.look(t, make(map[reflect.Type]bool))
	gobShapes.Store(t, s)
	return s
}

// look looks at t, which is part of the types in around.
func (s *gobShape) look(t reflect.Type, around map[reflect.Type]bool) {
	switch {
	case has(t, gobEncoder) || has(t, binMarshaler):
		return // bytes, to gob
	case around[t]:
		s.endless = true
		return
	}
	around[t] = true
	defer delete(around, t)
	switch t.Kind() {
	case reflect.Interface:
		s.open, s.endless = true, true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		s.look(t.Elem(), around)
	case reflect.Map:
		s.look(t.Key(), around)
		s.look(t.Elem(), around)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				s.look(f.Type, around)
			}
		}
	}
}

// cyclic returns an error if v is too deep, as a value that contains itself
// is: package gob would overflow the stack, which nothing can recover from.
func cyclic(v reflect.Value, depth int) error {
	if depth++; depth > maxEncodeDepth {
		return errCyclic
	}
	if has(v.Type(), gobEncoder) || has(v.Type(), binMarshaler) {
		return nil // gob leaves it to these
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return cyclic(v.Elem(), depth)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				if err := cyclic(v.Field(i), depth); err != nil {
					return err
				}
			}
		}
	case reflect.Slice, reflect.Array:
		if k := v.Type().Elem().Kind(); k <= reflect.Complex128 || k == reflect.String {
			return nil
		}
		for i := range v.Len() {
			if err := cyclic(v.Index(i), depth); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := cyclic(it.Key(), depth); err != nil {
				return err
			}
			if err := cyclic(it.Value(), depth); err != nil {
				return err
			}
		}
	}
	return nil
}
