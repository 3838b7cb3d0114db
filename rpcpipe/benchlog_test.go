package rpcpipe_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	children["log sink"] = func([]string) {
		connect(&rpcpipe.Options{LogHandler: slog.NewTextHandler(io.Discard, nil)}).Wait()
	}
}

// BenchmarkLog: what a record costs who logs it to a process that writes it out, beside one that is
// written out to nowhere here. Records come faster than they are handled: how many are dropped is
// shown, too.
func BenchmarkLog(b *testing.B) {
	p, err := rpcpipe.Start(b.Context(), procspawn.Self("log sink"), nil)
	require.NoError(b, err)
	defer p.Close()
	many := func(h slog.Handler) func(n int) {
		log := slog.New(h)
		return func(n int) { logMany(log, n) }
	}
	b.ReportAllocs()
	compare(b,
		contender{"text", many(slog.NewTextHandler(io.Discard, nil))},
		contender{"forwarded", many(p.LogHandler(nil))},
	)
	out, _ := p.LogDrops()
	b.ReportMetric(float64(out)/float64(b.N), "drops/op")
}

// BenchmarkLogOne: one record after another, each when the one before was handled.
func BenchmarkLogOne(b *testing.B) {
	handled := make(chan struct{}, 1)
	a, other := rpcpipe.Pair(&rpcpipe.Options{LogHandler: handlerFunc(func(context.Context, slog.Record) { handled <- struct{}{} })}, nil)
	defer a.Close()
	log := slog.New(other.LogHandler(nil))
	b.ReportAllocs()
	for b.Loop() {
		log.Info("something has happened", "i", 1, "name", "of some length", "took", time.Second)
		<-handled
	}
}
