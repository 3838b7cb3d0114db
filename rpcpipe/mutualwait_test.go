package rpcpipe_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// OpenStream, a notification, opens a stream.
func (m *Mutual) OpenStream(int, *int) error {
	s, err := m.peer.Open(context.Background())
	if err == nil {
		s.Close()
	}
	m.done <- err
	return nil
}

// TestNotificationsBehindOpen: they do not hold up whom its handler waits for, who accepts behind them.
func TestNotificationsBehindOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 5000
		x, y := mutuals(t, nil)
		require.NoError(t, y.peer.Notify(t.Context(), "Mutual.OpenStream", 0))
		require.NoError(t, y.Work(n, nil))
		s, err := y.peer.Accept()
		require.NoError(t, err)
		require.NoError(t, <-x.done)
		require.NoError(t, s.Close())
		synctest.Wait()
		require.EqualValues(t, n, x.heard.Load())
		x.end(t, y)
	})
}

// TryAndFlush, a notification, says as much as goes without waiting, and waits until that is sent.
func (m *Mutual) TryAndFlush(n int, _ *int) error {
	for range 20 {
		if _, err := m.peer.TryNotify("Mutual.Progress", make([]byte, n)); err != nil {
			m.done <- err
			return nil
		}
		time.Sleep(time.Second) // of the bubble: others go on, which lets more be sent
	}
	m.done <- m.peer.Flush(context.Background())
	return nil
}

// TestNotificationsBehindFlush: who flushes waits as who sends does.
func TestNotificationsBehindFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 140_000
		x, y := mutuals(t, &rpcpipe.Options{MaxMessage: 150_000})
		require.NoError(t, y.peer.Notify(t.Context(), "Mutual.TryAndFlush", size))
		synctest.Wait()
		require.NoError(t, x.peer.Notify(t.Context(), "Mutual.TryAndFlush", size))
		require.NoError(t, <-x.done)
		require.NoError(t, <-y.done)
		x.end(t, y)
	})
}

// Big reports its progress n times, by what is quick at first, and then waits for whom the report is for.
func (m *Mutual) Big(n int, _ *int) error {
	for i := range n {
		method := "Mutual.Await"
		if i < n/4 {
			method = "Mutual.Progress"
		}
		if err := m.peer.Notify(context.Background(), method, make([]byte, 1_000_000)); err != nil {
			return err
		}
	}
	return nil
}

// Await, a notification, waits until who has made the order goes on.
func (m *Mutual) Await([]byte, *int) error {
	<-m.ordered
	return nil
}

// Hold, a notification, waits until the test says so.
func (m *Mutual) Hold(int, *int) error {
	<-m.hold
	return nil
}

// OrderBig, a notification, has the other side do Big.
func (m *Mutual) OrderBig(n int, _ *int) error {
	err := m.peer.Call("Mutual.Big", n, nil)
	close(m.ordered)
	m.done <- err
	return nil
}

// TestConcurrentNotificationsBehindWhoWaits: when the turn of one comes whose room was released early,
// the room of the next is, although nothing comes in and nobody begins to wait.
func TestConcurrentNotificationsBehindWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x, y := mutuals(t, &rpcpipe.Options{ConcurrentNotify: true, MaxHandlers: 2})
		require.NoError(t, y.peer.Notify(t.Context(), "Mutual.OrderBig", 82))
		require.NoError(t, y.peer.Notify(t.Context(), "Mutual.Hold", 0))
		synctest.Wait()
		require.Empty(t, x.done, "as much waits as may")
		close(x.hold)
		require.NoError(t, <-x.done)
		x.end(t, y)
	})
}
