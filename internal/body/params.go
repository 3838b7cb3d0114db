package body

import (
	"errors"
	"fmt"
	"io"
	"reflect"

	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// The params of a call are an array: of one argument, or, where the argument is viaduct.Params or
// embeds viaduct.Positional, the argument itself.

// takesPositions reports whether viaduct.Positional is in t, which is another type.
func takesPositions(t reflect.Type) bool {
	return special.Mark != nil && t != special.Positional && gobwire.Has(t, special.Mark)
}

// isPositional reports whether struct type t is written as an array of its fields.
func isPositional(t reflect.Type) bool {
	if gobwire.Has(t, gobEncoder) || gobwire.Has(t, binMarshaler) || gobwire.Has(t, msgMarshaler) {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && f.Type == special.Positional && f.Tag.Get("msgpack") != "-" {
			return true
		}
	}
	return false
}

// AppendParams appends the params array of a call, within a limit as AppendWithin has it.
func (c *Codec) AppendParams(b []byte, args any, limit int) (_ []byte, err error) {
	if c.encoding() != nil { // has values alone
		return c.AppendWithin(mpack.AppendArray(b, 1), args, limit)
	}
	if list, ok := special.ParamsOf(args); ok {
		return c.appendList(b, list, limit)
	}
	if special.IsPositional(args) {
		if v := reflect.ValueOf(args); v.Kind() != reflect.Pointer || !v.IsNil() {
			return c.AppendWithin(b, args, limit)
		}
		return mpack.AppendArray(b, 0), nil
	}
	return c.AppendWithin(mpack.AppendArray(b, 1), args, limit)
}

func (c *Codec) appendList(b []byte, list []any, limit int) (_ []byte, err error) {
	b = mpack.AppendArray(b, len(list))
	for i, x := range list {
		// In an []any the type has to be told; here it may be known on the other side.
		if b, err = c.AppendWithin(c.appendLabel(b, x), x, limit); err != nil {
			return b, atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

// DecodeParams decodes the params of a call into the argument of its method. A nil args means that
// nobody wants it. The account, which may be nil, is charged for what they take; if it cannot be, the
// error is ErrMemory.
func (c *Codec) DecodeParams(params []byte, args any, account *Account) error {
	err := c.decodeParams(params, args, account)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("truncated argument")
	}
	return err
}

func (c *Codec) decodeParams(params []byte, args any, account *Account) error {
	if c.encoding() == nil {
		if list := special.ParamsIn(args); list != nil {
			return c.decode(params, list, account)
		}
		if special.IsPositional(args) {
			if nothing(params) {
				return nil
			}
			return c.decode(params, args, account)
		}
	}
	b, err := parameter(params)
	if err == nil && b != nil {
		err = c.decode(b, args, account)
	}
	return err
}

// nothing reports whether params are empty, or a nil for an argument that is not there.
func nothing(params []byte) bool {
	n, rest, err := mpack.ReadArray(params)
	return err == nil && (n == 0 && len(rest) == 0 || n == 1 && len(rest) == 1 && rest[0] == nilByte)
}

// parameter returns the one argument in params, nil if there is none.
func parameter(params []byte) ([]byte, error) {
	n, arg, err := mpack.ReadArray(params)
	switch {
	case err != nil:
		return nil, fmt.Errorf("params are not an array: %w", err)
	case n > 1:
		return nil, fmt.Errorf("type mismatch: call has %d parameters, the method takes one", n)
	case n == 1:
		return arg, nil
	case len(arg) > 0:
		return nil, mpack.ErrTrailing
	}
	return nil, nil
}
