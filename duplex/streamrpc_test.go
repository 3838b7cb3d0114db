package duplex

import (
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var rpcCodecs = []struct {
	name   string
	client func(io.ReadWriteCloser) *rpc.Client
	serve  func(*rpc.Server, io.ReadWriteCloser)
}{
	{"gob", rpc.NewClient, func(s *rpc.Server, l io.ReadWriteCloser) { s.ServeConn(l) }},
	{"json", jsonrpc.NewClient, func(s *rpc.Server, l io.ReadWriteCloser) { s.ServeCodec(jsonrpc.NewServerCodec(l)) }},
}

// TestNetRPCOverStreams runs net/rpc as it is, with servers on both sides of a link and clients
// that are called back from within calls, each connection a stream.
func TestNetRPCOverStreams(t *testing.T) {
	for _, codec := range rpcCodecs {
		t.Run(codec.name, func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				var serving, calls sync.WaitGroup
				var clients []*rpc.Client
				for range 3 {
					x, y := streamPair(t, a, b)
					x2, y2 := streamPair(t, b, a)
					here, there := codec.client(x), codec.client(x2)
					clients = append(clients, here, there)
					for stream, back := range map[*Stream]*rpc.Client{y: there, y2: here} {
						server := rpc.NewServer()
						require.NoError(t, server.Register(&Service{back}))
						serving.Go(func() { codec.serve(server, stream) })
					}
				}
				for n, client := range clients {
					for i := range 10 {
						calls.Go(func() { callAll(t, client, n+i) })
					}
				}
				calls.Wait()
				for _, client := range clients {
					require.NoError(t, client.Close())
					require.Equal(t, rpc.ErrShutdown, client.Close())
					require.Equal(t, rpc.ErrShutdown, client.Call("Service.Upper", "", new(string)))
				}
				serving.Wait() // each server has seen its client go
				requireNoneLeft(t, a, b)
			})
		})
	}
}

// TestNetRPCLoss: calls that wait for their answer fail when the link ends, over lanes and over
// streams.
func TestNetRPCLoss(t *testing.T) {
	for _, codec := range rpcCodecs {
		for _, over := range []string{"lanes", "streams"} {
			t.Run(codec.name+" over "+over, func(t *testing.T) {
				overPipes(t, nil, func(t *testing.T, a, b *Conn) {
					near, far := io.ReadWriteCloser(a.ClientLane()), io.ReadWriteCloser(b.ServerLane())
					if over == "streams" {
						near, far = streamPair(t, a, b)
					}
					client, server := codec.client(near), rpc.NewServer()
					slow := &Slow{started: make(chan bool), finish: make(chan bool)}
					require.NoError(t, server.Register(slow))
					served := make(chan bool)
					go func() {
						defer close(served)
						codec.serve(server, far)
					}()
					call := client.Go("Slow.Call", 1, new(int), nil)
					<-slow.started
					require.NoError(t, b.Close())
					require.Error(t, (<-call.Done).Error)
					require.Equal(t, rpc.ErrShutdown, client.Call("Slow.Call", 1, new(int)))
					close(slow.finish)
					<-served
					require.NoError(t, b.Close())
					require.ErrorIs(t, a.Wait(), ErrPeerClosed)
				})
			})
		}
	}
}

// Slow answers when told.
type Slow struct{ started, finish chan bool }

func (s *Slow) Call(int, *int) error {
	s.started <- true
	<-s.finish
	return nil
}

// TestLaneIsPlain: a lane moves bytes as any connection does, whatever the sizes of writes and
// reads, both lanes both ways at once, until one side closes.
func TestLaneIsPlain(t *testing.T) {
	overPipes(t, &Options{Window: 4096}, func(t *testing.T, a, b *Conn) {
		ways := [][2]*Lane{
			{a.ClientLane(), b.ServerLane()}, {b.ServerLane(), a.ClientLane()},
			{b.ClientLane(), a.ServerLane()}, {a.ServerLane(), b.ClientLane()},
		}
		var running sync.WaitGroup
		for i, way := range ways {
			want := body(i, 1<<20+i)
			running.Go(func() {
				sizes := []int{1, 0, 100, maxPayload, maxPayload + 1, 200_000}
				for rest, j := want, i; len(rest) > 0; j++ {
					part := rest[:min(len(rest), sizes[j%len(sizes)])]
					if n, err := way[0].Write(part); n != len(part) || err != nil {
						t.Errorf("way %d: wrote %d of %d: %v", i, n, len(part), err)
						return
					}
					rest = rest[len(part):]
				}
			})
			running.Go(func() {
				got := make([]byte, 0, len(want))
				sizes := []int{0, 1, 5000, 100, 70_000}
				for j := 0; len(got) < len(want); j++ {
					n := min(sizes[j%len(sizes)], len(want)-len(got))
					m, err := way[1].Read(got[len(got) : len(got)+n])
					if err != nil || m == 0 && n > 0 {
						t.Errorf("way %d: read %d: %v", i, m, err)
						return
					}
					got = got[:len(got)+m]
				}
				if string(want) != string(got) {
					t.Errorf("way %d: other bytes", i)
				}
			})
		}
		running.Wait()
		ends := doing(func() (int, error) { return b.ServerLane().Read(make([]byte, 1)) })
		require.NoError(t, a.ClientLane().Close())
		require.Equal(t, result{0, io.EOF}, <-ends)
		_, err := a.ClientLane().Write([]byte("x"))
		require.ErrorIs(t, err, ErrClosed)
		_, err = a.ServerLane().Read(make([]byte, 1))
		require.ErrorIs(t, err, ErrClosed)
	})
}
