package viaduct

import (
	"context"
	"fmt"
	"log/slog"
	"net/rpc"
)

// Options are the limits and choices of codecs and endpoints. A nil *Options
// and zero fields mean the defaults.
type Options struct {
	// Server answers the calls that come in to an Endpoint. Default:
	// [rpc.DefaultServer], where [rpc.Register] puts what it registers.
	Server *rpc.Server

	// MaxMessage is the largest message sent or accepted on a bare connection,
	// in bytes. Default: 128 MiB. On a lane the lane's own limits hold.
	MaxMessage int

	// MaxDepth is how deep arrays and maps of a received message may nest. A struct is a map; in
	// an interface, between Go programs, its type takes one level more.
	// Default: 1,000.
	MaxDepth int

	// GoPeer says that the other side is a Go program with viaduct, as its
	// hello does: then types that MessagePack would damage go in gob's way. rpcpipe sets it.
	GoPeer bool

	// Extended says that the other side understands what is more than MessagePack-RPC: deadlines, metadata and nesting
	// of calls, and errors with parts. rpcpipe sets it, from the hello; both sides of a link must have it.
	Extended bool

	// StructsAsArrays has structs written as arrays of their fields, which is smaller.
	// Both sides must then have the same fields in the same order. Either form is
	// always understood.
	StructsAsArrays bool

	// ServiceMethod says which Service.Method of the server is meant by the name
	// that a call came in with: other programs have names of another form.
	// It is called for each call, from several goroutines at once. Default: names are as net/rpc has them.
	ServiceMethod func(method string) string

	// AnswerLatestFirst is for a peer that nests its calls, as Neovim before 0.10 does: it
	// waits for the answer to the latest of its open calls before all others. The
	// answer to an earlier one is held back until then, and until the calls made
	// since that one came in have been answered. That cannot help where a call of this side, from
	// another goroutine, crosses a call of the peer and makes it call again: calls that
	// make the peer call back should be made one at a time, or by the methods that serve
	// it, and not with Notify. An Endpoint heeds it.
	AnswerLatestFirst bool

	// Context is what the contexts of methods derive their values from; if it
	// ends, so do they. Default: context.Background().
	Context context.Context

	// Encoding encodes arguments and replies. Both sides must have the same:
	// those of a Peer make sure, on a bare connection it is up to you. Default: [MessagePack].
	Encoding Encoding

	// MaxHandlers is how many calls of the other side are handled at once. More wait, in their order, up to
	// MaxWaiting, and up to 64 MiB of them; those beyond are refused: they fail with [ErrOverload]. Calls that serve a call of this side, made by a method with
	// its context, do not wait and do not count, up to 16 for each. Default: 16,384.
	MaxHandlers int

	// MaxHandlerBytes bounds the requests that are being handled at once, in bytes as they came: once they have as many, others wait
	// as for MaxHandlers. The answers being sent have the same bound, and so have the calls that do not count, which are refused
	// beyond it. Default: 512 MiB.
	MaxHandlerBytes int

	// MaxWaiting is how many calls wait at most. Default: 16,384. Negative: none do.
	MaxWaiting int

	// ConcurrentNotify has one-way calls handled as others, at once and in any order, within
	// MaxHandlers; beyond, they wait, and their senders. Default: one at a time, in the order they were sent.
	ConcurrentNotify bool

	// RecoverPanics has a panic in a method cost that call alone: it fails with a [*PanicError], and Logger is told.
	// Default: the process ends, as with net/rpc, when the caller has been told, for which 100 ms are taken.
	RecoverPanics bool

	// CallHook is called around each call, one-way calls included, that this side makes.
	CallHook Hook

	// ServeHook is called around each call of the other side that this side handles.
	ServeHook Hook

	// LogHandler gets the records that the other side logs through its [Endpoint.LogHandler], one at a time. Their
	// context has the values of Context. A panic in it ends the process, as in a method. Default: none are taken. An Endpoint heeds it.
	LogHandler slog.Handler

	// LogPeer says that the other side has a LogHandler, as its hello does. rpcpipe sets it.
	LogPeer bool

	// Logger is told of what would otherwise vanish: one-way calls that fail,
	// replies nobody waits for any more. Default: nobody is told.
	Logger *slog.Logger
}

const (
	defaultMaxMessage = 128 << 20
	defaultMaxDepth   = 1000
)

func (o *Options) server() *rpc.Server {
	if o == nil || o.Server == nil {
		return rpc.DefaultServer
	}
	return o.Server
}

func (o *Options) context() context.Context {
	if o == nil || o.Context == nil {
		return context.Background()
	}
	return o.Context
}

func (o *Options) maxMessage() int {
	if o == nil || o.MaxMessage <= 0 {
		return defaultMaxMessage
	}
	return o.MaxMessage
}

func (o *Options) maxDepth() int {
	if o == nil || o.MaxDepth <= 0 {
		return defaultMaxDepth
	}
	return o.MaxDepth
}

func (o *Options) logger() *slog.Logger {
	if o == nil || o.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Logger
}

func (o *Options) serviceMethod(method []byte) (name string) {
	if o == nil || o.ServiceMethod == nil {
		return string(method)
	}
	defer func() {
		if r := recover(); r != nil { // a name may be anything: it costs one call
			name = fmt.Sprintf("panic in Options.ServiceMethod: %v", r)
		}
	}()
	return o.ServiceMethod(string(method))
}

func (o *Options) latestFirst() bool { return o != nil && o.AnswerLatestFirst }

// plain is o without an Encoding of its own: for values that are the protocol's.
func (o *Options) plain() *Options {
	if o.encoding() == nil {
		return o
	}
	plain := *o
	plain.Encoding = nil
	return &plain
}

func (o *Options) extended() bool { return o != nil && o.Extended }

func (o *Options) goPeer() bool { return o != nil && o.GoPeer }

func (o *Options) arrays() bool { return o != nil && o.StructsAsArrays }
