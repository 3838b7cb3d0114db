package rpcpipe_test

import (
	"context"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPing: a process that is busy answers, one that is stopped does not.
func TestPing(t *testing.T) {
	p := startChild(t, "patient")
	ctx, cancel := context.WithCancel(t.Context())
	p.Go("Patient.Begun", 1, nil, nil)
	go p.CallContext(ctx, "Patient.Wait", &Patience{}, nil)
	require.NoError(t, p.Call("Patient.Begun", 1, nil)) // a handler is at work
	d, err := p.Ping(t.Context())
	require.NoError(t, err)
	require.Positive(t, d)
	cancel()

	suspend(t, p.Process().Pid())
	for err == nil { // it may take a moment to stop
		soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_, err = p.Ping(soon)
		cancel()
	}
	require.Equal(t, context.DeadlineExceeded, err)
	resume(t, p.Process().Pid())
	_, err = p.Ping(t.Context())
	require.NoError(t, err)
	p.Close()
	_, err = p.Ping(t.Context())
	require.Equal(t, rpc.ErrShutdown, err)
}
