package procspawn

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestWall: a child is killed when its time is over, with what it has started if it has a group.
func TestWall(t *testing.T) {
	waits(t)
	for _, group := range []bool{false, true} {
		t.Run(fmt.Sprintf("group %v", group), func(t *testing.T) {
			t.Parallel()
			p := startChild(t, selfCmd("echo"), &Options{Group: group, Limits: Limits{Wall: 2 * time.Second}})
			echo(t, p, "there")
			<-p.Done()
			exit := p.Exit()
			assert.Equal(t, Reached{LimitWall, true, "it has lived for 2s"}, exit.Limit)
			assert.Equal(t, ByLimit, exit.By)
			assert.Equal(t, os.Kill, exit.Signal)
			assert.Equal(t, fmt.Sprintf("child %d: signal: killed (limit of wall clock time: it has lived for 2s)", p.Pid()), exit.Error()[:len(exit.Error())-len(stderrShown(exit))])
		})
	}
}

// stderrShown is what the text of an Exit shows of stderr.
func stderrShown(e *Exit) string {
	if len(e.Stderr) == 0 {
		return ""
	}
	shown := *e
	shown.Stderr = nil
	return e.Error()[len(shown.Error()):]
}

// The swells helper takes memory for ever.
var _ = helper("swells", func([]string) {
	connect(nil)
	var kept [][]byte
	for range 2048 {
		kept = append(kept, bytes.Repeat([]byte{1}, 1<<20))
	}
	runtime.KeepAlive(kept)
})

// TestWatchedMemory: where memory is watched, who takes too much is killed.
func TestWatchedMemory(t *testing.T) {
	if raceDetector || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("memory is not watched here, or the race detector maps too much")
	}
	noLeaks(t)
	p := startChild(t, selfCmd("swells"), &Options{Limits: Limits{Memory: 100 << 20}})
	<-p.Done()
	assert.Equal(t, LimitMemory, p.Exit().Limit.Limit, "%v", p.Exit())
	assert.True(t, p.Exit().Limit.Certain)
	assert.Equal(t, os.Kill, p.Exit().Signal)
}

// TestLimitsOfOtherSystems: what cannot be kept is refused, by the name of the field.
func TestLimitsOfOtherSystems(t *testing.T) {
	noLeaks(t)
	if runtime.GOOS == "linux" {
		t.Skip("Linux keeps all of them")
	}
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	for field, opts := range map[string]*Options{
		"Limits.Files":    {Limits: Limits{Files: 100}},
		"Limits.FileSize": {Limits: Limits{FileSize: 1}},
		"Limits.Core":     {Limits: Limits{Core: -1}},
		"Limits.Cgroup":   {Limits: Limits{Cgroup: null}},
		"OnThread":        {OnThread: func() error { return nil }},
	} {
		_, err := Start(t.Context(), selfCmd("echo"), opts)
		assert.ErrorContains(t, err, "Options."+field)
		assert.True(t, errors.Is(err, errors.ErrUnsupported), field)
	}
}
