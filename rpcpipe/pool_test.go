package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolQueue: a child has one job at a time, and those that wait have their turns in their order.
func TestPoolQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2})
		begin := time.Now()
		var jobs []<-chan error
		for id := range 6 {
			jobs = append(jobs, do(p, "Task.Sleep", Long{ID: id, D: time.Second}))
			synctest.Wait()
			require.Equal(t, min(id+1, 2), p.Stats().Running)
			require.Equal(t, max(0, id-1), p.Stats().Queue)
		}
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.Equal(t, 3*time.Second, time.Since(begin))
		for i, id := range n.order() {
			require.Equal(t, i/2, id/2, "two at a time")
		}
		synctest.Wait()
		s := p.Stats()
		require.EqualValues(t, 6, s.Jobs)
		require.Zero(t, s.Running+s.Queue+int(s.Failed))
		require.InEpsilon(t, time.Second, s.Took.P50, 0.13)
		require.InEpsilon(t, 2*time.Second, s.Wait.Max, 0.01)
		require.Len(t, s.Workers, 2)
		require.Equal(t, "worker[1]", s.Workers[1].Name)
		require.EqualValues(t, 3, s.Workers[1].Jobs)
		require.Equal(t, rpcpipe.StateUp, s.Workers[1].Child.State)
		require.Equal(t, 2, n.count())
	})
}

// TestPoolLeastBusy: with more than one job at a time the child gets one that has the fewest.
func TestPoolLeastBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 3, Concurrency: 2})
		for id := range 8 {
			do(p, "Task.Sleep", Long{ID: id, D: time.Second})
			synctest.Wait()
			for _, w := range p.Stats().Workers {
				require.GreaterOrEqual(t, w.Running, min((id+1)/3, 2))
				require.LessOrEqual(t, w.Running, 2)
			}
		}
		require.Equal(t, 2, p.Stats().Queue)
	})
}

// TestPoolDeath: a job that its child dies of costs itself alone, and the child is followed by another
// at once.
func TestPoolDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		p := n.pool(t, &rpcpipe.PoolOptions{
			Size: 2, Supervise: &rpcpipe.SuperviseOptions{Events: told.add, Restart: rpcpipe.Restart{Limit: 1}},
		})
		begin := time.Now()
		long := do(p, "Task.Sleep", Long{ID: -1, D: time.Second})
		for id := range 100 {
			err := p.Call("Task.Die", id, new(int))
			var job *rpcpipe.JobError
			require.ErrorAs(t, err, &job)
			require.Equal(t, "Task.Die", job.Method)
			require.Equal(t, 1, job.Attempts)
			require.Contains(t, err.Error(), job.Worker+": job Task.Die: ")
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.NotErrorIs(t, err, viaduct.ErrNotBegun)
			require.NoError(t, p.Call("Task.Run", 1000+id, new(int)))
		}
		require.Zero(t, time.Since(begin), "there is nothing to wait for")
		require.NoError(t, <-long)
		for id := range 100 {
			require.Equal(t, 1, n.runs(id))
			require.Equal(t, 1, n.runs(1000+id))
		}
		s := p.Stats()
		require.EqualValues(t, 100, s.Lost)
		require.EqualValues(t, 100, s.Failed)
		require.Equal(t, 2, s.Up)

		// Without a job it is the child's own fault: one is restarted after a time, then no more.
		n.latest().crash()
		synctest.Wait()
		require.Equal(t, 1, p.Stats().Up)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, 2, p.Stats().Up)
		n.latest().crash()
		time.Sleep(time.Hour)
		require.Equal(t, 1, p.Stats().Up)
		require.NoError(t, p.Call("Task.Run", 1, new(int)), "the other one goes on")
		require.Contains(t, told.kinds(), "gave up")
	})
}

// TestPoolAttempts: a job goes to one child unless more are allowed; those that have not begun it do
// not count.
func TestPoolAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 4, Attempts: 3})
		err := p.Call("Task.Die", 1, new(int))
		require.ErrorContains(t, err, "in its attempt 3")
		require.Equal(t, 3, n.runs(1))
		require.EqualValues(t, 2, p.Stats().Repeated)
		require.EqualValues(t, 3, p.Stats().Lost)

		err = p.Call("Task.Fail", 2, new(int))
		require.Equal(t, rpc.ServerError("no"), err, "as a Peer's, and not repeated")
		require.Equal(t, 1, n.runs(2))
	})
}

// TestPoolRefused: what a child has not begun goes to another one.
func TestPoolRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Concurrency: 2})
		held := do(p, "Task.Doze", Long{ID: -1, D: time.Minute})
		synctest.Wait()
		var first *infant
		n.mu.Lock()
		for _, i := range n.children {
			if i.peer.Stats().Served.Running > 0 {
				first = i
			}
		}
		n.mu.Unlock()
		go first.peer.Shutdown(context.Background())
		synctest.Wait()
		for id := range 10 {
			child := -1
			require.NoError(t, p.Call("Task.Run", id, &child))
			require.NotEqual(t, first.born, child)
			require.Equal(t, 1, n.runs(id))
		}
		require.NoError(t, <-held)
		synctest.Wait()
		require.Zero(t, p.Stats().Lost)
	})
}

// TestPoolTimeout: it runs from when a child has the job, and what is given up is no neighbour of the
// next job: its child gets none until the method has ended, and is killed if it does not.
func TestPoolTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		journal, logger := testkit.NewJournal()
		p := n.pool(t, &rpcpipe.PoolOptions{
			Size: 1, Timeout: 10 * time.Second, GiveUpTime: 2 * time.Second,
			Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Logger: logger}},
		})
		first := do(p, "Task.Sleep", Long{ID: 1, D: 9 * time.Second})
		synctest.Wait()
		second := do(p, "Task.Sleep", Long{ID: 2, D: 9 * time.Second}) // waits for 9 s
		require.NoError(t, <-first)
		require.NoError(t, <-second)

		// One that is told, and ends.
		begin := time.Now()
		err := p.CallContext(t.Context(), "Task.Doze", Long{ID: 3, D: time.Hour}, new(int))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "worker[0]: job Task.Doze: took longer than PoolOptions.Timeout (10s)")
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		child := -1
		require.NoError(t, p.Call("Task.Run", 4, &child))
		require.Zero(t, child, "it is the same child")
		require.Equal(t, 10*time.Second, time.Since(begin))

		// One that goes on for a second.
		begin = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = p.CallContext(ctx, "Task.Sleep", Long{ID: 5, D: 2 * time.Second}, new(int))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotContains(t, err.Error(), "Timeout")
		require.Equal(t, time.Second, time.Since(begin))
		require.NoError(t, p.Call("Task.Run", 6, &child))
		require.Equal(t, 2*time.Second, time.Since(begin))
		require.Zero(t, child)

		// One that does not end.
		begin = time.Now()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = p.CallContext(ctx, "Task.Sleep", Long{ID: 7, D: time.Hour}, new(int))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, p.Call("Task.Run", 8, &child))
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, 1, child)
		require.EqualValues(t, 1, p.Stats().Killed)
		require.Zero(t, p.Stats().Lost)
		require.Contains(t, journal.All(), `its child is killed" name=worker[0] method=Task.Sleep after=2s`)

		// One that is not begun at all.
		held := do(p, "Task.Sleep", Long{ID: 9, D: 5 * time.Second})
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = p.CallContext(ctx, "Task.Run", 10, new(int))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.ErrorContains(t, err, "job Task.Run was not begun")
		require.NoError(t, <-held)
		require.Zero(t, n.runs(10))
	})
}

// TestPoolGivenUpBesideOthers: a child that is to be killed gets no more jobs, and those that it has
// end first.
func TestPoolGivenUpBesideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Concurrency: 2})
		begin := time.Now()
		neighbour := do(p, "Task.Sleep", Long{ID: 1, D: 10 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, p.CallContext(ctx, "Task.Sleep", Long{ID: 2, D: time.Hour}, new(int)))
		time.Sleep(2 * time.Second)
		next := do(p, "Task.Run", Long{})
		require.NoError(t, <-neighbour)
		require.Equal(t, 10*time.Second, time.Since(begin))
		<-next
		require.Equal(t, 2, n.count())
		require.EqualValues(t, 1, p.Stats().Killed)
	})
}

// TestPoolNested: a job that has a further one done does not wait for itself.
func TestPoolNested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, boss, server := new(nursery), new(Boss), rpc.NewServer()
		require.NoError(t, server.Register(boss))
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 2, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Server: server}}})
		boss.pool = p
		var jobs []<-chan error
		for id := range 6 {
			jobs = append(jobs, do(p, "Task.Outer", Long{ID: id, D: time.Second}))
		}
		for _, job := range jobs {
			require.NoError(t, <-job)
		}
		require.Len(t, n.order(), 12)
	})
}

// TestPoolWith: it has a child for itself, and its context ends with that.
func TestPoolWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1, Timeout: time.Minute})
		var other <-chan error
		require.NoError(t, p.With(t.Context(), func(ctx context.Context, peer *rpcpipe.Peer) error {
			other = do(p, "Task.Sleep", Long{ID: 1})
			for id := range 3 {
				require.NoError(t, peer.CallContext(ctx, "Task.Run", 10+id, new(int)))
			}
			inner, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			require.Error(t, peer.CallContext(inner, "Task.Sleep", Long{ID: 20, D: 1500 * time.Millisecond}, new(int)))
			require.Zero(t, n.runs(1))
			return nil
		}))
		begin := time.Now()
		require.NoError(t, <-other)
		require.Equal(t, 500*time.Millisecond, time.Since(begin), "what was given up has ended first")
		require.Equal(t, 1, n.count())

		wrong := errors.New("wrong")
		require.Equal(t, wrong, p.With(t.Context(), func(context.Context, *rpcpipe.Peer) error { return wrong }))
		err := p.With(t.Context(), func(ctx context.Context, peer *rpcpipe.Peer) error {
			n.latest().crash()
			<-ctx.Done()
			return context.Cause(ctx)
		})
		require.Error(t, err)
		require.NotErrorIs(t, err, context.Canceled, "it has a cause")
		err = p.With(t.Context(), func(ctx context.Context, peer *rpcpipe.Peer) error {
			<-ctx.Done()
			return ctx.Err()
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, p.Call("Task.Run", 30, new(int)))
		require.Panics(t, func() { p.With(t.Context(), func(context.Context, *rpcpipe.Peer) error { panic("no") }) })
		require.NoError(t, p.Call("Task.Run", 30, new(int)))
	})
}

// TestPoolGo: the arguments are encoded before it returns.
func TestPoolGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		p := n.pool(t, &rpcpipe.PoolOptions{Size: 1})
		done := make(chan *rpc.Call, 10)
		args := &Long{D: time.Second}
		for id := range 10 {
			args.ID = id
			p.Go("Task.Sleep", args, new(int), done)
		}
		for range 10 {
			require.NoError(t, (<-done).Error)
		}
		require.ElementsMatch(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, n.order())
		require.ErrorContains(t, (<-p.Go("Task.Run", make(chan int), nil, nil).Done).Error, "chan int")
		require.Panics(t, func() { p.Go("Task.Run", 1, nil, make(chan *rpc.Call)) })
		p.Close()
		require.ErrorIs(t, (<-p.Go("Task.Run", 1, nil, nil).Done).Error, viaduct.ErrNotBegun)
	})
}

// TestPoolBadInput: what has no meaning is refused, with the name of the field.
func TestPoolBadInput(t *testing.T) {
	for text, o := range map[string]*rpcpipe.PoolOptions{
		"PoolOptions.Size is -1":              {Size: -1},
		"PoolOptions.MaxSize is 2":            {Size: 3, MaxSize: 2},
		"PoolOptions.Concurrency is -1":       {Concurrency: -1},
		"PoolOptions.Attempts is -1":          {Attempts: -1},
		"PoolOptions.Timeout is -1s":          {Timeout: -time.Second},
		"PoolOptions.IdleTimeout is -1s":      {IdleTimeout: -time.Second},
		"PoolOptions.GiveUpTime is -1s":       {GiveUpTime: -time.Second},
		"PoolOptions.RecycleJobs is -1":       {RecycleJobs: -1},
		"PoolOptions.RecycleMemory is -1":     {RecycleMemory: -1},
		"PoolOptions.Supervise.Idempotent":    {Supervise: &rpcpipe.SuperviseOptions{Idempotent: func(string) bool { return true }}},
		"SuperviseOptions.MaxWait is -1s":     {Supervise: &rpcpipe.SuperviseOptions{MaxWait: -time.Second}},
		"PoolOptions.Supervise: rpcpipe: Sup": {Supervise: &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Limit: -1}}},
	} {
		p, err := rpcpipe.NewPool(t.Context(), named("one"), o)
		require.ErrorContains(t, err, text)
		require.Nil(t, p)
	}
	_, err := rpcpipe.NewPool(t.Context(), nil, nil)
	require.ErrorContains(t, err, "nil command function")
	self, err := os.Executable()
	require.NoError(t, err)
	begun := exec.Command(self, "-test.run=^$")
	for text, command := range map[string]func(rpcpipe.Incarnation) (*exec.Cmd, error){
		"a nil Cmd":                func(rpcpipe.Incarnation) (*exec.Cmd, error) { return nil, nil },
		"that was started already": func(rpcpipe.Incarnation) (*exec.Cmd, error) { return begun, nil },
		"no idea":                  func(rpcpipe.Incarnation) (*exec.Cmd, error) { return nil, errors.New("no idea") },
		"nowhere":                  func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("/nowhere"), nil },
	} {
		if text == "that was started already" {
			require.NoError(t, begun.Start())
			defer begun.Wait()
		}
		p, err := rpcpipe.NewPool(t.Context(), command, &rpcpipe.PoolOptions{Size: 2})
		require.ErrorContains(t, err, text)
		require.Nil(t, p)
	}
}
