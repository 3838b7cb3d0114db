package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolGrows: one more child for each 10 ms that a job waits, and none for longer than it is of
// use; a long job is no idle one.
func TestPoolGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 4})
		begin := time.Now()
		var jobs []<-chan error
		for id := range 8 {
			jobs = append(jobs, do(p, "Task.Sleep", Long{ID: id, D: 10 * time.Minute}))
			synctest.Wait()
		}
		time.Sleep(9 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, 1, n.count())
		for i := range 3 {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			require.Equal(t, 2+i, n.count())
			time.Sleep(9 * time.Millisecond)
			synctest.Wait()
			require.Equal(t, 2+i, n.count())
		}
		time.Sleep(time.Minute)
		require.Equal(t, 4, n.count())
		require.Equal(t, 4, p.Stats().Queue)
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.Less(t, time.Since(begin), 21*time.Minute)
		for id := range 8 {
			require.Equal(t, 1, n.runs(id))
		}
		long := do(p, "Task.Sleep", Long{D: time.Hour})
		time.Sleep(29 * time.Second)
		require.Equal(t, 4, p.Stats().Up)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Less(t, p.Stats().Up, 4)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		require.LessOrEqual(t, p.Stats().Up, 2)
		require.NoError(t, <-long)
		time.Sleep(31 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Up)
		require.Len(t, p.Stats().Workers, 1)
		require.NoError(t, p.Call("Task.Run", 7, new(int)))
	})
}

// TestPoolRecycles: the new child is there before the old one gets no more jobs, a long job in that
// goes on, and they are not all replaced at once.
func TestPoolRecycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		p := n.pool(t, &rpcpipe.PoolOptions{
			Size: 4, Concurrency: 2, RecycleJobs: 100,
			Supervise: &rpcpipe.SuperviseOptions{
				Peer:   &rpcpipe.Options{ShutdownTimeout: time.Second},
				Events: told.add,
				Ready: func(context.Context, *rpcpipe.Peer) error {
					time.Sleep(time.Second)
					return nil
				},
			},
		})
		long := do(p, "Task.Sleep", Long{ID: -1, D: time.Hour})
		var load sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var mu sync.Mutex
		byChild := make(map[int]int)
		for range 6 {
			load.Go(func() {
				for ctx.Err() == nil {
					child := -1
					if err := p.Call("Task.Sleep", Long{D: 100 * time.Millisecond}, &child); err != nil {
						t.Error(err)
					}
					mu.Lock()
					byChild[child]++
					mu.Unlock()
				}
			})
		}
		load.Wait()
		synctest.Wait()
		others := 0
		for child, jobs := range byChild {
			if !n.ended(child) { // it may be any of the last ones: jobs need not be spread evenly
				continue
			}
			others++
			require.LessOrEqual(t, jobs, 100)
			require.GreaterOrEqual(t, jobs, 75-1, "the long job counts")
		}
		require.Greater(t, others, 100)
		swapped := 0
		for _, kind := range told.kinds() {
			if kind == "swapped" {
				swapped++
			}
		}
		require.EqualValues(t, swapped, p.Stats().Recycled)
		var ready time.Time
		together := 0
		for _, e := range told.all()[8:] {
			if e.Kind == rpcpipe.EventReady {
				if e.Time.Sub(ready) < time.Second {
					together++
				}
				ready = e.Time
			}
		}
		require.Less(t, together, n.count()/3, "most one after the other")
		require.NoError(t, <-long, "it has outlived its child's turn by far")
		require.Zero(t, p.Stats().Lost)
		require.NotContains(t, told.kinds(), "failed")
	})
}

// TestPoolRecycleEach: each job may have a child of its own.
func TestPoolRecycleEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 3, RecycleJobs: 1})
		seen := make(map[int]bool)
		for job, err := range rpcpipe.Map[int](t.Context(), p, "Task.Sleep", slices.Values(make([]Long, 100)), nil) {
			require.NoError(t, err)
			require.False(t, seen[job.Reply])
			seen[job.Reply] = true
		}
		require.Len(t, seen, 100)
	})
}

// TestPoolRecycleFails: what cannot be replaced goes on, and it is tried again.
func TestPoolRecycleFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, fail := new(nursery), errors.New("no memory")
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, RecycleJobs: 10})
		n.setBefore(func(context.Context, int) error { return fail })
		for id := range 9 {
			require.NoError(t, p.Call("Task.Run", id, new(int)))
			synctest.Wait()
		}
		require.Equal(t, 1, n.count())
		require.NoError(t, p.Call("Task.Run", 9, new(int)))
		next := do(p, "Task.Sleep", Long{ID: 10}) // is one too many
		time.Sleep(time.Second)
		require.Zero(t, n.runs(10))
		require.Zero(t, p.Stats().Up)
		n.setBefore(nil)
		require.NoError(t, <-next)
		require.Equal(t, 2, n.count())
		require.Zero(t, p.Stats().Recycled)
	})
}

// TestPoolNoChild: a job waits for a child, within MaxWait, while none is up, and longer while one is.
func TestPoolNoChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Supervise: &rpcpipe.SuperviseOptions{
			MaxWait: 5 * time.Second, Restart: rpcpipe.Restart{Max: 2 * time.Second},
		}})
		long := []<-chan error{do(p, "Task.Sleep", Long{ID: -1, D: time.Minute}), do(p, "Task.Sleep", Long{ID: -2, D: time.Minute})}
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, p.Call("Task.Run", 1, new(int)))
		require.Equal(t, time.Minute, time.Since(begin))
		for _, l := range long {
			require.NoError(t, <-l)
		}

		refused := errors.New("out of order")
		n.setBefore(func(context.Context, int) error { return refused })
		n.mu.Lock()
		children := append([]*infant(nil), n.children...)
		n.mu.Unlock()
		for _, c := range children {
			c.crash()
		}
		synctest.Wait()
		begin = time.Now()
		err := p.Call("Task.Run", 2, new(int))
		require.Equal(t, 5*time.Second, time.Since(begin))
		var none *rpcpipe.NoChildError
		require.ErrorAs(t, err, &none)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.ErrorContains(t, err, "SuperviseOptions.MaxWait")
		require.ErrorIs(t, err, refused)
		require.False(t, none.Final)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = p.CallContext(ctx, "Task.Run", 2, new(int))
		require.ErrorAs(t, err, &none)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		n.setBefore(nil)
		require.NoError(t, p.Call("Task.Run", 3, new(int)), "it comes in time")

		// All give up.
		n.setBefore(func(context.Context, int) error { return refused })
		waiting := do(p, "Task.Sleep", Long{ID: 4, D: time.Hour})
		synctest.Wait()
		n.mu.Lock()
		children = append([]*infant(nil), n.children...)
		n.mu.Unlock()
		for _, c := range children {
			c.crash()
		}
		require.Error(t, <-waiting)
		err = p.Wait()
		var limit *rpcpipe.RestartLimitError
		require.ErrorAs(t, err, &limit)
		require.ErrorIs(t, err, refused)
		err = p.Call("Task.Run", 5, new(int))
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.ErrorIs(t, err, refused)
		require.ErrorAs(t, err, &none)
		require.True(t, none.Final)
	})
}

// TestPoolStarts: some children may fail to start, and come later; if all do that is an error.
func TestPoolStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, no := new(nursery), errors.New("not now")
		n.before = func(_ context.Context, number int) error {
			if number < 3 {
				return no
			}
			return nil
		}
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 4})
		require.Equal(t, 1, p.Stats().Up)
		require.NoError(t, p.Call("Task.Run", 1, new(int)))
		time.Sleep(time.Second)
		require.Equal(t, 4, p.Stats().Up)

		n2 := new(nursery)
		n2.before = func(context.Context, int) error { return no }
		p, err := rpcpipe.NewPoolWith(t.Context(), n2.start, named("one"), nil)
		require.ErrorIs(t, err, no)
		require.Nil(t, p)

		n2.before = func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = rpcpipe.NewPoolWith(ctx, n2.start, named("one"), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
