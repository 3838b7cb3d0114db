package rpcpipe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/rpc"
	"slices"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/tuning"
	"github.com/viaduct-go/viaduct/procspawn"
)

// What a hello says: Go programs list gob among the bodies that they can read, and these are what
// this side can do and another implementation, or an older Peer, need not.
const (
	bodyGob = "gob"

	featureStreams  = "streams"
	featureShutdown = "shutdown"
	featureCalls    = "calls"   // what goes with a call, and errors with parts
	featureLog      = "log"     // it has a LogHandler
	featureZones    = "zones"   // it takes times with their offsets
	featureSync     = "sync"    // it answers a sync
	featureSettle   = "settle"  // it answers a settle
	featureEager    = "eager"   // messages of up to 128 KiB need no grant
	featureMethods  = "methods" // it says what it has to call
)

// config is Options as the layers below want them.
type config struct {
	opts     Options
	remote   Remote // what the other side is, once that is known
	endpoint endpoint.Config
	link     duplex.Options
	process  procspawn.Options

	remoteHello procspawn.Hello
	taps        *taps // nil: nothing is recorded
}

func newConfig(opts *Options) *config {
	c := new(config)
	if opts != nil {
		c.opts = *opts
	}
	o := &c.opts
	if o.MaxMessage == 0 {
		o.MaxMessage = handles.DefaultMaxMessage
	}
	c.endpoint = endpoint.Config{
		Message: message.Codec{Body: &body.Codec{
			Arrays:   o.StructsAsArrays,
			MaxDepth: o.MaxDepth,
		}},
		Serve: serve.Config{
			Server: o.Server,
			Limits: serve.Limits{
				Handlers:                o.MaxHandlers,
				HandlerBytes:            o.MaxHandlerBytes,
				Waiting:                 o.MaxWaiting,
				ConcurrentNotifications: o.ConcurrentNotify,
			},
			ServiceMethod: o.ServiceMethod,
			LatestFirst:   o.AnswerLatestFirst,
			RecoverPanics: o.RecoverPanics,
			Hook:          o.ServeHook.inner(),
			CountMethods:  o.MethodStats,
		},
		CallHook:   o.CallHook.inner(),
		Context:    o.Context,
		LogHandler: o.LogHandler,
		Logger:     o.Logger,

		StallReport: o.StallReport,
		LogFallback: o.LogFallback,
	}
	if o.Server == nil {
		c.endpoint.Serve.Server = rpc.DefaultServer
	}
	if o.Encoding != nil && o.Encoding != viaduct.MessagePack {
		c.endpoint.Message.Body.Encoding = o.Encoding
	}
	c.endpoint.Serve.List = o.lister(c.endpoint.Serve.Server)
	c.link = duplex.Options{
		MaxMessage:   o.MaxMessage,
		Window:       o.Window,
		SendQueue:    o.SendQueue,
		StreamWindow: o.StreamWindow,
		Backlog:      o.Backlog,
		Keepalive:    o.Keepalive,
	}
	c.process = procspawn.Options{
		Name: o.Name, Version: o.Version,
		NeedName: o.NeedName, MinVersion: o.MinVersion, MaxVersion: o.MaxVersion,
		HandshakeTimeout: o.HandshakeTimeout,
		Env:              o.Env,
		Stdio:            o.Stdio,
		CrashOutput:      o.CrashOutput,
		ParentDeath:      o.ParentDeath,
		Group:            o.Group,
		Limits:           o.Limits,
		OnThread:         o.OnThread,
		CloseTimeout:     o.CloseTimeout,
		TermTimeout:      o.TermTimeout,
		ExitTimeout:      o.ExitTimeout,
		DieOnInterrupt:   o.DieOnInterrupt,
	}
	handles.SetHello(&c.process, handles.Hello{
		MaxMessage: o.MaxMessage,
		Encoding:   encodingName(o.Encoding),
		Bodies:     o.bodies(),
		Features:   o.features(),
		Plain:      o.Dialect == viaduct.PlainDialect,
		Accept:     o.accept,
	})
	return c
}

// check reports options that can never work.
func (c *config) check() error { return cmp.Or(c.opts.check(), handles.Check(&c.process)) }

func (o *Options) bodies() []string {
	bodies := []string{body.MessagePack{}.Name()}
	if o.Dialect != viaduct.PlainDialect {
		bodies = append(bodies, bodyGob)
	}
	return bodies
}

func (o *Options) features() []string {
	features := []string{featureStreams, featureShutdown, featureCalls, featureSync, featureSettle}
	if o.Dialect != viaduct.PlainDialect {
		features = append(features, featureZones)
	}
	if tuning.Eager {
		features = append(features, featureEager)
	}
	if o.LogHandler != nil {
		features = append(features, featureLog)
	}
	if !o.NoListing {
		features = append(features, featureMethods)
	}
	return append(features, framesum.Features(o.Checksum)...)
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

// accept returns why this side cannot work with one that lists these features.
func (o *Options) accept(features []string) error {
	if o.Checksum && !slices.Contains(features, framesum.Known) {
		return ErrNoChecksum
	}
	return nil
}

// agreeOver is agree with what is at the other end of link.
func (c *config) agreeOver(link *procspawn.Link) {
	out, in := handles.Sums(link)
	frames := handles.Frames{SumsOut: out, SumsIn: in}
	if tuning.Capacity {
		frames.SetLarge = handles.SetLarge(link)
	}
	c.agree(link.Remote(), frames)
}

// agree takes over what the other side has said of itself.
func (c *config) agree(remote procspawn.Hello, frames handles.Frames) {
	c.remote, c.remoteHello = remoteOf(remote), remote
	if remote.MaxMessage > 0 {
		c.link.MaxSend = int(min(remote.MaxMessage, math.MaxInt))
	}
	plain := c.opts.Dialect == viaduct.PlainDialect
	c.endpoint.Message.Body.GoPeer = !plain && slices.Contains(remote.Bodies, bodyGob)
	c.endpoint.Message.Body.Zones = !plain && slices.Contains(remote.Features, featureZones)
	c.endpoint.Message.Extended = slices.Contains(remote.Features, featureCalls)
	c.endpoint.SyncPeer = slices.Contains(remote.Features, featureSync)
	c.endpoint.SettlePeer = slices.Contains(remote.Features, featureSettle)
	c.endpoint.ListPeer = slices.Contains(remote.Features, featureMethods)
	c.endpoint.LogPeer = slices.Contains(remote.Features, featureLog)
	c.link.Checksum = framesum.Agreed(c.opts.features(), remote.Features)
	frames.NoStreams = !slices.Contains(remote.Features, featureStreams)
	frames.NoShutdown = !slices.Contains(remote.Features, featureShutdown)
	frames.Eager = slices.Contains(remote.Features, featureEager) && tuning.Eager
	handles.SetFrames(&c.link, frames)
}

// withPeer has the contexts of methods know the Peer.
func (c *config) withPeer(p *Peer) endpoint.Config {
	values := c.endpoint.Context
	if values == nil {
		values = context.Background()
	}
	c.endpoint.Context = context.WithValue(values, peerKey{}, p)
	return c.endpoint
}
