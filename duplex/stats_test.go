package duplex

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestStats: what it counts, and that it measures the round trip for the next time.
func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		out := len(p.out())
		require.EqualValues(t, out, p.Stats().BytesOut)
		require.Equal(t, wire("30 00 00 00 00 00 00 00"), p.out())
		time.Sleep(time.Second)
		require.Zero(t, p.Stats().RoundTrip)
		require.Empty(t, p.out(), "one is on its way")
		in := p.Stats().BytesIn
		_, err := p.raw.Write(wire("31 00 00 00 00 00 00 00"))
		require.NoError(t, err)
		synctest.Wait()
		s := p.Stats()
		require.Equal(t, time.Second, s.RoundTrip)
		require.Equal(t, in+8, s.BytesIn)
		require.EqualValues(t, out+8, s.BytesOut)
		require.Equal(t, wire("30 00 00 00 01 00 00 00"), p.out(), "asked again")
		p.Close()
		p.Stats()
	})
}

// TestStatsWaiting: what waits, where and how much.
func TestStatsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t)
		for range 3 {
			sending(t.Context(), p.ClientLane(), body(1, 20_000), false)
		}
		synctest.Wait()
		s := p.Stats()
		require.Equal(t, 2*(headerSize+20_000), s.SendQueue)
		require.Equal(t, 1, s.Senders)
		for s.SendQueue+s.Senders > 0 {
			p.read(t)
			s = p.Stats()
		}
	})
}

// TestFlush: it returns when what was sent is with the system, or its context has ended.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t)
		sending(t.Context(), p.ClientLane(), body(1, 100), false)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		p.ClientLane().Flush(ctx)
		require.Equal(t, time.Second, time.Since(begin))
		flushed := make(chan struct{})
		go func() {
			p.ClientLane().Flush(t.Context())
			close(flushed)
		}()
		synctest.Wait()
		require.False(t, isClosed(flushed))
		for !isClosed(flushed) {
			p.read(t)
		}
		p.ClientLane().Flush(t.Context()) // there is nothing
		p.raw.Close()
		p.Wait()
		p.ClientLane().Flush(t.Context())
	})
}
