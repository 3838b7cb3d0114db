package duplex

import (
	"bytes"
	"context"
	"math"
	"math/rand"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEchoSizes(t *testing.T) {
	a, b := net.Pipe()
	opts := &Options{MaxMessage: 1 << 20, Window: 64}
	ca, cb := New(a, opts), New(b, opts)
	defer ca.Close()
	var served sync.WaitGroup
	served.Go(func() {
		for {
			msg, err := cb.ServerLane().ReadMessage()
			if err != nil {
				return
			}
			if err := cb.ServerLane().WriteMessage(msg); err != nil {
				return
			}
		}
	})
	rng := rand.New(rand.NewSource(1))
	for _, n := range []int{1, 2, 63, 64, 65, 1000, firstData, firstData + 1, maxPayload, maxPayload + 1, 2*maxPayload + 17, 1 << 20} {
		msg := make([]byte, n)
		rng.Read(msg)
		require.NoError(t, ca.ClientLane().Send(context.Background(), msg, false))
		got, err := ca.ClientLane().ReadMessage()
		require.NoError(t, err)
		require.True(t, bytes.Equal(msg, got), "message of %d bytes", n)
	}
	require.NoError(t, ca.Close())
	served.Wait()
	require.ErrorIs(t, cb.Wait(), ErrPeerClosed)
	require.ErrorIs(t, ca.Wait(), ErrClosed)
}

// TestLimitsBelowZero: they mean the defaults, and what is above a range its end.
func TestLimitsBelowZero(t *testing.T) {
	o := &Options{MaxMessage: -1, MaxSend: -1, Window: -1, SendQueue: -1, StreamWindow: -1, Backlog: -1, Keepalive: -1}
	var none *Options
	for _, get := range []func(*Options) int{
		(*Options).maxMessage, (*Options).maxSend, (*Options).window, (*Options).sendQueue, (*Options).streamWindow, (*Options).backlog,
	} {
		require.Equal(t, get(none), get(o))
		require.Positive(t, get(o))
	}
	require.Zero(t, o.keepalive())
	require.Equal(t, maxWindow, (&Options{Window: math.MaxInt}).window())
	require.Equal(t, maxWindow, (&Options{StreamWindow: math.MaxInt}).streamWindow())
}
