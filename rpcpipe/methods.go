package rpcpipe

import (
	"context"
	"net/rpc"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/listing"
	"github.com/viaduct-go/viaduct/internal/message"
)

// A Listing says what the other side has to call: see [Peer.Methods]. It is:
//
//	Methods []Method // by name
//	Types   []Type   // that Methods and each other name, by name
type Listing = listing.Listing

// A Method is one that the other side has. It is:
//
//	Name       string   // to call it by
//	Arg, Reply string   // types of its argument and its reply, empty if they are not known
//	Doc        string   // what it does, if the service says so
//	Notes      []string // what there is to know of the two types: see viaduct.Explain
//
// A type is a text: bool, string, bytes, int, int8 to int64, uint, uint8 to uint64, float32, float64,
// complex64, complex128, time, duration, ext, text (a string of a form of its own), list (any number
// of arguments), any, go (values that only Go programs have), never (values that cannot be sent),
// struct{}, []T, [3]T, [3]byte, map[K]V, *T, or the Name of a Type.
type Method = listing.Method

// A Type is one with parts, or with a form of its own. It is:
//
//	Name       string
//	Is         string  // what it is written as; empty of a struct
//	Positional bool    // its fields are the arguments themselves: see viaduct.Positional
//	Fields     []Field // of a struct, in order
type Type = listing.Type

// A Field is one of a struct. It is:
//
//	Name, Type string // as they are sent
//	Doc        string // what its tag `doc:"..."` says
type Field = listing.Field

// Methods asks the other side what it has for this one to call: the methods of its Options.Server, with
// the types of their arguments and replies. For what each method does, a receiver may have a method
//
//	MethodDocs() map[string]string
//
// that has a text for each name of a method, without that of the service; fields of structs may have
// tags doc:"...". Texts are cut after 4 KiB. The other side can say what it likes.
//
// It is no call of a method: hooks on either side do not see it.
//
// Methods waits as CallContext does, and has its errors. If the other side does not list its methods,
// as with Options.NoListing, the error is [errors.ErrUnsupported]; if it cannot, it is an
// [rpc.ServerError] that says why. A listing that makes no sense is a [*viaduct.BodyError].
func (p *Peer) Methods(ctx context.Context) (*Listing, error) {
	b, err := p.endpoint.Methods(ctx)
	if err != nil {
		return nil, err
	}
	l, err := listing.Parse(b)
	if err != nil {
		return nil, &fault.BodyError{Op: "decode", What: "reply", Method: message.MethodsMethod, Type: "rpcpipe.Listing", Err: err}
	}
	return l, nil
}

// lister returns what lists the methods of server to the other side, nil if nothing does.
func (o *Options) lister(server *rpc.Server) func() ([]byte, error) {
	if o.NoListing {
		return nil
	}
	return func() ([]byte, error) {
		l, err := listing.Of(server, o.ServiceMethod)
		if err != nil {
			return nil, err
		}
		return listing.Append(nil, l)
	}
}
