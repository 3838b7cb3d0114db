package rpcpipe_test

import (
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestOwnedClient: closing it closes the Peer, and ends the child.
func TestOwnedClient(t *testing.T) {
	t.Parallel()
	t.Run("child", func(t *testing.T) {
		p := startChild(t, "service")
		c := p.OwnedClient()
		var sum int
		require.NoError(t, c.Call("Service.Add", Args{1, 2}, &sum))
		require.Equal(t, 3, sum)
		calls := []*rpc.Call{c.Go("Service.Park", 0, nil, nil), p.Go("Service.Park", 0, nil, nil)}
		require.NoError(t, c.Close())
		for _, call := range calls {
			require.ErrorIs(t, (<-call.Done).Error, rpc.ErrShutdown)
		}
		exit := p.Process().Exit()
		require.NotNil(t, exit, "the child was waited for")
		require.Equal(t, procspawn.StepCloseLink, exit.Step)
		require.NoError(t, p.Wait())
		require.ErrorIs(t, p.Err(), rpc.ErrShutdown)
		require.ErrorIs(t, c.Close(), rpc.ErrShutdown)
		require.ErrorIs(t, c.Call("Service.Add", Args{}, nil), rpc.ErrShutdown)
	})
	t.Run("after the end of the link", func(t *testing.T) {
		p := startChild(t, "service")
		c := p.OwnedClient()
		require.NoError(t, p.Process().Kill())
		require.Error(t, c.Call("Service.Park", 0, nil))
		<-p.Done()
		require.NoError(t, c.Close())
		require.NotNil(t, p.Process().Exit())
	})
	t.Run("a client that ends for itself", func(t *testing.T) {
		p := startChild(t, "service")
		c := p.OwnedClient()
		require.Error(t, c.Call("Service.Add", Args{1, 2}, new(string))) // not what comes
		require.Error(t, c.Call("Service.Add", Args{1, 2}, new(int)))
		require.NoError(t, p.Call("Service.Add", Args{1, 2}, new(int)))
		require.NoError(t, c.Close())
		require.NotNil(t, p.Process().Exit())
	})
	t.Run("others", func(t *testing.T) {
		s := newService()
		a, b := rpcpipe.Pair(nil, s.options())
		defer b.Close()
		s.use(b)
		plain, owned := a.Client(), a.OwnedClient()
		require.NoError(t, plain.Close())
		require.NoError(t, owned.Call("Service.Add", Args{1, 2}, new(int)))
		require.NoError(t, owned.Close())
		select {
		case <-b.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("the other side does not hear of it")
		}
	})
}
