package rpcpipe_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// costs are what a process has made so far: system calls that read and that write, and, of this one,
// allocations.
type costs struct{ reads, writes, allocs uint64 }

func costsOf(t *testing.T, pid int) (c costs) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "syscr: %d", &c.reads)
		fmt.Sscanf(line, "syscw: %d", &c.writes)
	}
	if pid == os.Getpid() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.allocs = m.Mallocs
	}
	return c
}

// costPer returns what f makes for each of n.
func costPer(t *testing.T, pid, n int, f func()) (reads, writes, allocs float64) {
	before := costsOf(t, pid)
	f()
	after := costsOf(t, pid)
	per := func(a, b uint64) float64 { return float64(b-a) / float64(n) }
	return per(before.reads, after.reads), per(before.writes, after.writes), per(before.allocs, after.allocs)
}

func init() {
	children["service, parks"] = func(args []string) {
		tuning.Spin = false
		children["service"](args)
	}
}

// TestCosts asserts what a call costs on both sides, which does not depend on the machine: a lone one
// has one write on each side, and a read that finds nothing beside the one that does. Those of many
// callers share them.
func TestCosts(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	// Who spins reads as often as there is time. With one processor the runtime does not write to wake
	// its own poller.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer func(spin bool) { tuning.Spin = spin }(tuning.Spin)
	tuning.Spin = false
	cmd := procspawn.Self("service, parks")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	defer p.Close()
	call := func() {
		if err := p.Call("Service.Add", &Args{1, 2}, new(int)); err != nil {
			panic(err)
		}
	}
	const n = 2000
	lone := func() {
		for range n {
			call()
		}
	}
	lone()
	reads, writes, allocs := costPer(t, os.Getpid(), n, lone)
	t.Log("this side:", reads, writes, allocs)
	require.LessOrEqual(t, reads, 2.1)
	require.LessOrEqual(t, writes, 1.1)
	if tuning.Reuse {
		require.LessOrEqual(t, allocs, 3.5, "argument and reply are this test's, the message is the library's")
	}
	reads, writes, _ = costPer(t, p.Process().Pid(), n, lone)
	t.Log("the child:", reads, writes)
	require.LessOrEqual(t, reads, 2.1)
	require.LessOrEqual(t, writes, 1.1)

	many := func() {
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				for range n / 64 {
					call()
				}
			})
		}
		all.Wait()
	}
	reads, writes, _ = costPer(t, p.Process().Pid(), n, many)
	t.Log("the child of many:", reads, writes)
	if tuning.Gather {
		require.LessOrEqual(t, reads, 0.5)
		require.LessOrEqual(t, writes, 0.7)
	}

	reads, writes, allocs = costPer(t, os.Getpid(), n, func() {
		for range n {
			if err := p.Notify(context.Background(), "Service.Note", 1); err != nil {
				panic(err)
			}
		}
	})
	t.Log("notifications:", reads, writes, allocs)
	require.LessOrEqual(t, writes, 1.1)
	if tuning.Reuse {
		require.LessOrEqual(t, allocs, 0.5)
	}
}
