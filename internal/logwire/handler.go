package logwire

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// handler is what Sender.Handler returns. It does not change.
type handler struct {
	sender *Sender
	opts   slog.HandlerOptions
	attrs  encoder // what WithAttrs and WithGroup have brought: the map of attributes so far

	fallback slog.Handler // for what cannot go to the other side, with the same attributes
}

// Handler returns a handler whose records go to the other side: see rpcpipe.Peer.LogHandler.
func (s *Sender) Handler(opts *slog.HandlerOptions) slog.Handler { return newHandler(s, opts) }

func newHandler(sender *Sender, opts *slog.HandlerOptions) *handler {
	h := &handler{sender: sender}
	if opts != nil {
		h.opts = *opts
	}
	h.attrs.limit, h.attrs.replace = maxMessage, h.opts.ReplaceAttr
	h.attrs.open("")
	h.fallback = sender.fallback(&h.opts)
	return h
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	least := slog.LevelInfo
	if h.opts.Level != nil {
		least = h.opts.Level.Level()
	}
	return level >= least && (h.sender.open() || h.fallback.Enabled(ctx, level))
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	h2 := h.clone()
	for _, a := range attrs {
		h2.attrs.attr(a)
	}
	h2.fallback = h.fallback.WithAttrs(attrs)
	return h2
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" || len(h.attrs.maps) >= maxDepth {
		return h
	}
	h2 := h.clone()
	h2.attrs.open(name)
	h2.fallback = h.fallback.WithGroup(name)
	return h2
}

func (h *handler) clone() *handler {
	h2 := *h
	h2.attrs.b = slices.Clone(h.attrs.b)
	h2.attrs.maps = slices.Clone(h.attrs.maps)
	h2.attrs.groups = slices.Clone(h.attrs.groups)
	return &h2
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// Handle returns the error of the fallback. Nobody would be told of another.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	s := h.sender
	if !s.open() {
		s.Settle() // in the order that things were said; and who says this may end the process
		return h.fallBack(ctx, r)
	}
	if s.full.Load() {
		s.drop()
		return nil
	}
	if !h.send(&r) {
		return h.fallBack(ctx, r)
	}
	return nil
}

// send sends r, or queues it, or drops it for want of room. It reports false if the link takes no
// more.
func (h *handler) send(r *slog.Record) bool {
	e := encoders.Get().(*encoder)
	defer func() {
		e.replace = nil
		encoders.Put(e)
	}()
	e.b = appendHead(e.b[:0])
	e.limit, e.replace, e.over = min(maxMessage, h.sender.host.Out.MaxSend()), h.opts.ReplaceAttr, false
	e.record(r, h)
	if e.over {
		e.b, e.over = e.b[:headSize], false
		e.shortRecord(r)
	}
	if e.over {
		h.sender.drop()
		return true
	}
	return h.sender.send(e.b)
}
