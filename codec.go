// Package viaduct is a codec for net/rpc that speaks MessagePack-RPC, and what services and their
// callers use with it.
//
// To call methods in another process, use package rpcpipe. This package alone is for those who have
// a connection and want the codec, in the shape of net/rpc/jsonrpc:
//
//	client, err := viaduct.Dial("tcp", address) // an *rpc.Client
//	go viaduct.ServeConn(conn)                  // serves rpc.DefaultServer
//
// Between Go programs that is all there is to change. Programs in other languages want
// [PlainDialect].
//
// It assumes a connection that carries bytes in order, any [io.ReadWriteCloser]. It promises:
//
//   - A message is encoded whole before a byte of it leaves. What cannot be encoded or decoded costs
//     one call, never the connection (but for a reply, where net/rpc's own client gives up).
//   - A peer's bytes do not panic or overflow the stack, and take memory in proportion to what has
//     come: sizes, structure and depth are checked before anything is decoded.
//   - Arguments and replies cross as they do with gob, or an error says what cannot; see [Check] and
//     docs/TYPES.md.
//
// These types and functions work over this codec and with package rpcpipe:
//
//   - [Caller] in an argument tells a method who calls, and for how long.
//   - [Fail] has an error cross with its parts: an [*Error], and those of [RegisterError].
//   - [Params] and [Positional] are arguments that are more than one parameter, [Ext] is a value
//     that is passed through, for peers that are no Go programs.
//
// The messages are described in docs/PROTOCOL.md, section Messages.
package viaduct

import (
	"io"
	"log/slog"
	"net"
	"net/rpc"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/codec"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
)

// Options are the limits and choices of a codec. A nil *Options and zero fields mean the defaults,
// and so do limits below zero: what takes Options returns no error that could name them. Peers of
// package rpcpipe have options of their own.
type Options struct {
	// Server answers the calls that come in by ServeConn. Default: [rpc.DefaultServer], where
	// [rpc.Register] puts what it registers.
	Server *rpc.Server

	// MaxMessage is the largest message that is sent or accepted, in bytes. Default: 128 MiB.
	MaxMessage int

	// MaxDepth is how deep arrays and maps of a received message may nest. A struct is a map; in an
	// interface, between Go programs, its type takes one level more. Default: 1,000; at most
	// 100,000.
	MaxDepth int

	// Dialect says what becomes of values that MessagePack alone would damage. Both sides must
	// choose the same. Default: [AutoDialect], which here is Go's.
	Dialect Dialect

	// StructsAsArrays has structs written as arrays of their fields, which is smaller. Both sides
	// must then have the same fields in the same order. Either form is always understood.
	StructsAsArrays bool

	// Encoding encodes arguments and replies. Both sides must have the same. Default:
	// [MessagePack].
	Encoding Encoding

	// ServiceMethod says which Service.Method of the server is meant by the name that a call came
	// in with: other programs have names of another form. It is called for each call, from several
	// goroutines at once. Default: names are as net/rpc has them.
	ServiceMethod func(method string) string

	// Logger is told of what would otherwise vanish: notifications that fail, replies nobody waits
	// for any more. Default: nobody is told.
	Logger *slog.Logger
}

// A Dialect says what becomes of values that MessagePack alone would damage: types that write
// themselves in gob's manner, what is in an interface, the offsets of times. docs/TYPES.md shows,
// case by case, what comes back in each.
//
// The two sides of a bare connection must be set alike. What a Go side sends to a plain one fails
// there where it has types with it: a plain viaduct says so, and another language of ext values
// that it does not know. But offsets of times are passed over, and what comes from a plain side has
// neither types nor offsets, without an error: a struct in an interface arrives as a map.
type Dialect uint8

const (
	// AutoDialect: Go's for the codec of this package, whose other side most likely is a Go
	// program, too; plain MessagePack for the peers of rpcpipe.NewBare. Peers that say hello, all
	// others of package rpcpipe, agree by that.
	AutoDialect Dialect = iota

	// GoDialect: the other side is a Go program with viaduct. Values cross as with gob.
	GoDialect

	// PlainDialect: the other side is any program that speaks MessagePack-RPC. Types that write
	// themselves go as their text, what is in an interface goes without its type, times go in UTC.
	PlainDialect
)

// NewClientCodec returns a codec for [rpc.NewClientWithCodec] that speaks MessagePack-RPC on conn.
func NewClientCodec(conn io.ReadWriteCloser) rpc.ClientCodec {
	return (*Options)(nil).NewClientCodec(conn)
}

// NewServerCodec returns a codec for [rpc.ServeCodec] that speaks MessagePack-RPC on conn. An
// argument with a method SetContext(context.Context), that of an embedded [Caller] for instance, is
// given a context. It ends when the caller has given up, when the method has returned, and when the
// connection ends.
func NewServerCodec(conn io.ReadWriteCloser) rpc.ServerCodec {
	return (*Options)(nil).NewServerCodec(conn)
}

// NewClient returns a client of the services at the other end of conn. It has net/rpc's own limits:
// a reply that cannot be decoded ends it.
func NewClient(conn io.ReadWriteCloser) *rpc.Client {
	return (*Options)(nil).NewClient(conn)
}

// ServeConn serves [rpc.DefaultServer] on conn. It blocks until the other side hangs up; use it in
// a go statement.
func ServeConn(conn io.ReadWriteCloser) {
	(*Options)(nil).ServeConn(conn)
}

// Dial connects to a MessagePack-RPC server. Networks and addresses are those of [net.Dial], and so
// are the errors.
func Dial(network, address string) (*rpc.Client, error) {
	return (*Options)(nil).Dial(network, address)
}

// NewClientCodec is the function of the same name, with options.
func (o *Options) NewClientCodec(conn io.ReadWriteCloser) rpc.ClientCodec {
	return codec.NewClient(conn, o.config())
}

// NewServerCodec is the function of the same name, with options.
func (o *Options) NewServerCodec(conn io.ReadWriteCloser) rpc.ServerCodec {
	return codec.NewServer(conn, o.config())
}

// NewClient is the function of the same name, with options.
func (o *Options) NewClient(conn io.ReadWriteCloser) *rpc.Client {
	return rpc.NewClientWithCodec(o.NewClientCodec(conn))
}

// ServeConn is the function of the same name, with options: it serves o.Server.
func (o *Options) ServeConn(conn io.ReadWriteCloser) {
	server := rpc.DefaultServer
	if o != nil && o.Server != nil {
		server = o.Server
	}
	server.ServeCodec(o.NewServerCodec(conn))
}

// Dial is the function of the same name, with options.
func (o *Options) Dial(network, address string) (*rpc.Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return o.NewClient(conn), nil
}

// config is what the codecs work with.
func (o *Options) config() codec.Config {
	if o == nil {
		o = new(Options)
	}
	cfg := codec.Config{
		Message: message.Codec{Body: &body.Codec{
			GoPeer:   o.Dialect != PlainDialect,
			Zones:    o.Dialect != PlainDialect,
			Arrays:   o.StructsAsArrays,
			MaxDepth: o.MaxDepth,
		}},
		MaxMessage:    o.MaxMessage,
		ServiceMethod: o.ServiceMethod,
		Logger:        o.Logger,
	}
	if o.Encoding != nil && o.Encoding != MessagePack {
		cfg.Message.Body.Encoding = o.Encoding
	}
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = handles.DefaultMaxMessage
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}
