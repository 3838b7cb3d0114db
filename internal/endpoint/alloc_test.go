package endpoint

import (
	"context"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

func TestPendingAllocs(t *testing.T) {
	if !tuning.Reuse {
		t.Skip("no call is used again")
	}
	e := &Endpoint{}
	testkit.Allocs(t, 0, "a pending call", func() { e.pending.put(e.pending.get()) })
}

// TestBubbles: nothing made in a bubble of testing/synctest is used outside, or
// in another.
func TestBubbles(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.Register(Passing{}))
	call := func(t *testing.T) {
		a, b := barePair(nil, &Options{Server: server})
		for range 10 {
			require.NoError(t, a.Call("Passing.Pass", 1, nil))
		}
		client := a.Client()
		require.NoError(t, client.Call("Passing.Pass", 1, nil))
		require.NoError(t, (<-a.Go("Passing.Pass", 1, nil, make(chan *rpc.Call, 1)).Done).Error)
		client.Close()
		a.Close()
		require.Zero(t, b.Wait(context.Background()))
		require.Zero(t, a.Wait(context.Background()))
	}
	for range 5 {
		synctest.Test(t, call)
		call(t)
	}
}

// Passing is a service.
type Passing struct{}

func (Passing) Pass(n int, reply *int) error { *reply = n; return nil }
