package viaduct

import (
	"reflect"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/gobwire"
)

// Params is an argument that is sent as the params array itself, for methods of other
// MessagePack-RPC programs that do not take just one parameter. A method served here whose argument
// is *Params takes any number of them, each decoded as into an any. With an Encoding other than
// MessagePack it is one argument as any other, and so is [Positional].
type Params []any

// Positional makes a struct that embeds it the params array itself, one parameter for each other
// field, in their order: [Params] with types.
//
//	type SetLines struct {
//		viaduct.Positional
//		Buffer     int
//		Start, End int
//		Strict     bool
//		Lines      []string
//	}
//
// A method served here whose argument is such a struct takes as many parameters as it has fields,
// or none.
type Positional struct{}

func (Positional) positional() {}

type positional interface{ positional() }

// Ext is a MessagePack ext value, passed through as it is. Codes from 0 to 127 are for
// applications, negative ones are MessagePack's own.
type Ext struct {
	Code int8
	Data []byte // after decoding it may alias the message
}

func init() {
	body.SetTypes(body.Types{
		Ext:          reflect.TypeFor[Ext](),
		Caller:       reflect.TypeFor[Caller](),
		Positional:   reflect.TypeFor[Positional](),
		Mark:         reflect.TypeFor[positional](),
		ExtOf:        func(v any) (int8, []byte) { x := v.(Ext); return x.Code, x.Data },
		NewExt:       func(code int8, data []byte) any { return Ext{code, data} },
		IsPositional: func(args any) bool { _, ok := args.(positional); return ok },
		ParamsOf:     paramsOf,
		ParamsIn:     func(args any) *[]any { p, _ := args.(*Params); return (*[]any)(p) },
	})
}

func paramsOf(args any) (list []any, ok bool) {
	switch p := args.(type) {
	case Params:
		return p, true
	case *Params:
		if p != nil {
			list = *p
		}
		return list, true
	}
	return nil, false
}

// Check reports whether values of v's type can cross whole, between Go programs; v may be nil only
// as a typed pointer. It returns nil, or an error that names the first field which nothing can
// carry, or which is left out though the program may not mean it: one of a chan or func, and an
// embedded struct that is not exported and has exported fields. Calls work without these, as with
// gob; the tag `msgpack:"-"` says that it is meant. Fields that are not exported are never named.
// What is in an interface is checked when it is sent. Use it in tests of your own:
//
//	if err := viaduct.Check(Args{}); err != nil {
//		t.Error(err)
//	}
func Check(v any) error { return body.Check(v) }

// Explain says how values of v's type cross: what is not plain MessagePack, what does not come back
// as it was, and what costs more than the rest. It returns "" for a type of which there is nothing
// to say.
func Explain(v any) string { return body.Explain(v) }

// An Encoding turns arguments and replies into bytes and back. Its methods are called from several
// goroutines at once.
//
// What the rest of this package says about values, such as what becomes of a type or how much
// memory a message may take, is about MessagePack. With another Encoding that is its own business.
type Encoding interface {
	// Name names it. The two sides of a Peer tell each other theirs, and refuse to connect if they
	// differ. It has at most 64 bytes; if it has none, the name of its Go type is told. "msgpack",
	// "gob" and "json" are those of the encodings below.
	Name() string

	// Append appends v, encoded, to b, whose bytes it leaves as they are. v is an argument as the
	// caller passed it, or a pointer to a reply. It is no nil pointer, which needs no encoding, but
	// may point to one.
	Append(b []byte, v any) ([]byte, error)

	// Decode decodes data, all of it, into what v points to. It may keep data. A reply may have
	// been filled in by its caller.
	Decode(data []byte, v any) error
}

// The encodings that come with viaduct.
//
// Gob and JSON are encoding/gob and encoding/json: what these do with a type is what happens. Use
// Gob with peers you trust only: encoding/gob is not made for hostile bytes, and takes memory on
// the word of some of them.
var (
	MessagePack Encoding = body.MessagePack{}
	Gob         Encoding = gobwire.Encoding{}
	JSON        Encoding = body.JSON{}
)
