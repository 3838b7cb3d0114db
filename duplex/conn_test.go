package duplex

import (
	"bytes"
	"context"
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
