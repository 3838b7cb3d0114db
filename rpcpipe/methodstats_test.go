package rpcpipe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tally"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// notAll has methods not be counted but where an option says so, until the end of the test.
func notAll(t testing.TB) {
	was := tally.All.Swap(false)
	t.Cleanup(func() { tally.All.Store(was) })
}

// TestMethodStatsOff: nothing is counted unless it is asked for.
func TestMethodStatsOff(t *testing.T) {
	notAll(t)
	server, _ := seenServer(t)
	a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	defer b.Wait()
	defer a.Close()
	require.NoError(t, a.Call("Seen.Add", 1, nil))
	require.Empty(t, a.MethodStats())
	require.Empty(t, b.MethodStats())
}

// TestMethodStatsTakeNoMemory: a call that is counted takes as much memory as one that is not.
func TestMethodStatsTakeNoMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	notAll(t)
	allocs := func(counted bool) float64 {
		server, _ := seenServer(t)
		a, b := rpcpipe.Pair(&rpcpipe.Options{MethodStats: counted}, &rpcpipe.Options{Server: server, MethodStats: counted})
		defer b.Wait()
		defer a.Close()
		var reply int
		call := func() {
			if err := a.Call("Seen.Add", 1, &reply); err != nil {
				t.Error(err)
			}
		}
		for range 100 {
			call()
		}
		return testing.AllocsPerRun(2000, call)
	}
	off := allocs(false)
	require.InDelta(t, off, allocs(true), 0.5)
}

// BenchmarkMethodStats: a lone call with and without. See also BenchmarkEnded of package tally.
func BenchmarkMethodStats(b *testing.B) {
	for _, c := range []struct {
		name    string
		counted bool
	}{{"off", false}, {"on", true}} {
		b.Run(c.name, func(b *testing.B) {
			notAll(b)
			server, _ := seenServer(b)
			x, y := rpcpipe.Pair(&rpcpipe.Options{MethodStats: c.counted}, &rpcpipe.Options{Server: server, MethodStats: c.counted})
			defer y.Wait()
			defer x.Close()
			var reply int
			for b.Loop() {
				if err := x.Call("Seen.Add", 1, &reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
