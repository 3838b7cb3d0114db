package rpcpipe_test

import (
	"context"
	"log/slog"
	"net/rpc"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Lagging is a service whose method takes a millisecond.
type Lagging struct{ handled atomic.Int64 }

func (s *Lagging) Note(int, *int) error { s.work(); return nil }

func (s *Lagging) work() {
	<-time.After(time.Millisecond)
	s.handled.Add(1)
}

// requireEnds ends the link, waits for a, whose handlers are s, and checks that hardly anything is
// handled from then on.
func (s *Lagging) requireEnds(t *testing.T, a, b *rpcpipe.Peer) {
	t.Helper()
	synctest.Wait() // until all has arrived
	begin := time.Now()
	require.NoError(t, b.Close())
	require.NoError(t, a.Wait())
	require.Equal(t, 250*time.Millisecond, time.Since(begin))
	require.NoError(t, b.Wait())
	most := s.handled.Load() + 1
	require.InDelta(t, 250, most, 10)
	<-time.After(time.Minute)
	require.LessOrEqual(t, s.handled.Load(), most)
}

// TestGiveUpLog: log records that a handler has not got when Wait gives up are dropped, and counted.
func TestGiveUpLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Lagging)
		a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: handlerFunc(func(context.Context, slog.Record) { s.work() })}, nil)
		const n = 5000
		logMany(slog.New(b.LogHandler(nil)), n)
		s.requireEnds(t, a, b)
		_, in := a.LogDrops()
		require.EqualValues(t, n, int64(in)+s.handled.Load())
	})
}

// TestGiveUpNotes: and so are notifications that wait for their turn.
func TestGiveUpNotes(t *testing.T) {
	for _, concurrent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, server := new(Lagging), rpc.NewServer()
			require.NoError(t, server.Register(s))
			a, b := rpcpipe.Pair(&rpcpipe.Options{Server: server, ConcurrentNotify: concurrent, MaxHandlers: 1}, nil)
			const n = 1000
			for i := range n {
				require.NoError(t, b.Notify(t.Context(), "Lagging.Note", i))
			}
			s.requireEnds(t, a, b)
			stats := a.Stats().Served
			require.EqualValues(t, n, stats.Notifications)
			require.EqualValues(t, n, int64(stats.DroppedNotifications)+s.handled.Load())
			require.Zero(t, stats.WaitingNotifications)
			require.Zero(t, stats.Running)
		})
	}
}

// TestGiveUpNothing: what is handled in time is not dropped.
func TestGiveUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := new(Lagging), rpc.NewServer()
		require.NoError(t, server.Register(s))
		a, b := rpcpipe.Pair(&rpcpipe.Options{Server: server, LogHandler: handlerFunc(func(context.Context, slog.Record) { s.work() })}, nil)
		const n = 200
		logMany(slog.New(b.LogHandler(nil)), n)
		for i := range n {
			require.NoError(t, b.Notify(t.Context(), "Lagging.Note", i))
		}
		require.NoError(t, b.Close())
		require.NoError(t, a.Wait())
		require.EqualValues(t, 2*n, s.handled.Load())
		_, in := a.LogDrops()
		require.Zero(t, in)
		require.Zero(t, a.Stats().Served.DroppedNotifications)
		require.NoError(t, b.Wait())
	})
}
