package logwire

import (
	"context"
	"log/slog"
	"math"
	"os"
)

// The fallback is where records go when the link has ended, or when the other side takes none: the
// last words of a program are to be heard by somebody.

// fallback returns the handler that is the fallback of one with opts.
func (s *Sender) fallback(opts *slog.HandlerOptions) slog.Handler {
	if s.host.Fallback != nil {
		return s.host.Fallback
	}
	return slog.NewTextHandler(stderr{}, opts)
}

// stderr is os.Stderr, whatever that is when something is written.
type stderr struct{}

func (stderr) Write(p []byte) (int, error) { return os.Stderr.Write(p) }

// fallBack gives r to the fallback, or counts it if that does not want it.
func (h *handler) fallBack(ctx context.Context, r slog.Record) error {
	s, wanted := h.sender, h.fallback.Enabled(ctx, r.Level)
	// While the link is draining the other side is still there, and misses the record.
	if !wanted || s.open() && s.host.Out.Draining() != nil {
		s.drop()
	}
	if !wanted {
		return nil
	}
	return h.fallback.Handle(ctx, r)
}

// fallBack gives the records of b, which were not sent, to the fallback, and counts those that it
// does not get.
func (s *Sender) fallBack(b *batch) {
	// Their handler has seen to the level and to ReplaceAttr already.
	h := s.fallback(&slog.HandlerOptions{Level: slog.Level(math.MinInt)})
	ctx := context.Background()
	records := b.msg[headSize:]
	for range b.n {
		record, rest, _ := nextRecord(records) // this side has written it
		records = rest
		r, err := decodeRecord(record)
		if err != nil || s.over.Load() || !h.Enabled(ctx, r.Level) {
			s.total.Add(1)
			continue
		}
		_ = h.Handle(ctx, r)
	}
}

// GiveUp has no more of what was queued at the link's end go to the fallback, and counts it. It is
// for when nobody waits for the worker any more: the fallback may be slow.
func (s *Sender) GiveUp() { s.over.Store(true) }
