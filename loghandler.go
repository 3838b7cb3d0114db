package viaduct

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// logHandler is the handler that LogHandler returns. It does not change.
type logHandler struct {
	sender *logSender
	opts   slog.HandlerOptions
	attrs  logEncoder // what WithAttrs and WithGroup have brought: the map of attributes so far
}

func newLogHandler(sender *logSender, opts *slog.HandlerOptions) *logHandler {
	h := &logHandler{sender: sender}
	if opts != nil {
		h.opts = *opts
	}
	h.attrs.limit, h.attrs.replace = logFrame, h.opts.ReplaceAttr
	h.attrs.open("")
	return h
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	least := slog.LevelInfo
	if h.opts.Level != nil {
		least = h.opts.Level.Level()
	}
	return level >= least && h.sender.open()
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	h2 := h.clone()
	for _, a := range attrs {
		h2.attrs.attr(a)
	}
	return h2
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" || len(h.attrs.maps) >= maxLogDepth {
		return h
	}
	h2 := h.clone()
	h2.attrs.open(name)
	return h2
}

func (h *logHandler) clone() *logHandler {
	h2 := *h
	h2.attrs.b = slices.Clone(h.attrs.b)
	h2.attrs.maps = slices.Clone(h.attrs.maps)
	h2.attrs.groups = slices.Clone(h.attrs.groups)
	return &h2
}

var logEncoders = sync.Pool{New: func() any { return new(logEncoder) }}

// Handle always returns nil: nobody would be told of an error.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	if !h.sender.room() {
		return nil
	}
	e := logEncoders.Get().(*logEncoder)
	e.b = appendLogHead(e.b[:0])
	e.limit, e.replace, e.over = min(logFrame, h.sender.e.out.MaxSend()), h.opts.ReplaceAttr, false
	e.record(&r, h)
	if e.over {
		e.b, e.over = e.b[:logHead], false
		e.shortRecord(&r)
	}
	if e.over {
		h.sender.drop()
	} else {
		h.sender.send(e.b)
	}
	e.replace = nil
	logEncoders.Put(e)
	return nil
}
