package rpcpipe_test

import (
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

type Args struct{ A, B int }

type Arith struct{}

func (Arith) Add(args *Args, reply *int) error { *reply = args.A + args.B; return nil }

func (Arith) Die(*Args, *int) error { select {} }

func init() {
	children["arith"] = func([]string) {
		server := rpc.NewServer()
		server.Register(Arith{})
		connect(&rpcpipe.Options{Server: server}).Wait()
	}
}

func TestChildKilledDuringCall(t *testing.T) {
	peer, err := rpcpipe.Start(t.Context(), procspawn.Self("arith"), nil)
	require.NoError(t, err)
	var sum int
	require.NoError(t, peer.Call("Arith.Add", Args{1, 2}, &sum))
	require.Equal(t, 3, sum)
	call := peer.Go("Arith.Die", Args{}, &sum, nil)
	begin := time.Now()
	require.NoError(t, killProcess(peer))
	<-call.Done
	require.Less(t, time.Since(begin), 100*time.Millisecond)
	var exit *procspawn.Exit
	require.ErrorAs(t, call.Error, &exit)
	require.ErrorIs(t, call.Error, rpc.ErrShutdown)
	require.ErrorContains(t, call.Error, "killed")
	require.ErrorAs(t, peer.Wait(), &exit)
	require.NoError(t, peer.Close())
}

func TestCloseEndsChild(t *testing.T) {
	peer, err := rpcpipe.Start(t.Context(), procspawn.Self("arith"), nil)
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, peer.Close())
	require.NoError(t, peer.Wait())
	require.Less(t, time.Since(begin), time.Second)
}
