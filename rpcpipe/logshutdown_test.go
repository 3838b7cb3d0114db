package rpcpipe_test

import (
	"context"
	"log/slog"
	"net/rpc"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// gated is a handler for book that waits for gate first.
func gated(book *logbook, gate <-chan struct{}) slog.Handler {
	return handlerFunc(func(ctx context.Context, r slog.Record) {
		<-gate
		book.Handle(ctx, r)
	})
}

// TestLogShutdown: what was logged before is handled before Shutdown returns, on whichever side,
// and so is what methods log that are still being served. What is logged otherwise is counted.
func TestLogShutdown(t *testing.T) {
	for side := range 2 {
		synctest.Test(t, func(t *testing.T) {
			logGate, gate := make(chan struct{}), make(chan struct{})
			book := newLogbook()
			var log *slog.Logger
			server := rpc.NewServer()
			require.NoError(t, server.RegisterName("Test", asker(func(context.Context) error {
				<-gate
				log.Info("served")
				return nil
			})))
			other := newLogbook()
			a, b := rpcpipe.Pair(
				&rpcpipe.Options{LogHandler: gated(book, logGate), LogFallback: slog.DiscardHandler},
				&rpcpipe.Options{Server: server, LogHandler: other, LogFallback: slog.DiscardHandler})
			log = slog.New(b.LogHandler(nil))
			const n = 3000
			logMany(log, n)
			call := a.Go("Test.Ask", &Parcel{}, nil, nil)
			synctest.Wait() // the call is being served
			ended := make(chan error, 1)
			go func() { ended <- []*rpcpipe.Peer{a, b}[side].Shutdown(t.Context()) }()
			synctest.Wait()
			close(gate)
			require.NoError(t, (<-call.Done).Error)
			synctest.Wait()
			require.Empty(t, ended) // the handler has not had its records
			log.Info("too late")
			out, _ := b.LogDrops()
			require.EqualValues(t, 1, out)
			slog.New(a.LogHandler(nil)).Info("the handler is no method")
			out, _ = a.LogDrops()
			require.EqualValues(t, 1, out)
			close(logGate)
			require.NoError(t, <-ended)
			require.Equal(t, n+1, len(book.records)+book.dropped)
			require.Empty(t, other.records)
			require.Equal(t, "served", book.records[len(book.records)-1].Message)
			require.NoError(t, a.Wait())
			require.NoError(t, b.Wait())
		})
	}
}

// TestLogShutdownDespiteFlood: who logs all the time does not keep the link from
// its end, also if both do, and each has the other's records to handle all the time.
func TestLogShutdownDespiteFlood(t *testing.T) {
	before := runtime.NumGoroutine()
	books := [2]*logbook{newLogbook(), newLogbook()}
	var peers [2]*rpcpipe.Peer
	peers[0], peers[1] = rpcpipe.Pair(
		&rpcpipe.Options{LogHandler: books[0], LogFallback: slog.DiscardHandler},
		&rpcpipe.Options{LogHandler: books[1], LogFallback: slog.DiscardHandler})
	var over atomic.Bool
	var logging sync.WaitGroup
	var logged [2]atomic.Int64
	for i, p := range peers {
		log := slog.New(p.LogHandler(nil))
		for range 2 {
			logging.Go(func() {
				for !over.Load() {
					if log.Enabled(t.Context(), slog.LevelInfo) { // otherwise it is not counted
						logged[i].Add(1)
						log.Info("message")
					} else {
						runtime.Gosched() // nothing is sent any more, and others have much to do
					}
				}
			})
		}
	}
	books[0].waitFor(100)
	books[1].waitFor(100)
	require.NoError(t, peers[0].Shutdown(t.Context()))
	over.Store(true)
	logging.Wait()
	require.NoError(t, peers[0].Wait())
	require.NoError(t, peers[1].Wait())
	for i := range peers {
		out, _ := peers[i].LogDrops()
		_, in := peers[1-i].LogDrops()
		book := books[1-i]
		require.EqualValues(t, in, book.dropped)
		require.LessOrEqual(t, int64(len(book.records))+int64(in), logged[i].Load())
		require.LessOrEqual(t, logged[i].Load(), int64(len(book.records))+int64(in)+int64(out)+2) // two may have found the link's end behind Enabled
	}
	for runtime.NumGoroutine() > before { // those that have done their last deed
		runtime.Gosched()
	}
}

// TestLogBesideNotes: a handler and a method called by Notify that are blocked do not hold up each other.
func TestLogBesideNotes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here := newService()
		book, gate := newLogbook(), make(chan struct{})
		opts := here.options()
		opts.LogHandler = gated(book, gate)
		a, b := rpcpipe.Pair(opts, nil)
		log := slog.New(b.LogHandler(nil))
		const n = 20_000
		logMany(log, n)
		for i := range 100 {
			require.NoError(t, b.Notify(t.Context(), "Service.Note", i))
			log.Info("message")
		}
		var notes []int
		require.NoError(t, b.Call("Service.Notes", 100, &notes))
		close(gate)
		require.Equal(t, n+100, len(book.waitFor(n+100))+book.dropped)

		require.NoError(t, b.Notify(t.Context(), "Service.ParkNote", nil))
		log.Info("beside one")
		book.waitFor(n + 101)
		var sending sync.WaitGroup
		for range 10 { // more than there is room for
			sending.Go(func() { b.Notify(t.Context(), "Service.ParkNote", make([]byte, 1<<20)) })
		}
		synctest.Wait()
		logMany(log, n) // behind them
		require.NoError(t, b.Call("Service.Unpark", 0, nil))
		sending.Wait()
		book.waitFor(2*n + 101)
		require.Equal(t, 2*n+101, len(book.records)+book.dropped)
		require.NoError(t, a.Close())
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	})
}

// TestLogHandlerGoexit: a handler that ends its goroutine does not end the log.
func TestLogHandlerGoexit(t *testing.T) {
	book := newLogbook()
	log := slog.New(logPair(t, handlerFunc(func(ctx context.Context, r slog.Record) {
		book.Handle(ctx, r)
		runtime.Goexit()
	})).LogHandler(nil))
	logMany(log, 100)
	require.Len(t, book.waitFor(100), 100)
}

// TestLogWaitIsBounded: a handler that does not return is given up like a method.
func TestLogWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		book := newLogbook()
		a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: gated(book, gate)}, nil)
		logMany(slog.New(b.LogHandler(nil)), 100)
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, b.Close())
		require.NoError(t, a.Wait())
		require.Equal(t, 250*time.Millisecond, time.Since(begin))
		require.NoError(t, b.Wait())
		close(gate)
		synctest.Wait()
		require.Len(t, book.records, 1) // the one that it was at
		_, in := a.LogDrops()
		require.EqualValues(t, 99, in)
	})
}
