package viaduct_test

import (
	"errors"
	"net"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
)

type Args struct{ A, B int }

type Arith struct{}

func (Arith) Add(args *Args, reply *int) error { *reply = args.A + args.B; return nil }
func (Arith) Fail(args *Args, _ *int) error    { return errors.New("no luck") }
func (Arith) Echo(args []byte, reply *[]byte) error {
	*reply = args
	return nil
}

func arithServer() *rpc.Server {
	s := rpc.NewServer()
	if err := s.Register(Arith{}); err != nil {
		panic(err)
	}
	return s
}

func lanes(t testing.TB) (a, b *viaduct.Endpoint) {
	ca, cb := net.Pipe()
	da, db := duplex.New(ca, nil), duplex.New(cb, nil)
	opts := &viaduct.Options{Server: arithServer()}
	a = viaduct.NewEndpoint(da.ClientLane(), da.ServerLane(), opts)
	b = viaduct.NewEndpoint(db.ClientLane(), db.ServerLane(), opts)
	t.Cleanup(func() { a.Close(); b.Close(); a.Wait(t.Context()); b.Wait(t.Context()) })
	return a, b
}

func TestCallBothWays(t *testing.T) {
	a, b := lanes(t)
	for _, e := range []*viaduct.Endpoint{a, b} {
		var sum int
		require.NoError(t, e.Call("Arith.Add", &Args{1, 2}, &sum))
		require.Equal(t, 3, sum)
		require.Equal(t, rpc.ServerError("no luck"), e.Call("Arith.Fail", &Args{}, &sum))
		require.ErrorContains(t, e.Call("Arith.Nope", &Args{}, &sum), "can't find method")
		require.ErrorContains(t, e.Call("Arith.Add", map[string]int{"C": 1}, &sum), "type")
		big := make([]byte, 3<<20)
		var back []byte
		require.NoError(t, e.Call("Arith.Echo", big, &back))
		require.Len(t, back, len(big))
		c := e.Client()
		require.NoError(t, c.Call("Arith.Add", &Args{3, 4}, &sum))
		require.Equal(t, 7, sum)
		require.NoError(t, c.Close())
		call := <-e.Go("Arith.Add", Args{5, 6}, &sum, nil).Done
		require.NoError(t, call.Error)
		require.Equal(t, 11, sum)
	}
}
