package viaduct

import (
	"fmt"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Params is an argument that is sent as the params array itself, for methods
// of other MessagePack-RPC programs that do not take just one parameter. A method
// served here whose argument is *Params takes any number of them, each decoded as into an any.
type Params []any

// appendParams appends the params array of a call.
func (o *Options) appendParams(b []byte, args any) (_ []byte, err error) {
	var list Params
	switch p := args.(type) {
	case Params:
		list = p
	case *Params:
		if p != nil {
			list = *p
		}
	default:
		return o.appendBody(mpack.AppendArray(b, 1), args)
	}
	b = mpack.AppendArray(b, len(list))
	for i, x := range list {
		if b, err = o.appendBody(b, x); err != nil {
			return b, atPath(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

// decodeParams decodes the params of m into the argument of its method.
func (o *Options) decodeParams(m *message, args any) error {
	if p, ok := args.(*Params); ok {
		return o.decodeBody(m.body, (*[]any)(p))
	}
	b, err := m.parameter()
	if err == nil && b != nil {
		err = o.decodeBody(b, args)
	}
	return err
}
