//go:build unix

package procspawn

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTerminate(t *testing.T) {
	opts := &Options{CloseTimeout: 100 * time.Millisecond, TermTimeout: time.Minute} // the signal works when the child has its turn
	t.Run("stubborn", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, opts)
		within(t, 500*time.Millisecond, "Stop", func() {
			exit := p.Stop()
			assert.Equal(t, StepTerminate, exit.Step)
			assert.Equal(t, ByStop, exit.By)
			assert.Equal(t, syscall.SIGTERM, exit.Signal)
			assert.Equal(t, -1, exit.Code)
			assert.GreaterOrEqual(t, exit.Lifetime, opts.CloseTimeout)
			assert.EqualError(t, exit, fmt.Sprintf("child %d: signal: terminated (stopped by: terminate)", p.Pid()))
		})
	})
	t.Run("stopped", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("echo"), opts)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
		awaitStop(t, p.Pid())
		within(t, 500*time.Millisecond, "Stop", func() {
			exit := p.Stop()
			assert.Equal(t, StepTerminate, exit.Step) // it was woken, or could not have heard of it
			if exit.Signal != nil || exit.Code != 0 { // it may also have seen the end of its link first
				assert.Equal(t, syscall.SIGTERM, exit.Signal)
			}
		})
	})
}

// TestCancelThatStops: the caller's way to end the child when the context ends is Stop, which waits
// for the child.
func TestCancelThatStops(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	self := selfCmd("echo")
	cmd := exec.CommandContext(ctx, self.Args[0], self.Args[1:]...)
	var p *Process
	stopped := make(chan *Exit, 1)
	cmd.Cancel = func() error {
		stopped <- p.Stop()
		return nil
	}
	p = startChild(t, cmd, nil)
	echo(t, p, "alive")
	within(t, 500*time.Millisecond, "the end", func() {
		cancel()
		<-p.Done()
	})
	assert.Same(t, p.Exit(), <-stopped)
	assert.Equal(t, 0, p.Exit().Code)
	assert.Equal(t, StepCloseLink, p.Exit().Step)
	assert.NoError(t, p.Exit().Cause)
}

// TestCancelThatFails: the child lives on, and its report has the error.
func TestCancelThatFails(t *testing.T) {
	noLeaks(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	self := selfCmd("echo")
	cmd := exec.CommandContext(ctx, self.Args[0], self.Args[1:]...)
	called := make(chan struct{})
	cmd.Cancel = func() error {
		defer close(called)
		return errors.New("not today")
	}
	p := startChild(t, cmd, nil)
	cancel()
	<-called
	echo(t, p, "alive")
	exit := p.Stop()
	assert.ErrorContains(t, exit.Cause, "Cmd.Cancel failed: not today")
	assert.Equal(t, ByStop, exit.By)
}
