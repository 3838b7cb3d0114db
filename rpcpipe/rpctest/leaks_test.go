package rpctest_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// TestNoneLeft: what is left behind is named, and what was there before is not.
func TestNoneLeft(t *testing.T) {
	defer rpctest.SetLeakTime(rpctest.SetLeakTime(10 * time.Millisecond)) // what is left stays
	stay := make(chan struct{})
	ended := make(chan struct{})
	leakGoroutine := func() {
		go func() {
			<-stay
			close(ended)
		}()
	}
	for _, tt := range []struct {
		name string
		leak func(t *testing.T) (mend func())
		want string
	}{
		{"goroutine", func(*testing.T) func() {
			leakGoroutine()
			return func() { close(stay); <-ended }
		}, "leaks_test.go"},
		{"descriptor", func(t *testing.T) func() {
			f, err := os.Open("leaks_test.go")
			require.NoError(t, err)
			return func() { f.Close() }
		}, "rpctest/leaks_test.go"},
		{"process", func(t *testing.T) func() {
			cmd := exec.Command("sleep", "1000")
			require.NoError(t, cmd.Start())
			return func() { cmd.Process.Kill(); cmd.Wait() }
		}, "sleep, state"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name != "goroutine" && runtime.GOOS != "linux" {
				t.Skip("descriptors and processes are seen on Linux alone")
			}
			tb := &fakeTB{TB: t}
			rpctest.NoneLeft(tb)
			mend := tt.leak(t)
			tb.end()
			require.Len(t, tb.errors, 1)
			report := tb.errors[0]
			require.True(t, strings.HasPrefix(report, "rpctest: left behind:\n"), report)
			require.Contains(t, report, "\n"+tt.name+" ")
			require.Contains(t, report, tt.want)

			defer rpctest.SetLeakTime(rpctest.SetLeakTime(5 * time.Second))
			tb = &fakeTB{TB: t}
			rpctest.NoneLeft(tb) // it is there from the beginning
			mend()
			tb.end()
			require.Empty(t, tb.errors)
		})
	}
}

// TestNoneLeftEnds: what is on its way out is waited for.
func TestNoneLeftEnds(t *testing.T) {
	tb := &fakeTB{TB: t}
	rpctest.NoneLeft(tb)
	stay := make(chan struct{})
	for range 100 {
		go func() { <-stay }()
	}
	close(stay)
	tb.end()
	require.Empty(t, tb.errors)
}
