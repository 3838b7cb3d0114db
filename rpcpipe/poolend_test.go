package rpcpipe_test

import (
	"context"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolShutdown: the jobs that there are, also those that wait, are done.
func TestPoolShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		var jobs []<-chan error
		for id := range 5 {
			jobs = append(jobs, do(p, "Task.Sleep", Long{ID: id, D: time.Second}))
		}
		synctest.Wait()
		begin := time.Now()
		shut := make(chan error)
		go func() { shut <- p.Shutdown(t.Context()) }()
		synctest.Wait()
		err := p.Call("Task.Run", 6, new(int))
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.NoError(t, <-shut)
		require.Equal(t, 5*time.Second, time.Since(begin))
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.NoError(t, p.Wait())
		require.NoError(t, p.Shutdown(t.Context()), "again")
		require.Zero(t, n.runs(6))
	})
}

// TestPoolShutdownInTime: it is bounded, and says so.
func TestPoolShutdownInTime(t *testing.T) {
	for _, byContext := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			p := n.pool(t, &rpcpipe.PoolOptions{
				Size: 1, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{ShutdownTimeout: 10 * time.Second}},
			})
			running := do(p, "Task.Sleep", Long{ID: 1, D: time.Hour})
			synctest.Wait()
			waiting := do(p, "Task.Sleep", Long{ID: 2})
			synctest.Wait()
			ctx, want, text := t.Context(), 10*time.Second, "ShutdownTimeout"
			if byContext {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, time.Second)
				defer cancel()
				want, text = time.Second, "deadline exceeded"
			}
			begin := time.Now()
			err := p.Shutdown(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, text)
			require.Equal(t, want, time.Since(begin))
			err = <-running
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.NotErrorIs(t, err, viaduct.ErrNotBegun)
			require.ErrorIs(t, <-waiting, viaduct.ErrNotBegun)
			n.release()
			require.NoError(t, p.Wait())
		})
	}
}

// TestPoolShutdownByMethod: a method may shut all down that serves a job's call.
func TestPoolShutdownByMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, boss, server := new(nursery), new(Boss), rpc.NewServer()
		require.NoError(t, server.Register(boss))
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Server: server}}})
		boss.pool = p
		other := do(p, "Task.Sleep", Long{ID: 1, D: time.Second})
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, <-do(p, "Task.AskShutdown", Long{}))
		require.NoError(t, <-other)
		require.NoError(t, p.Wait())
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// TestPoolShutdownByMethods: two methods that shut all down do not wait for each other.
func TestPoolShutdownByMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, boss, server := new(nursery), new(Boss), rpc.NewServer()
		require.NoError(t, server.Register(boss))
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Server: server}}})
		boss.pool = p
		begin := time.Now()
		jobs := []<-chan error{do(p, "Task.AskShutdown", Long{D: time.Second}), do(p, "Task.AskShutdown", Long{D: time.Second})}
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.NoError(t, p.Wait())
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// TestPoolCloseAnytime: Close returns whatever is going on, and nothing is left.
func TestPoolCloseAnytime(t *testing.T) {
	untilEnd := func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, during := range map[string]func(n *nursery, p *rpcpipe.Pool){
		"up":      func(*nursery, *rpcpipe.Pool) {},
		"busy":    func(_ *nursery, p *rpcpipe.Pool) { do(p, "Task.Sleep", Long{D: time.Hour}) },
		"backoff": func(n *nursery, _ *rpcpipe.Pool) { n.latest().crash() },
		"start": func(n *nursery, _ *rpcpipe.Pool) {
			n.setBefore(untilEnd)
			n.latest().crash()
			time.Sleep(time.Second)
		},
		"growth": func(n *nursery, p *rpcpipe.Pool) {
			n.setBefore(untilEnd)
			for range 4 {
				do(p, "Task.Sleep", Long{D: time.Hour})
			}
			time.Sleep(time.Second)
		},
		"given up": func(_ *nursery, p *rpcpipe.Pool) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			p.CallContext(ctx, "Task.Sleep", Long{D: time.Hour}, nil)
		},
		"recycling": func(n *nursery, p *rpcpipe.Pool) {
			n.setBefore(untilEnd)
			for range 20 {
				p.Call("Task.Run", 1, nil)
			}
		},
		"shutdown": func(_ *nursery, p *rpcpipe.Pool) {
			do(p, "Task.Sleep", Long{D: time.Hour})
			synctest.Wait()
			go p.Shutdown(context.Background())
		},
		"idle": func(_ *nursery, p *rpcpipe.Pool) {
			for range 8 {
				do(p, "Task.Sleep", Long{D: time.Second})
			}
			time.Sleep(31 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, told := new(nursery), new(story)
				p := n.pool(t, &rpcpipe.PoolOptions{
					Size: 2, MaxSize: 4, RecycleJobs: 10, Supervise: &rpcpipe.SuperviseOptions{Events: told.add},
				})
				during(n, p)
				synctest.Wait()
				var waits []<-chan error
				for range 8 {
					waits = append(waits, do(p, "Task.Sleep", Long{D: time.Hour}))
				}
				synctest.Wait()
				begin := time.Now()
				require.NoError(t, p.Close())
				for _, w := range waits {
					require.ErrorIs(t, <-w, rpc.ErrShutdown)
				}
				n.release()
				require.NoError(t, p.Wait())
				require.Zero(t, time.Since(begin))
				require.NoError(t, p.Close())
				require.Zero(t, p.Stats().Up+p.Stats().Queue)
			})
		})
	}
}

// TestPoolCloseFromEvents: an event's callback may call all methods but Wait, and one is called at a
// time.
func TestPoolCloseFromEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		var p *rpcpipe.Pool
		made, inside, closed := make(chan struct{}), 0, false
		p, err := rpcpipe.NewPoolWith(t.Context(), n.start, named("one"), &rpcpipe.PoolOptions{
			Size: 8, Supervise: &rpcpipe.SuperviseOptions{Events: func(rpcpipe.Event) {
				inside++
				require.Equal(t, 1, inside)
				<-made
				time.Sleep(time.Second)
				p.Stats()
				if !closed {
					closed = true
					p.Close()
				}
				inside--
			}},
		})
		require.NoError(t, err)
		close(made)
		require.NoError(t, p.Wait())
	})
}

// TestPoolShutdownKills: a child that is killed for a job that was given up has nothing for Shutdown to
// complain of.
func TestPoolShutdownKills(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Concurrency: 2})
			neighbour := do(p, "Task.Sleep", Long{ID: 1, D: 10 * time.Second})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.Error(t, p.CallContext(ctx, "Task.Sleep", Long{ID: 2, D: time.Hour}, new(int)))
			time.Sleep(2 * time.Second)
			require.NoError(t, p.Shutdown(t.Context()))
			require.NoError(t, <-neighbour)
		})
	}
}
