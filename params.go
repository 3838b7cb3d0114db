package viaduct

import (
	"fmt"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Params is an argument that is sent as the params array itself, for methods
// of other MessagePack-RPC programs that do not take just one parameter. A method
// served here whose argument is *Params takes any number of them, each decoded as into an any.
// With an Encoding other than MessagePack it is one argument as any other, and so is Positional.
type Params []any

// Positional makes a struct that embeds it the params array itself, one
// parameter for each other field, in their order: Params with types.
//
//	type SetLines struct {
//		viaduct.Positional
//		Buffer     int
//		Start, End int
//		Strict     bool
//		Lines      []string
//	}
//
// A method served here whose argument is such a struct takes as many parameters
// as it has fields, or none.
type Positional struct{}

func (Positional) positional() {}

type positional interface{ positional() }

// isPositional reports whether struct type t is written as an array of its fields.
func isPositional(t reflect.Type) bool {
	if has(t, gobEncoder) || has(t, binMarshaler) || has(t, msgMarshaler) {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == typeOfPositional && f.Tag.Get("msgpack") != "-" {
			return true
		}
	}
	return false
}

// appendParams appends the params array of a call.
func (o *Options) appendParams(b []byte, args any) (_ []byte, err error) {
	var list Params
	if o.encoding() != nil { // has values alone
		return o.appendBody(mpack.AppendArray(b, 1), args)
	}
	switch p := args.(type) {
	case Params:
		list = p
	case *Params:
		if p != nil {
			list = *p
		}
	case positional:
		if v := reflect.ValueOf(p); v.Kind() != reflect.Pointer || !v.IsNil() {
			return o.appendBody(b, args)
		}
	default:
		return o.appendBody(mpack.AppendArray(b, 1), args)
	}
	b = mpack.AppendArray(b, len(list))
	for i, x := range list {
		// In an []any the type has to be told; here it may be known on the other side.
		if b, err = o.appendBody(o.appendLabel(b, x), x); err != nil {
			return b, atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

// decodeParams decodes the params of m into the argument of its method.
func (o *Options) decodeParams(m *message, args any) error {
	if o.encoding() != nil {
		return o.decodeParameter(m, args)
	}
	if p, ok := args.(*Params); ok {
		return o.decodeBody(m.body, (*[]any)(p))
	}
	if _, ok := args.(positional); ok {
		// Nothing, or a nil for an argument that is not there.
		if n, rest, err := mpack.ReadArray(m.body); err == nil && (n == 0 && len(rest) == 0 || n == 1 && len(rest) == 1 && rest[0] == nilByte) {
			return nil
		}
		return o.decodeBody(m.body, args)
	}
	return o.decodeParameter(m, args)
}

// decodeParameter decodes the one argument of m, if there is one.
func (o *Options) decodeParameter(m *message, args any) error {
	b, err := m.parameter()
	if err == nil && b != nil {
		err = o.decodeBody(b, args)
	}
	return err
}
