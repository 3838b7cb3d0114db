package rpcpipe_test

import (
	"context"
	"fmt"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestRefusalIsNoDeath: a hook that refuses a call because of another link that is down does not have
// the child of this one taken for dead.
func TestRefusalIsNoDeath(t *testing.T) {
	refusing := func(ctx context.Context, call rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
		if call.Method == "Task.Refused" {
			call.Refuse(fmt.Errorf("quota: %w", rpc.ErrShutdown))
		}
		return nil, nil
	}
	check := func(t *testing.T, call func(method string, args, reply any) error) {
		var child int
		for range 3 {
			err := call("Task.Refused", 1, &child)
			require.ErrorContains(t, err, "quota: ")
			require.ErrorIs(t, err, viaduct.ErrNotBegun)
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.NoError(t, call("Task.Run", 1, &child))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{CallHook: refusing}})
		check(t, s.Call)
		require.Error(t, s.Notify(t.Context(), "Task.Refused", 1))
		require.Equal(t, 1, n.count())
	})
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{CallHook: refusing}}})
		check(t, p.Call)
		require.Equal(t, 2, p.Stats().Up)
		require.Equal(t, 2, n.count())
	})
}
