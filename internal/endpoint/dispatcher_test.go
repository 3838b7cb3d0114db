package endpoint

import (
	"context"
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/message"
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
		b.served.Close() // the reader may be in the middle of something
		require.Zero(t, b.Stats().Served.Waiting)
		alive, _ := b.served.Workers()
		for id := range uint32(4) {
			b.served.Cancel(id)
		}
		after, _ := b.served.Workers()
		require.Equal(t, alive, after, "nobody would wait for them")
		a.Close()
		b.Close()
		close(g.open)
		require.Zero(t, a.Wait(t.Context()))
		require.Zero(t, b.Wait(t.Context()))
	})
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
		alive, idle := b.served.Workers()
		require.Equal(t, []int{100, 0}, []int{alive, idle})
		close(g.open)
		for range 100 {
			require.NoError(t, (<-done).Error)
		}
		synctest.Wait()
		alive, idle = b.served.Workers()
		require.Equal(t, []int{100, 100}, []int{alive, idle}, "they stay warm")
		for range 10 {
			require.NoError(t, a.Call("Gate.Pass", 1, nil))
		}
		alive, _ = b.served.Workers()
		require.Equal(t, 100, alive, "they are reused")

		for i := range 20 { // one worker is enough for these
			time.Sleep(100 * time.Millisecond)
			require.NoError(t, a.Call("Gate.Pass", 1, nil))
			synctest.Wait()
			if i >= 10 {
				alive, _ = b.served.Workers()
				require.Equal(t, 1, alive)
			}
		}

		time.Sleep(time.Second)
		synctest.Wait()
		alive, idle = b.served.Workers()
		require.Equal(t, []int{0, 0}, []int{alive, idle})
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
	e.served.Accept(message.Message{Kind: message.Notification, Method: []byte("Gate.Pass"), Body: []byte{0x91, 1}})
	<-g.at
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, 1, e.Wait(ctx))
	close(g.open)
	require.Zero(t, e.Wait(context.Background()))
}
