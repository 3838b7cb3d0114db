package duplex

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestTrySend: it sends what need not wait, in order with the rest, and otherwise nothing of it.
func TestTrySend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{Window: 100, MaxMessage: 1 << 20, MaxSend: 1 << 20})
		lane := a.ClientLane()
		synctest.Wait() // the credit has come
		try := func(n int) bool {
			sent, err := lane.TrySend(body(n, 50))
			require.NoError(t, err)
			return sent
		}
		for i := range 2 {
			require.True(t, try(i))
		}
		require.False(t, try(2), "the credit is used up")
		waiting := make(chan error, 1)
		go func() { waiting <- lane.Send(t.Context(), body(2, 50), true) }()
		synctest.Wait()
		require.False(t, try(3))
		in := receive(b.ServerLane(), false)
		require.NoError(t, <-waiting)
		synctest.Wait()
		require.True(t, try(3))
		for i, msg := range in.wait(t, 4) {
			require.Equal(t, i, checkBody(t, msg))
		}
		long := body(4, maxPayload+1)
		sent, err := lane.TrySend(long)
		require.NoError(t, err)
		require.True(t, sent)
		clear(long)   // it is the caller's again
		sent = try(5) // unless the long one still waits for its grant: it overtakes nothing
		require.Equal(t, 4, checkBody(t, in.wait(t, 1)[0]))
		if sent {
			require.Equal(t, 5, checkBody(t, in.wait(t, 1)[0]))
		}
		synctest.Wait()
		_, err = lane.TrySend(nil)
		require.Equal(t, errEmpty, err)
		var size *SizeError
		_, err = lane.TrySend(make([]byte, 1<<20+1))
		require.ErrorAs(t, err, &size)

		order{a}.Working(1)
		b.drain()
		synctest.Wait()
		require.False(t, order{a}.Serving(1))
		require.True(t, order{a}.Serving(0))
		require.True(t, try(4), "something is being worked on")
		order{a}.Working(-1)
		require.False(t, order{a}.Serving(0))
		_, err = lane.TrySend(body(5, 50))
		require.Equal(t, ErrShutdown, err)
		require.NoError(t, b.Shutdown(t.Context()))
		<-a.Done()
		_, err = lane.TrySend(body(5, 50))
		require.ErrorIs(t, err, ErrPeerClosed)
		require.Equal(t, 4, checkBody(t, in.wait(t, 1)[0]))
	})
}
