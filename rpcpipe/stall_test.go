package rpcpipe_test

import (
	"context"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Import is a service of both sides: a one-way handler makes a call, whose method reports its
// progress to the side that waits for it.
type Import struct {
	peer *rpcpipe.Peer
	gate chan struct{}
}

func (i *Import) Begin(int, *int) error    { return i.peer.Call("Import.Run", 1, nil) }
func (i *Import) Progress(int, *int) error { return nil }

func (i *Import) Run(int, *int) error {
	err := i.peer.Notify(context.Background(), "Import.Progress", 1)
	<-i.gate
	return err
}

// TestStallReport: the side with the handler that waits for a call is told of it when something
// waits behind it, after the time that its options say. The other one, where a method runs for
// long, and a stream is idle, is told nothing.
func TestStallReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ja, logA := testkit.NewJournal()
		jb, logB := testkit.NewJournal()
		x, y := &Import{gate: make(chan struct{})}, &Import{}
		serverA, serverB := rpc.NewServer(), rpc.NewServer()
		require.NoError(t, serverA.Register(x))
		require.NoError(t, serverB.Register(y))
		a, b := rpcpipe.Pair(
			&rpcpipe.Options{Server: serverA, Logger: logA},
			&rpcpipe.Options{Server: serverB, Logger: logB, StallReport: time.Minute})
		x.peer, y.peer = a, b
		go b.Accept()
		_, err := a.Open(t.Context())
		require.NoError(t, err)
		require.NoError(t, a.Notify(t.Context(), "Import.Begin", 1))
		time.Sleep(time.Minute - 1)
		require.Empty(t, jb.All())
		require.Zero(t, b.Stats().Stalls)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Contains(t, jb.All(), `msg="viaduct: stalled: a notification waits to be handled" method=Import.Progress `+
			`waits_for="a handler that runs" side="this side" handler=Import.Begin waited=1m0s`)
		require.Equal(t, rpcpipe.StallStats{Handling: 1, Total: 1}, b.Stats().Stalls)
		close(x.gate)
		synctest.Wait()
		require.Equal(t, rpcpipe.StallStats{Total: 1}, b.Stats().Stalls)
		time.Sleep(time.Hour)
		require.Empty(t, ja.All())
		require.Zero(t, a.Stats().Stalls)
		require.NoError(t, a.Close())
		require.NoError(t, a.Wait())
		b.Wait()
	})
}
