package rpcpipe_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() { children["serves under limits"] = func([]string) { connect(nil).Wait() } }

// TestLimits: a Peer's options reach the child, and its end says so to all who ask.
func TestLimits(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	exits := make(chan *procspawn.Exit, 1)
	opts := &rpcpipe.Options{
		Limits: procspawn.Limits{Wall: time.Second},
		OnExit: func(e *procspawn.Exit) { exits <- e },
	}
	called := false
	if runtime.GOOS == "linux" {
		opts.OnThread = func() error { called = true; return nil }
	}
	peer, err := rpcpipe.Start(t.Context(), procspawn.Self("serves under limits"), opts)
	require.NoError(t, err)
	defer peer.Close()
	assert.Equal(t, runtime.GOOS == "linux", called)
	exit := <-exits
	assert.Equal(t, procspawn.LimitWall, exit.Limit.Limit)
	assert.True(t, exit.Limit.Certain)
	assert.Equal(t, procspawn.ByLimit, exit.By)
	assert.ErrorContains(t, peer.Wait(), "limit of wall clock time")

	opts.Limits.Wall = -1
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("serves under limits"), opts)
	assert.ErrorContains(t, err, "Limits.Wall")
	opts.Limits = procspawn.Limits{}
	opts.OnThread = func() error { return errors.New("no") }
	_, err = rpcpipe.Start(t.Context(), procspawn.Self("serves under limits"), opts)
	assert.ErrorContains(t, err, "OnThread")
}
