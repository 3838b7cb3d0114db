package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolAnsweredAtItsEnd: a job that was answered is done, also if its context ends at that moment.
func TestPoolAnsweredAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		ctx, cancel := context.WithCancel(t.Context())
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{
			CallHook: func(ctx context.Context, _ rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
				return ctx, func(rpcpipe.CallResult) { cancel() }
			},
		}}})
		require.NoError(t, p.CallContext(ctx, "Task.Run", 1, new(int)))
	})
}

// TestPoolWithForeignError: an error that is of another link than the child's does not take the child for dead.
func TestPoolWithForeignError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		require.Equal(t, rpc.ErrShutdown, p.With(t.Context(), func(context.Context, *rpcpipe.Peer) error { return rpc.ErrShutdown }))
		require.NoError(t, p.Call("Task.Run", 1, new(int)))
	})
}

// TestPoolWithPartly: what a With has begun before is not denied by what it could not begin.
func TestPoolWithPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		err := p.With(t.Context(), func(ctx context.Context, peer *rpcpipe.Peer) error {
			require.NoError(t, peer.CallContext(ctx, "Task.Run", 1, new(int)))
			n.latest().crash()
			<-peer.Done()
			return peer.Call("Task.Run", 2, new(int))
		})
		require.Error(t, err)
		require.Equal(t, 1, n.runs(1))
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
	})
}

// TestPoolEndedContext: it is a JobError, too, if a child was there.
func TestPoolEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := p.CallContext(ctx, "Task.Run", 1, new(int))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.ErrorAs(t, err, new(*rpcpipe.JobError))
	})
}

// TestPoolWithTimeout: With returns what its function does, and that counts as a failure.
func TestPoolWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Timeout: time.Minute})
		var own error
		err := p.With(t.Context(), func(ctx context.Context, peer *rpcpipe.Peer) error {
			<-ctx.Done()
			own = errors.Join(errors.New("own"), ctx.Err())
			return own
		})
		require.Equal(t, own, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 1, p.Stats().Failed)
	})
}

// TestPoolMaxWaitInAll: the time without a child adds up over the attempts.
func TestPoolMaxWaitInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Attempts: 10, Supervise: &rpcpipe.SuperviseOptions{MaxWait: 5 * time.Second}})
		n.setBefore(func(context.Context, int) error { time.Sleep(2 * time.Second); return nil })
		begin := time.Now()
		err := p.Call("Task.Die", 1, new(int))
		require.ErrorAs(t, err, new(*rpcpipe.NoChildError))
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, 3, n.runs(1))
		require.Equal(t, 5*time.Second, time.Since(begin))
	})
}

// TestPoolWaited: the error says how long there was no child.
func TestPoolWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		n.setBefore(func(context.Context, int) error { time.Sleep(time.Hour); return nil })
		n.latest().crash()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.CallContext(ctx, "Task.Run", 1, new(int))
		var none *rpcpipe.NoChildError
		require.ErrorAs(t, err, &none)
		n.setBefore(nil)
		require.Equal(t, time.Second, none.Waited)
	})
}

// TestPoolStatsAddUp: what finds the Pool closed is a job, too.
func TestPoolStatsAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		p.Close()
		require.Error(t, p.Call("Task.Run", 1, nil))
		s := p.Stats()
		require.GreaterOrEqual(t, s.Jobs, s.Failed)
	})
}

// TestPoolPanics: a job that panics costs its child, and is not taken for a child that ends without a
// job, however often.
func TestPoolPanics(t *testing.T) {
	for _, attempts := range []int{1, 2} {
		t.Run(strconv.Itoa(attempts), func(t *testing.T) { testPoolPanics(t, attempts) })
	}
}

func testPoolPanics(t *testing.T, attempts int) {
	p := labourPool(t, &rpcpipe.PoolOptions{
		Size: 1, Attempts: attempts, Supervise: &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Limit: 1, Min: time.Hour, Max: time.Hour}},
	})
	for range 5 {
		err := p.Call("Labour.Panic", 0, nil)
		var job *rpcpipe.JobError
		require.ErrorAs(t, err, &job)
		require.Equal(t, attempts, job.Attempts)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		var panicked *viaduct.PanicError
		require.ErrorAs(t, err, &panicked)
		require.Equal(t, "no more", panicked.Value)
		require.NotNil(t, job.Exit, "it comes after the answer")
		require.Equal(t, 2, job.Exit.Code)
		require.Contains(t, string(job.Exit.Crash), "panic: no more")
		require.NoError(t, p.Call("Labour.Pid", 0, new(int)))
	}
	require.EqualValues(t, 5*attempts, p.Stats().Lost)
}

// TestMapNotBegun: an error says that no method was begun where a call by itself says so.
func TestMapNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		require.ErrorIs(t, p.Call("Task.None", 1, nil), viaduct.ErrNotBegun)
		for _, err := range rpcpipe.Map[int](t.Context(), p, "Task.None", slices.Values([]int{1}), nil) {
			require.ErrorIs(t, err, viaduct.ErrNotBegun)
			var job *rpcpipe.JobError
			require.ErrorAs(t, err, &job)
			require.Zero(t, job.Attempts)
		}
	})
}
