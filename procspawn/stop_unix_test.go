//go:build unix

package procspawn

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTerminate(t *testing.T) {
	opts := &Options{CloseTimeout: 100 * time.Millisecond, TermTimeout: 100 * time.Millisecond}
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
			assert.Equal(t, syscall.SIGTERM, exit.Signal)
		})
	})
}
