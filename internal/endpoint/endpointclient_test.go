package endpoint_test

import (
	"errors"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestClientOfEndpoint: closing one ends its own calls only, and so does a reply
// that it cannot decode.
func TestClientOfEndpoint(t *testing.T) {
	gates := make(chan chan struct{}, 100)
	park := func(string) (string, error) {
		gate := make(chan struct{})
		gates <- gate
		<-gate
		return "done", nil
	}
	overLinks(t, nil, testkit.Hooks{"Park": park}, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var replies [4]string
		one, two, three := a.Client(), a.Client(), a.Client()
		calls := []*rpc.Call{
			one.Go("Park.Do", "", &replies[0], nil),
			two.Go("Park.Do", "", &replies[1], nil),
			three.Go("Park.Do", "", &replies[2], nil),
			a.Go("Park.Do", "", &replies[3], nil),
		}
		parked := []chan struct{}{<-gates, <-gates, <-gates, <-gates}
		require.NoError(t, one.Close())
		<-calls[0].Done
		require.Equal(t, rpc.ErrShutdown, calls[0].Error)
		require.Equal(t, rpc.ErrShutdown, one.Call("Arith.Add", Args{1, 2}, nil))

		var wrong []string
		require.ErrorContains(t, three.Call("Arith.Add", Args{1, 2}, &wrong), "cannot decode reply of Arith.Add")
		<-calls[2].Done
		require.ErrorContains(t, calls[2].Error, "cannot decode reply of Arith.Add")
		require.Equal(t, rpc.ErrShutdown, three.Call("Arith.Add", Args{1, 2}, nil))

		require.NoError(t, two.Call("Arith.Add", Args{1, 2}, nil))
		for _, gate := range parked {
			close(gate)
		}
		for _, i := range []int{1, 3} {
			<-calls[i].Done
			require.NoError(t, calls[i].Error)
		}
		require.Equal(t, [4]string{"", "done", "", "done"}, replies)
		require.NoError(t, two.Close())
	})
}

// TestCloseClientBesideWriter: a call that waits for room holds the lock that
// rpc.Client needs to fail the others.
func TestCloseClientBesideWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, y := plays(t, nil)
		client := e.Client()
		first := make(chan error, 1)
		go func() { first <- client.Call("A.B", 1, nil) }()
		reads(t, y, 13)
		second := make(chan error, 1)
		go func() {
			for {
				if call := client.Go("A.B", make([]byte, 100<<10), nil, nil); call.Error != nil {
					second <- call.Error
					return
				}
			}
		}()
		synctest.Wait()
		require.NoError(t, client.Close())
		require.Equal(t, rpc.ErrShutdown, <-first)
		require.Equal(t, rpc.ErrShutdown, <-second)
		require.NoError(t, e.Err(), "the link is as before")
		// The other calls of the loop have ended as well.
		require.True(t, errors.Is(client.Call("A.B", 1, nil), rpc.ErrShutdown))
	})
}
