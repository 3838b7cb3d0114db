package serve

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

// withWorkers runs f with the chain of wake-ups and without, on several numbers of processors. Nobody is
// left behind.
func withWorkers(t *testing.T, f func(t *testing.T, d *Dispatcher)) {
	for _, chain := range []bool{true, false} {
		for _, procs := range []int{1, 2, 8} {
			t.Run(fmt.Sprintf("chain %v, %d processors", chain, procs), func(t *testing.T) {
				old := tuning.Chain
				tuning.Chain = chain
				defer func() { tuning.Chain = old }()
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				synctest.Test(t, func(t *testing.T) {
					d := New(Config{}, Host{Link: new(link.Bare)})
					f(t, d)
					d.Close()
					require.Zero(t, d.Wait(t.Context()))
				})
			})
		}
	}
}

// runAtOnce has workers do jobs that have come in at once.
func runAtOnce(d *Dispatcher, jobs []func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range jobs {
		d.workers.runLocked(task(j))
	}
}

// TestJobsWaitForEachOther: none waits behind one that runs, also where others end their goroutines.
func TestJobsWaitForEachOther(t *testing.T) {
	withWorkers(t, func(t *testing.T, d *Dispatcher) {
		for n := 1; n < 40; n++ {
			var begun, done sync.WaitGroup
			begun.Add(n)
			done.Add(n)
			jobs := make([]func(), n)
			for i := range jobs {
				jobs[i] = func() {
					defer done.Done()
					begun.Done()
					if i%3 == 2 {
						runtime.Goexit()
					}
					begun.Wait()
				}
			}
			runAtOnce(d, jobs)
			done.Wait()
		}
	})
}

// TestJobsOfJobs: jobs come from several goroutines, and from jobs, while some run for long.
func TestJobsOfJobs(t *testing.T) {
	withWorkers(t, func(t *testing.T, d *Dispatcher) {
		var done sync.WaitGroup
		var more func(depth int)
		more = func(depth int) {
			defer done.Done()
			for range depth {
				done.Add(1)
				wait := make(chan struct{})
				d.Run(func() {
					close(wait)
					more(rand.IntN(depth))
				})
				if depth%2 == 0 {
					<-wait
				}
			}
		}
		done.Add(20)
		for range 20 {
			go more(6)
		}
		done.Wait()
	})
}

// TestClosedWorkersFinish: what was there to do before Close is done.
func TestClosedWorkersFinish(t *testing.T) {
	withWorkers(t, func(t *testing.T, d *Dispatcher) {
		var done sync.WaitGroup
		done.Add(100)
		runAtOnce(d, slices.Repeat([]func(){done.Done}, 100))
		d.Close()
		done.Wait()
		require.Zero(t, d.Wait(t.Context()))
	})
}

// TestFewWorkers: many short jobs that come at once are done by few.
func TestFewWorkers(t *testing.T) {
	if !tuning.Chain {
		t.Skip("the chain of wake-ups is off")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{}, Host{Link: new(link.Bare)})
		runAtOnce(d, slices.Repeat([]func(){func() {}}, 1000))
		synctest.Wait()
		alive, idle := d.Workers()
		require.Equal(t, alive, idle)
		require.LessOrEqual(t, alive, 3)
		d.Close()
		require.Zero(t, d.Wait(t.Context()))
	})
}

// TestRing: what is pushed is popped in its order, at every length, and a large ring is not kept.
func TestRing(t *testing.T) {
	var q ring
	pushed, popped := 0, 0
	var done int
	push := func() {
		n := pushed
		q.push(task(func() { done = n }))
		pushed++
	}
	pop := func() {
		q.pop().do(nil)
		require.Equal(t, popped, done)
		popped++
	}
	for round := range 3000 {
		for range round % 7 {
			push()
		}
		for range min(round%5, pushed-popped) {
			pop()
		}
	}
	require.Greater(t, len(q.slots), keepRing)
	for popped < pushed {
		pop()
	}
	require.True(t, q.isEmpty())
	require.Nil(t, q.pop())
	require.Empty(t, q.slots)
	push()
	pop()
	require.Len(t, q.slots, 8)
	require.True(t, q.isEmpty())
}
