package procspawn

import (
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKill: it is at once, and this side's doing.
func TestKill(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, nil, "ignore")
		within(t, time.Second, "Kill", func() {
			require.NoError(t, p.Kill())
			<-p.Done()
		})
		exit := p.Exit()
		assert.Equal(t, ByStop, exit.By)
		assert.Equal(t, StepKill, exit.Step)
		assert.Equal(t, os.Kill, exit.Signal)
		assert.ErrorIs(t, p.Kill(), os.ErrProcessDone)
		assert.Same(t, exit, p.Stop())
		_, err := readLink(p.Link())
		assert.Error(t, err)
	})
	t.Run("during Stop", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, &Options{CloseTimeout: time.Minute}, "ignore")
		stopped := make(chan *Exit, 1)
		go func() { stopped <- p.Stop() }()
		within(t, time.Second, "Kill", func() {
			_, err := p.Link().Read(make([]byte, 1)) // Stop has begun
			require.Error(t, err)
			require.NoError(t, p.Kill())
			exit := <-stopped
			assert.Equal(t, StepKill, exit.Step)
			assert.Equal(t, ByStop, exit.By)
		})
	})
	t.Run("after the end", func(t *testing.T) {
		noLeaks(t)
		p := startChild(t, selfCmd("ends", "0"), nil)
		<-p.Done()
		assert.ErrorIs(t, p.Kill(), os.ErrProcessDone)
		assert.Equal(t, ByItself, p.Exit().By)
		assert.Equal(t, StepNone, p.Exit().Step)
	})
	t.Run("at the moment of the end", func(t *testing.T) {
		noLeaks(t)
		for range 30 {
			p := startChild(t, selfCmd("ends", "3"), nil)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					io.Copy(io.Discard, p.Link())
					p.Kill()
				})
			}
			wg.Wait()
			exit := p.Stop()
			if exit.Code == 3 { // else the kill was faster
				assert.Equal(t, ByItself, exit.By)
				assert.Equal(t, StepNone, exit.Step)
			} else {
				assert.Equal(t, ByStop, exit.By)
				assert.Equal(t, StepKill, exit.Step)
			}
		}
	})
}

// The ends helper exits, with a status.
var _ = helper("ends", func(args []string) {
	connect(nil)
	os.Exit(int(args[0][0] - '0'))
})

// The computes helper computes: so much, not so long, as others may have the processors.
var _ = helper("computes", func([]string) {
	l := connect(nil)
	x := uint64(os.Getpid())
	for range 200_000_000 { // each needs the one before
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x)
	io.WriteString(l, "ready")
	io.Copy(io.Discard, l)
})

// TestExitTimes: what a child has computed, not how long it was there, nor what this process has.
func TestExitTimes(t *testing.T) {
	p := startChild(t, selfCmd("computes"), nil)
	expect(t, p, "ready")
	exit := p.Stop()
	assert.Greater(t, exit.UserTime+exit.SystemTime, 50*time.Millisecond)
	assert.Positive(t, exit.UserTime)
	if runtime.GOOS == "windows" {
		return // Wine tells of this process whatever process is asked for
	}
	assert.LessOrEqual(t, exit.UserTime+exit.SystemTime, time.Duration(runtime.NumCPU())*(exit.Lifetime+100*time.Millisecond))
}
