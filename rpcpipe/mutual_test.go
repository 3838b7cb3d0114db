package rpcpipe_test

import (
	"context"
	"net/rpc"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Mutual is a service of both sides, whose methods need the other side while that needs this one.
type Mutual struct {
	peer  *rpcpipe.Peer
	done  chan error
	heard atomic.Int64

	ordered chan struct{} // closed when the order was carried out
	hold    chan struct{} // closed by the test
}

// Order, a notification, has the other side work.
func (m *Mutual) Order(n int, _ *int) error {
	m.done <- m.peer.Call("Mutual.Work", n, nil)
	return nil
}

// OrderStream, a notification, sends the other side a stream to work on.
func (m *Mutual) OrderStream(n int, _ *int) error {
	s, err := m.peer.Open(context.Background())
	if err == nil {
		_, err = s.Write(make([]byte, n*1000))
		s.Close()
	}
	m.done <- err
	return nil
}

// Work reports its progress n times.
func (m *Mutual) Work(n int, _ *int) error {
	for range n {
		if err := m.peer.Notify(context.Background(), "Mutual.Progress", make([]byte, 1000)); err != nil {
			return err
		}
	}
	return nil
}

// Until returns when the test says so.
func (m *Mutual) Until(int, *int) error { return <-m.done }

func (m *Mutual) Progress([]byte, *int) error { m.heard.Add(1); return nil }

// Echo, a notification, sends n more.
func (m *Mutual) Echo(n int, _ *int) error { m.done <- m.Work(n, nil); return nil }

// mutuals returns two that are linked, by options but for the server; nil: the defaults.
func mutuals(t *testing.T, opts *rpcpipe.Options) (x, y *Mutual) {
	side := func() (*Mutual, *rpcpipe.Options) {
		m := &Mutual{done: make(chan error, 1), ordered: make(chan struct{}), hold: make(chan struct{})}
		o := new(rpcpipe.Options)
		if opts != nil {
			*o = *opts
		}
		o.Server = rpc.NewServer()
		require.NoError(t, o.Server.Register(m))
		return m, o
	}
	x, optsX := side()
	y, optsY := side()
	x.peer, y.peer = rpcpipe.Pair(optsX, optsY)
	return x, y
}

func (m *Mutual) end(t *testing.T, other *Mutual) {
	require.NoError(t, m.peer.Shutdown(t.Context()))
	m.peer.Wait()
	other.peer.Wait()
}

// TestNotificationsBehindWhoWaits: notifications that wait for a handler do not hold up what that
// handler waits for.
func TestNotificationsBehindWhoWaits(t *testing.T) {
	t.Parallel()
	const n = 5000 // of 1,000 bytes, far beyond the credit
	t.Run("call", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, y := mutuals(t, nil)
			require.NoError(t, y.peer.Notify(t.Context(), "Mutual.Order", n))
			require.NoError(t, <-x.done)
			synctest.Wait()
			require.EqualValues(t, n, x.heard.Load())
			x.end(t, y)
		})
	})
	t.Run("the call comes later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, y := mutuals(t, nil)
			hold := make(chan error)
			held := x.done
			x.done = hold // the handler of Echo, which sends none, waits
			require.NoError(t, y.peer.Notify(t.Context(), "Mutual.Echo", 0))
			working := make(chan error, 1)
			go func() { working <- y.Work(n, nil) }()
			synctest.Wait()
			require.Empty(t, working, "nobody waits: the credit holds y up")
			call := x.peer.Go("Mutual.Until", 0, nil, nil)
			require.NoError(t, <-working)
			y.done <- nil
			require.NoError(t, (<-call.Done).Error)
			<-hold
			x.done = held
			synctest.Wait()
			require.EqualValues(t, n, x.heard.Load())
			x.end(t, y)
		})
	})
	t.Run("stream", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, y := mutuals(t, nil)
			require.NoError(t, y.peer.Notify(t.Context(), "Mutual.OrderStream", n))
			s, err := y.peer.Accept()
			require.NoError(t, err)
			require.NoError(t, y.Work(n, nil), "before the stream is read")
			go func() {
				buf := make([]byte, 32<<10)
				for err := error(nil); err == nil; _, err = s.Read(buf) {
				}
				s.Close()
			}()
			require.NoError(t, <-x.done)
			synctest.Wait()
			require.EqualValues(t, n, x.heard.Load())
			x.end(t, y)
		})
	})
	t.Run("both sides", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			x, y := mutuals(t, nil)
			require.NoError(t, x.peer.Notify(t.Context(), "Mutual.Echo", n))
			require.NoError(t, y.peer.Notify(t.Context(), "Mutual.Echo", n))
			require.NoError(t, <-x.done)
			require.NoError(t, <-y.done)
			synctest.Wait()
			require.EqualValues(t, n, x.heard.Load())
			require.EqualValues(t, n, y.heard.Load())
			x.end(t, y)
		})
	})
}

// TestNotificationsBehindWhoWaitsBound: 64 MiB of them may wait, then whoever sends them waits too, and
// goes on when they are handled.
func TestNotificationsBehindWhoWaitsBound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, size = 3000, 30_000
		x, y := mutuals(t, nil)
		hold := make(chan error)
		x.done = hold // the handler of Echo waits
		require.NoError(t, y.peer.Notify(t.Context(), "Mutual.Echo", 0))
		call := x.peer.Go("Mutual.Until", 0, nil, nil)
		var sent atomic.Int64
		working := make(chan error, 1)
		go func() {
			for range n {
				if err := y.peer.Notify(t.Context(), "Mutual.Progress", make([]byte, size)); err != nil {
					working <- err
					return
				}
				sent.Add(1)
			}
			working <- nil
		}()
		synctest.Wait()
		require.InDelta(t, 64<<20/size, sent.Load(), 30)
		<-hold
		require.NoError(t, <-working)
		y.done <- nil
		require.NoError(t, (<-call.Done).Error)
		synctest.Wait()
		require.EqualValues(t, n, x.heard.Load())
		x.end(t, y)
	})
}
