package rpcpipe

import (
	"fmt"
	"log/slog"
	"math"
	"net/rpc"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn"
)

// Options adjust a Peer. A nil *Options and zero fields mean the defaults.
type Options struct {
	// Server answers the calls of the other side. Default: [rpc.DefaultServer],
	// so that [rpc.Register] just works, and everything registered is exposed.
	Server *rpc.Server

	// OnExit is called once when the process on the other side has ended: in
	// the parent when the child was waited for, in the child when its parent is gone or has closed the
	// link. All pending calls have failed by then. It may call Close, but not Wait. Not called for a Peer of New or Pair.
	OnExit func(*procspawn.Exit)

	// Logger is told of what would otherwise vanish: one-way calls that fail,
	// replies nobody waits for any more, handlers that never return. Default: nobody is told.
	Logger *slog.Logger

	// LogHandler gets the records that the other side logs through [Peer.LogHandler], one at a time. Whatever it does, it holds up
	// nothing else: what it is too slow for is counted and then reported to it. Their context is one for [FromContext]. A panic in
	// it ends the process, as in a method. Default: none are asked for, and the other side's LogHandler is not enabled.
	LogHandler slog.Handler

	// ShutdownTimeout is for the parent: how long [Peer.Shutdown] waits for what is going on before it
	// closes the link, in addition to its context. Default: 30 s; negative: without limit.
	ShutdownTimeout time.Duration

	// Limits and choices of the layers below. Codec.Server, Codec.Logger and Codec.LogHandler
	// Limits and choices of the layers below. Codec.Server, Codec.Logger and Codec.LogHandler
	// default to those above. The largest message is Duplex.MaxMessage: Codec.MaxMessage does not count.
	// Codec.GoPeer, Extended and LogPeer are set by rpcpipe.
	Codec   *viaduct.Options
	Duplex  *duplex.Options
	Process *procspawn.Options
}

// withDefaults returns o with every layer's options in place, all copies.
func (o *Options) withDefaults() Options {
	var full Options
	if o != nil {
		full = *o
	}
	var codec viaduct.Options
	if full.Codec != nil {
		codec = *full.Codec
	}
	if codec.Server == nil {
		codec.Server = full.Server
	}
	if codec.Logger == nil {
		codec.Logger = full.Logger
	}
	if codec.LogHandler == nil {
		codec.LogHandler = full.LogHandler
	}
	full.Codec = &codec
	var link duplex.Options
	if full.Duplex != nil {
		link = *full.Duplex
	}
	if link.MaxMessage <= 0 {
		link.MaxMessage = handles.DefaultMaxMessage
	}
	full.Duplex = &link
	var process procspawn.Options
	if full.Process != nil {
		process = *full.Process
	}
	features := []string{featureStreams, featureShutdown, featureCalls}
	if codec.LogHandler != nil {
		features = append(features, featureLog)
	}
	handles.SetHello(&process, handles.Hello{
		MaxMessage: link.MaxMessage,
		Encoding:   encodingName(codec.Encoding),
		Bodies:     []string{"msgpack", bodyGob},
		Features:   features,
	})
	full.Process = &process
	return full
}

// encodingName is what the hello calls e, which may be nil. Both sides must have the same.
func encodingName(e viaduct.Encoding) string {
	if e == nil {
		e = viaduct.MessagePack
	}
	if name := e.Name(); name != "" {
		return name
	}
	return fmt.Sprintf("%T", e)
}

func (o *Options) shutdownTimeout() time.Duration {
	if o.ShutdownTimeout == 0 {
		return 30 * time.Second
	}
	return o.ShutdownTimeout
}

// bodyGob is what a Go program lists in its hello: it reads ext values with gob in them.
const bodyGob = "gob"

// What this side can do and another implementation, or Peer, need not.
const (
	featureStreams  = "streams"
	featureShutdown = "shutdown"
	featureLog      = "log"   // it has a LogHandler
	featureCalls    = "calls" // see viaduct.Options.Extended
)

// agree takes over what the other side has said of itself.
func (o *Options) agree(remote procspawn.Hello) {
	if remote.MaxMessage > 0 {
		o.Duplex.MaxSend = int(min(remote.MaxMessage, math.MaxInt))
	}
	o.Codec.GoPeer = slices.Contains(remote.Bodies, bodyGob)
	o.Codec.Extended = slices.Contains(remote.Features, featureCalls)
	o.Codec.LogPeer = slices.Contains(remote.Features, featureLog)
	handles.SetFrames(o.Duplex, handles.Frames{
		NoStreams:  !slices.Contains(remote.Features, featureStreams),
		NoShutdown: !slices.Contains(remote.Features, featureShutdown),
	})
}
