package rpcpipe_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Spin keeps all processors busy for a time.
func (s *Service) Spin(d time.Duration, _ *int) error {
	var running sync.WaitGroup
	end := time.Now().Add(d)
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for time.Now().Before(end) {
			}
		})
	}
	running.Wait()
	return nil
}

// TestKeepaliveBusy: a child that computes answers.
func TestKeepaliveBusy(t *testing.T) {
	t.Parallel() // it waits; the child computes
	cmd := procspawn.Self("service")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1") // nothing is left for what answers, and others have theirs
	p, err := rpcpipe.Start(t.Context(), cmd, &rpcpipe.Options{Keepalive: time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	require.NoError(t, p.Call("Service.Spin", 2100*time.Millisecond, nil)) // longer than two intervals
	require.NoError(t, p.Err())
}

// TestKeepaliveStopped: one that is stopped does not.
func TestKeepaliveStopped(t *testing.T) {
	before := snapshot()
	var log syncLog
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), &rpcpipe.Options{
		Keepalive:    100 * time.Millisecond,
		CloseTimeout: -1, // it is no use to wait for what is stopped
		Logger:       log.logger(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	ended := block(p)
	call := p.Go("Service.Park", 0, nil, nil)
	require.NoError(t, p.Call("Service.Add", Args{}, nil))
	suspend(t, p.Process().Pid())
	begin := time.Now()
	require.ErrorIs(t, (<-call.Done).Error, duplex.ErrUnresponsive)
	for range blocked {
		end := <-ended
		require.ErrorIs(t, end.err, duplex.ErrUnresponsive, end.name)
	}
	require.Less(t, time.Since(begin), slack(time.Second))
	require.ErrorIs(t, p.Err(), duplex.ErrUnresponsive)
	var exit *procspawn.Exit
	require.ErrorAs(t, p.Wait(), &exit) // it had to be woken
	require.Equal(t, terminationSignal(), exit.Signal)
	require.ErrorIs(t, exit.Cause, duplex.ErrUnresponsive)
	require.ErrorContains(t, exit, "(stopped by: ")
	require.ErrorContains(t, exit, "does not answer")
	require.Contains(t, log.String(), "this side has ended the link")
	before.requireSame(t)
}

func init() {
	children["watching witness"] = func([]string) {
		p := connect(&rpcpipe.Options{Keepalive: 100 * time.Millisecond})
		fmt.Fprintln(inherited(), "ready")
		fmt.Fprintln(inherited(), errors.Is(p.Wait(), duplex.ErrUnresponsive))
		select {} // the library ends it
	}
}

// TestKeepaliveParentStopped: a child ends whose parent does not answer.
func TestKeepaliveParentStopped(t *testing.T) {
	t.Parallel()
	cmd, p, out := startMiddle(t, "middle", "watching witness")
	defer func() {
		cmd.Process.Kill()
		p.Wait()
	}()
	suspend(t, p.Process().Pid())
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "true\n", line)
}
