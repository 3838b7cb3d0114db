package rpcpipe_test

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolShutdownGivenUp: neither is a job waited for that was given up, nor is its child killed for it.
func TestPoolShutdownGivenUp(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, GiveUpTime: time.Hour})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			require.Error(t, p.CallContext(ctx, "Task.Sleep", Long{D: 10 * time.Minute}, new(int)))
			synctest.Wait()
			require.NoError(t, p.Shutdown(t.Context()))
			require.Equal(t, time.Second, time.Since(begin))
			require.Zero(t, p.Stats().Killed)
		})
	}
}

// TestPoolKillsOnce: a child is killed once for all jobs that do not end.
func TestPoolKillsOnce(t *testing.T) {
	p := labourPool(t, &rpcpipe.PoolOptions{Size: 1, Concurrency: 3, GiveUpTime: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var jobs sync.WaitGroup
	for range 3 {
		jobs.Go(func() {
			if err := p.CallContext(ctx, "Labour.Spin", 0, nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return p.Stats().Workers[0].Child.Child.Made.Pending == 3 }, 10*time.Second, time.Millisecond)
	cancel()
	jobs.Wait()
	require.NoError(t, p.Call("Labour.Pid", 0, new(int)))
	require.LessOrEqual(t, p.Stats().Killed, uint64(1)) // 0: it has not begun one of them in time
}

// TestPoolShrinksToLiving: a worker that has given up is no reason to end the only one that has a child.
func TestPoolShrinksToLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 2})
		jobs := []<-chan error{do(p, "Task.Sleep", Long{D: time.Second}), do(p, "Task.Sleep", Long{D: time.Second})}
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.Equal(t, 2, n.count())
		time.Sleep(time.Second)
		require.NoError(t, p.Call("Task.Run", 1, new(int))) // by the first
		n.setBefore(func(context.Context, int) error { return exec.ErrNotFound })
		n.mu.Lock()
		first := n.children[0]
		n.mu.Unlock()
		first.crash()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Up)
		require.NoError(t, p.Call("Task.Run", 1, new(int)))
	})
}

// TestPoolShrinksNoOldJobs: a worker is not idle whose old child has a job.
func TestPoolShrinksNoOldJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 3, RecycleJobs: 1})
		var jobs []<-chan error
		for range 2 {
			jobs = append(jobs, do(p, "Task.Sleep", Long{D: time.Hour}))
		}
		time.Sleep(time.Minute)
		require.NoError(t, p.Call("Task.Run", 1, new(int)))
		time.Sleep(10 * time.Minute)
		running := 0
		for _, w := range p.Stats().Workers {
			running += w.Running
		}
		require.Equal(t, 2, running)
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		time.Sleep(time.Minute)
		require.Len(t, p.Stats().Workers, 1)
	})
}

// TestPoolRecycleEachLong: with a child for each job there are no more jobs at once than workers, and one that
// waits for them has a child to wait for.
func TestPoolRecycleEachLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, RecycleJobs: 1})
		begin := time.Now()
		var jobs []<-chan error
		for id := range 10 {
			jobs = append(jobs, do(p, "Task.Sleep", Long{ID: id, D: time.Minute}))
			synctest.Wait()
			require.LessOrEqual(t, p.Stats().Running, 2)
		}
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.Equal(t, 5*time.Minute, time.Since(begin))
	})
}

// TestPoolRecycleSlow: while a child has its last job there is a child, however long the next one takes
// to come.
func TestPoolRecycleSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, RecycleJobs: 1})
		n.setBefore(func(context.Context, int) error { time.Sleep(45 * time.Second); return nil })
		first := do(p, "Task.Sleep", Long{ID: 1, D: time.Minute})
		synctest.Wait()
		require.NoError(t, p.Call("Task.Run", 2, new(int)))
		require.NoError(t, <-first)
	})
}

// TestPoolWaitSaysWhy: why the last worker has no child is told, also if it never had one.
func TestPoolWaitSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 2})
		do(p, "Task.Sleep", Long{D: time.Hour})
		synctest.Wait()
		n.setBefore(func(_ context.Context, number int) error {
			if number == 1 {
				time.Sleep(time.Minute)
			}
			return exec.ErrNotFound
		})
		second := do(p, "Task.Sleep", Long{})
		time.Sleep(time.Second)
		n.latest().crash()
		require.Error(t, <-second)
		n.release()
		require.ErrorIs(t, p.Wait(), exec.ErrNotFound)
	})
}

// TestPoolGrowsAgain: a job that waits has one more child started when a worker makes room that has given
// up.
func TestPoolGrowsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 2})
		long := do(p, "Task.Sleep", Long{ID: 1, D: time.Hour})
		synctest.Wait()
		n.setBefore(func(context.Context, int) error { return exec.ErrNotFound })
		begin := time.Now()
		next := do(p, "Task.Sleep", Long{ID: 2})
		time.Sleep(time.Second)
		require.Equal(t, 1, n.count())
		n.setBefore(nil)
		require.NoError(t, <-next)
		require.Less(t, time.Since(begin), time.Minute)
		require.NoError(t, <-long)
	})
}

// TestPoolIdleUnused: a child that has come too late for the job that waited for it is not kept for that.
func TestPoolIdleUnused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 2})
		long := do(p, "Task.Sleep", Long{ID: 1, D: time.Hour})
		synctest.Wait()
		n.setBefore(func(context.Context, int) error { time.Sleep(time.Second); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.Error(t, p.CallContext(ctx, "Task.Run", 1, nil))
		time.Sleep(2 * time.Second)
		require.Equal(t, 2, p.Stats().Up)
		time.Sleep(time.Minute)
		require.Equal(t, 1, p.Stats().Up)
		require.NoError(t, <-long)
	})
}
