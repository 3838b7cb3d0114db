package duplex

import (
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Service is served on both sides.
type Service struct{ back *rpc.Client }

func (*Service) Upper(arg string, reply *string) error {
	*reply = strings.ToUpper(arg)
	return nil
}

func (*Service) Fail(arg string, _ *string) error { return errors.New(arg) }

// Nest calls the caller back, depth times.
func (s *Service) Nest(depth int, reply *int) error {
	if depth == 0 {
		return nil
	}
	if err := s.back.Call("Service.Nest", depth-1, reply); err != nil {
		return err
	}
	*reply++
	return nil
}

// TestNetRPC runs net/rpc with the standard library's codecs over both lanes,
// both ways at once.
func TestNetRPC(t *testing.T) {
	codecs := []struct {
		name   string
		client func(io.ReadWriteCloser) *rpc.Client
		serve  func(*rpc.Server, io.ReadWriteCloser)
	}{
		{"gob", rpc.NewClient, func(s *rpc.Server, l io.ReadWriteCloser) { s.ServeConn(l) }},
		{"json", jsonrpc.NewClient, func(s *rpc.Server, l io.ReadWriteCloser) { s.ServeCodec(jsonrpc.NewServerCodec(l)) }},
	}
	for _, codec := range codecs {
		t.Run(codec.name, func(t *testing.T) {
			overPipes(t, &Options{Window: 4096}, func(t *testing.T, a, b *Conn) {
				var serving sync.WaitGroup
				clients := map[*Conn]*rpc.Client{a: codec.client(a.ClientLane()), b: codec.client(b.ClientLane())}
				for c, client := range clients {
					server := rpc.NewServer()
					require.NoError(t, server.Register(&Service{client}))
					serving.Go(func() { codec.serve(server, c.ServerLane()) })
				}
				var calls sync.WaitGroup
				for _, client := range clients {
					for i := range 20 {
						calls.Go(func() { callAll(t, client, i) })
					}
				}
				calls.Wait()
				require.NoError(t, clients[a].Close())
				serving.Wait()
				require.ErrorIs(t, b.Wait(), ErrPeerClosed)
				require.ErrorIs(t, a.Wait(), ErrClosed)
			})
		})
	}
}

// callAll calls each method, the argument being longer with i.
func callAll(t *testing.T, client *rpc.Client, i int) {
	arg := fmt.Sprint(i, strings.Repeat("x", i*10_000))
	var reply string
	if err := client.Call("Service.Upper", arg, &reply); err != nil || reply != strings.ToUpper(arg) {
		t.Errorf("call %d: %d bytes, %v", i, len(reply), err)
	}
	var depth int
	if err := client.Call("Service.Nest", 8, &depth); err != nil || depth != 8 {
		t.Errorf("nested call %d: %d, %v", i, depth, err)
	}
	if err := client.Call("Service.Fail", "no", &reply); err == nil || err.Error() != "no" {
		t.Errorf("failing call %d: %v", i, err)
	}
}
