package endpoint

import (
	"context"
	"io"
	"log/slog"
	"net/rpc"
	"time"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Options are a Config in few words. A nil *Options and zero fields mean the defaults.
type Options struct {
	Server              *rpc.Server
	MaxMessage          int
	MaxDepth            int
	GoPeer, Extended    bool
	StructsAsArrays     bool
	ServiceMethod       func(string) string
	AnswerLatestFirst   bool
	Context             context.Context
	Encoding            body.Encoding
	MaxHandlers         int
	MaxHandlerBytes     int
	MaxWaiting          int
	ConcurrentNotify    bool
	RecoverPanics       bool
	CallHook, ServeHook serve.Hook
	LogHandler          slog.Handler
	LogPeer             bool
	LogFallback         slog.Handler
	Logger              *slog.Logger
	StallReport         time.Duration
}

// NewEndpoint starts an endpoint. client and server are links, or connections.
func NewEndpoint(client, server any, o *Options) *Endpoint {
	if o == nil {
		o = new(Options)
	}
	cfg := Config{
		Message: message.Codec{
			Body:     &body.Codec{Encoding: o.Encoding, GoPeer: o.GoPeer, Arrays: o.StructsAsArrays, MaxDepth: o.MaxDepth},
			Extended: o.Extended,
		},
		Serve: serve.Config{
			Server: o.Server,
			Limits: serve.Limits{
				Handlers: o.MaxHandlers, HandlerBytes: o.MaxHandlerBytes, Waiting: o.MaxWaiting,
				ConcurrentNotifications: o.ConcurrentNotify,
			},
			ServiceMethod: o.ServiceMethod,
			LatestFirst:   o.AnswerLatestFirst,
			RecoverPanics: o.RecoverPanics,
			Hook:          o.ServeHook,
		},
		CallHook:    o.CallHook,
		Context:     o.Context,
		LogHandler:  o.LogHandler,
		LogPeer:     o.LogPeer,
		LogFallback: o.LogFallback,
		Logger:      o.Logger,
		StallReport: o.StallReport,
	}
	if cfg.Serve.Server == nil {
		cfg.Serve.Server = rpc.DefaultServer
	}
	max := o.MaxMessage
	if max == 0 {
		max = handles.DefaultMaxMessage
	}
	if out, ok := client.(link.Link); ok {
		in, _ := server.(link.Link)
		if in == nil {
			in = out
		}
		return New(out, in, cfg)
	}
	in, _ := server.(io.ReadWriteCloser)
	return NewBare(client.(io.ReadWriteCloser), in, max, cfg)
}

// StallTimer reports whether the timer is armed that reports what waits for long.
func (e *Endpoint) StallTimer() bool {
	e.stalls.mu.Lock()
	defer e.stalls.mu.Unlock()
	return e.stalls.armed
}
