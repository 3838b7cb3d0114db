package viaduct

import (
	"context"
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Gate is a service whose method waits.
type Gate struct {
	at   chan int
	open chan struct{}
}

func newGate() (*Gate, *rpc.Server) {
	g := &Gate{make(chan int, 100_000), make(chan struct{})}
	s := rpc.NewServer()
	if err := s.Register(g); err != nil {
		panic(err)
	}
	return g, s
}

func (g *Gate) Pass(n int, reply *int) error {
	g.at <- n
	<-g.open
	*reply = n
	return nil
}

func barePair(a, b *Options) (x, y *Endpoint) {
	cx, cy := net.Pipe()
	return NewEndpoint(cx, nil, a), NewEndpoint(cy, nil, b)
}

// TestCancelBehindClose: a call that waited when the link ended is nobody's any more.
func TestCancelBehindClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, server := newGate()
		a, b := barePair(nil, &Options{Server: server, MaxHandlers: 1})
		done := make(chan *rpc.Call, 3)
		for i := range 3 {
			a.Go("Gate.Pass", i, nil, done)
		}
		synctest.Wait()
		require.Equal(t, 2, b.Stats().Served.Waiting)
		b.dispatcher.close() // the reader may be in the middle of something
		require.Zero(t, b.Stats().Served.Waiting)
		alive, _ := b.dispatcher.workerCounts()
		for id := range uint32(4) {
			b.dispatcher.cancel(id)
		}
		after, _ := b.dispatcher.workerCounts()
		require.Equal(t, alive, after, "nobody would wait for them")
		a.Close()
		b.Close()
		close(g.open)
		require.Zero(t, a.Wait(t.Context()))
		require.Zero(t, b.Wait(t.Context()))
	})
}

func (d *dispatcher) workerCounts() (alive, idle int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pool.alive, len(d.pool.idle)
}

// TestWorkersAreTrimmed: those that had nothing to do for a while end, and
// those that have are reused.
func TestWorkersAreTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, server := newGate()
		a, b := barePair(nil, &Options{Server: server})
		done := make(chan *rpc.Call, 100)
		for i := range 100 {
			a.Go("Gate.Pass", i, new(int), done)
		}
		for range 100 {
			<-g.at
		}
		alive, idle := b.dispatcher.workerCounts()
		require.Equal(t, []int{100, 0}, []int{alive, idle})
		close(g.open)
		for range 100 {
			require.NoError(t, (<-done).Error)
		}
		synctest.Wait()
		alive, idle = b.dispatcher.workerCounts()
		require.Equal(t, []int{100, 100}, []int{alive, idle}, "they stay warm")
		for range 10 {
			require.NoError(t, a.Call("Gate.Pass", 1, nil))
		}
		alive, _ = b.dispatcher.workerCounts()
		require.Equal(t, 100, alive, "they are reused")

		var warm *worker
		for i := range 20 { // one worker is enough for these
			time.Sleep(100 * time.Millisecond)
			require.NoError(t, a.Call("Gate.Pass", 1, nil))
			synctest.Wait()
			if i >= 10 {
				alive, _ = b.dispatcher.workerCounts()
				require.Equal(t, 1, alive)
				b.dispatcher.mu.Lock()
				last := b.dispatcher.pool.idle[0]
				b.dispatcher.mu.Unlock()
				require.True(t, warm == nil || warm == last, "and the same one")
				warm = last
			}
		}

		time.Sleep(3 * trimTime)
		synctest.Wait()
		alive, idle = b.dispatcher.workerCounts()
		require.Equal(t, []int{0, 0}, []int{alive, idle})
		b.dispatcher.mu.Lock()
		require.Nil(t, b.dispatcher.pool.trim)
		b.dispatcher.mu.Unlock()
		require.NoError(t, a.Call("Gate.Pass", 1, nil), "and made anew")
		a.Close()
		require.Zero(t, b.Wait(context.Background()))
	})
}

// TestLateWorkers: Wait sees a worker that begins as the link ends.
func TestLateWorkers(t *testing.T) {
	g, server := newGate()
	e, other := barePair(&Options{Server: server}, nil)
	other.Close()
	<-e.stopped
	e.dispatcher.pool.run(job{request: &served{message: message{kind: typeNotification, method: []byte("Gate.Pass"), body: []byte{0x91, 1}}}})
	<-g.at
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, 1, e.Wait(ctx))
	close(g.open)
	require.Zero(t, e.Wait(context.Background()))
}
