package codec

import (
	"log/slog"
	"math"
	"net"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/message"
)

var testConfig = Config{Message: message.Codec{Body: new(body.Codec)}, MaxMessage: 1 << 20, Logger: slog.New(slog.DiscardHandler)}

// Gate is a service whose method waits.
type Gate struct {
	at   chan int
	open chan struct{}
}

func newGate() (*Gate, *rpc.Server) {
	g := &Gate{make(chan int, 100), make(chan struct{})}
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

// TestClientMsgidWrap: the same for a standard client, whose own numbers go on.
func TestClientMsgidWrap(t *testing.T) {
	g, server := newGate()
	x, y := net.Pipe()

	go server.ServeCodec(NewServer(y, testConfig))
	codec := NewClient(x, testConfig).(*clientCodec)
	client := rpc.NewClientWithCodec(codec)
	first := client.Go("Gate.Pass", 100, new(int), nil)
	<-g.at
	codec.mu.Lock()
	codec.next = math.MaxUint32
	codec.mu.Unlock()
	var replies [2]int
	calls := []*rpc.Call{client.Go("Gate.Pass", 1, &replies[0], nil), client.Go("Gate.Pass", 2, &replies[1], nil)}
	<-g.at
	<-g.at
	close(g.open)
	for _, call := range append(calls, first) {
		require.NoError(t, (<-call.Done).Error)
	}
	require.Equal(t, []int{1, 2, 100}, []int{replies[0], replies[1], *first.Reply.(*int)})
	require.Empty(t, codec.calls)
	require.NoError(t, client.Close())
	require.NoError(t, codec.Close())
}
