package rpcpipe_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"net/rpc"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// longs are arguments of jobs, without an end, of which pulled counts those that were asked for.
func longs(pulled *int, d func(id int) time.Duration) iter.Seq[Long] {
	return func(yield func(Long) bool) {
		for id := 0; ; id++ {
			*pulled++
			if !yield(Long{ID: id, D: d(id)}) {
				return
			}
		}
	}
}

func take[T any](n int, seq iter.Seq[T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range seq {
			if n--; n < 0 || !yield(v) {
				return
			}
		}
	}
}

// TestMap: each argument has its result, in the order of the arguments or as they come.
func TestMap(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n, pulled := new(nursery), 0
			p := n.pool(t, &rpcpipe.PoolOptions{Size: 3})
			// The first takes long, so that others come before it.
			args := take(100, longs(&pulled, func(id int) time.Duration {
				if id == 0 {
					return time.Minute
				}
				return time.Second
			}))
			begin := time.Now()
			var order []int
			for job, err := range rpcpipe.Map[int](t.Context(), p, "Task.Sleep", args, &rpcpipe.MapOptions{Unordered: unordered}) {
				require.NoError(t, err)
				require.Equal(t, job.Index, job.Arg.ID)
				require.Equal(t, job.Arg.D, job.Took)
				require.Regexp(t, `^worker\[[0-2]\]$`, job.Worker)
				require.Contains(t, []int{0, 1, 2}, job.Reply)
				order = append(order, job.Index)
			}
			require.Len(t, order, 100)
			if !unordered {
				require.IsIncreasing(t, order)
			} else {
				require.NotContains(t, order[:50], 0)
				require.Equal(t, time.Minute, time.Since(begin), "nobody waits for the first")
			}
			slices.Sort(order)
			require.Equal(t, order[99], 99)
			require.Len(t, slices.Compact(order), 100)
		})
	}
}

// TestMapLooksAhead: no more arguments are asked for than there is room for.
func TestMapLooksAhead(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n, pulled, given := new(nursery), 0, 0
			p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, MaxSize: 2, Concurrency: 2})
			places := 4
			args := longs(&pulled, func(id int) time.Duration {
				if id == 0 {
					return time.Hour // the others have to wait for it if they are in order
				}
				return time.Second
			})
			for job, err := range rpcpipe.Map[int](t.Context(), p, "Task.Sleep", args, &rpcpipe.MapOptions{Unordered: unordered}) {
				require.NoError(t, err)
				if given++; given == 1 && !unordered {
					require.Zero(t, job.Index)
					require.Equal(t, 16*places, pulled)
				}
				if unordered {
					require.LessOrEqual(t, pulled, given+2*places)
				} else {
					require.LessOrEqual(t, pulled, given+16*places)
				}
				time.Sleep(time.Minute) // whoever takes them is slow
				if given == 50 {
					break
				}
			}
		})
	}
}

// TestMapErrors: a job that fails costs itself alone, and each error says which it is.
func TestMapErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, got := new(nursery), 0
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 4})
		ids := []int{10, 11, 12, 13, 14}
		for job, err := range rpcpipe.Map[int](t.Context(), p, "Task.Fail", slices.Values(ids), nil) {
			var failed *rpcpipe.JobError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, job.Index, failed.Index)
			var method rpc.ServerError
			require.ErrorAs(t, err, &method)
			require.ErrorContains(t, err, job.Worker+": job Task.Fail of argument ")
			require.Zero(t, job.Reply)
			got++
		}
		for job, err := range rpcpipe.Map[int](t.Context(), p, "Task.Die", slices.Values(ids), nil) {
			var failed *rpcpipe.JobError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, job.Index, failed.Index)
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.NotErrorIs(t, err, viaduct.ErrNotBegun)
			got++
		}
		for _, err := range rpcpipe.Map[int](t.Context(), p, "Task.Run", slices.Values([]any{1, make(chan int), 3}), nil) {
			if got++; err != nil {
				require.ErrorContains(t, err, "argument 1")
			}
		}
		require.Equal(t, 13, got)
		require.Zero(t, p.Stats().Running)
	})
}

// TestMapBreak: what runs is given up and waited for, whatever ends the loop.
func TestMapBreak(t *testing.T) {
	for name, leave := range map[string]func(){
		"break":  func() {},
		"panic":  func() { panic("loop") },
		"goexit": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, pulled := new(nursery), 0
				p := n.pool(t, &rpcpipe.PoolOptions{Size: 4})
				args := longs(&pulled, func(id int) time.Duration { return time.Duration(id) * time.Hour })
				left := make(chan struct{})
				go func() {
					defer close(left)
					defer func() { recover() }()
					for range rpcpipe.Map[int](t.Context(), p, "Task.Doze", args, nil) {
						if leave == nil {
							return
						}
						leave()
						break
					}
				}()
				begin := time.Now()
				<-left
				require.Zero(t, time.Since(begin))
				synctest.Wait()
				require.Zero(t, p.Stats().Running+p.Stats().Queue)
				require.Less(t, pulled, 4*2+2)
				require.Equal(t, 4, n.count(), "their methods have ended, no child had to")
				require.NoError(t, p.Call("Task.Run", 1, nil))
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2})
		require.PanicsWithValue(t, "args", func() {
			for range rpcpipe.Map[int](t.Context(), p, "Task.Doze", func(yield func(Long) bool) {
				yield(Long{D: time.Hour})
				panic("args")
			}, nil) {
			}
		})
		synctest.Wait()
		require.Zero(t, p.Stats().Running)
	})
}

// TestMapCut: a loop that ends before its arguments do says so.
func TestMapCut(t *testing.T) {
	for name, end := range map[string]func(p *rpcpipe.Pool, cancel context.CancelFunc){
		"context":  func(_ *rpcpipe.Pool, cancel context.CancelFunc) { cancel() },
		"close":    func(p *rpcpipe.Pool, _ context.CancelFunc) { p.Close() },
		"shutdown": func(p *rpcpipe.Pool, _ context.CancelFunc) { p.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				n, pulled := new(nursery), 0
				p := n.pool(t, &rpcpipe.PoolOptions{Size: 2})
				args := longs(&pulled, func(int) time.Duration { return time.Second })
				time.AfterFunc(10*time.Second+1, func() { end(p, cancel) })
				var errs []error
				last, jobs := -1, 0
				for job, err := range rpcpipe.Map[int](ctx, p, "Task.Doze", args, nil) {
					require.Equal(t, last+1, job.Index)
					last = job.Index
					if err != nil {
						errs = append(errs, err)
					} else {
						jobs++
					}
				}
				require.GreaterOrEqual(t, jobs, 20)
				require.NotEmpty(t, errs)
				final := errs[len(errs)-1]
				require.ErrorContains(t, final, "was not begun: and none of the arguments behind it")
				require.ErrorIs(t, final, viaduct.ErrNotBegun)
				var failed *rpcpipe.JobError
				require.ErrorAs(t, final, &failed)
				require.Equal(t, last, failed.Index)
				if name == "context" {
					require.ErrorIs(t, final, context.Canceled)
				} else {
					require.ErrorIs(t, final, rpc.ErrShutdown)
				}
				if name == "shutdown" {
					require.Len(t, errs, 1, "all others that were begun have been done")
				}
				require.Less(t, pulled, jobs+4*2)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // all arguments were begun: that says all
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, errs := new(nursery), 0
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		for _, err := range rpcpipe.Map[int](ctx, p, "Task.Doze", slices.Values([]Long{{D: time.Hour}}), nil) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			errs++
		}
		require.Equal(t, 1, errs)
		for range rpcpipe.Map[int](t.Context(), p, "Task.Doze", slices.Values([]Long{}), nil) {
			require.Fail(t, "there is none")
		}
	})
}

// TestMapAgain: the loop can be run again, and several at once.
func TestMapAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2})
		loop := rpcpipe.Map[int](t.Context(), p, "Task.Run", slices.Values([]int{1, 2, 3}), nil)
		done := make(chan int)
		for range 4 {
			go func() {
				jobs := 0
				for _, err := range loop {
					if errors.Is(err, nil) {
						jobs++
					}
				}
				done <- jobs
			}()
		}
		for range 4 {
			require.Equal(t, 3, <-done)
		}
		require.Equal(t, 4, n.runs(2))
	})
}

// TestMapManyPlaces: as many jobs at once as a child takes are not so many for a Map.
func TestMapManyPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		for _, o := range []rpcpipe.PoolOptions{{Size: 2, Concurrency: math.MaxInt}, {Size: 1, MaxSize: math.MaxInt}} {
			p, jobs := n.pool(t, &o), 0
			for _, err := range rpcpipe.Map[int](t.Context(), p, "Task.Run", slices.Values([]int{1, 2, 3}), nil) {
				require.NoError(t, err)
				jobs++
			}
			require.Equal(t, 3, jobs)
		}
	})
}
