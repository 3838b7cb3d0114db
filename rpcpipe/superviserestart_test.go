package rpcpipe_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"net/rpc"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestRestartBackoff: the time until the next start doubles, up to a limit, and begins anew with a
// child that was up for a minute.
func TestRestartBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{
			Restart: rpcpipe.Restart{Max: 2 * time.Second, Limit: math.MaxInt},
			Events:  told.add,
		})
		want := 100 * time.Millisecond
		for i := range 40 {
			if i == 20 {
				time.Sleep(time.Minute)
				want = 100 * time.Millisecond
			}
			begin := time.Now()
			n.latest().crash()
			synctest.Wait()
			require.Equal(t, rpcpipe.StateBackoff, s.Stats().State)
			child := -1
			require.NoError(t, s.Call("Task.Run", i, &child))
			require.Equal(t, i+1, child)
			waited := time.Since(begin)
			require.LessOrEqual(t, waited, want)
			require.GreaterOrEqual(t, waited, want*3/4)
			want = min(2*want, 2*time.Second)
			stats := s.Stats()
			require.Equal(t, rpcpipe.StateUp, stats.State)
			require.Equal(t, i+2, stats.Starts)
			require.Equal(t, i+1, stats.Restarts)
			require.NoError(t, stats.Err)
		}
		for _, e := range told.all() {
			if e.Kind == rpcpipe.EventExited {
				require.Positive(t, e.Wait)
				require.Error(t, e.Err)
			}
		}
	})
}

// TestRestartLimit: when the children end too often the Supervisor gives up, and says why.
func TestRestartLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{
			Restart: rpcpipe.Restart{Max: time.Second, Limit: 3, Within: time.Minute},
			Events:  told.add,
		})
		crash := func() {
			n.latest().crash()
			time.Sleep(2 * time.Second)
		}
		for range 3 {
			crash()
		}
		time.Sleep(time.Minute) // these count no more
		for range 3 {
			crash()
			require.NoError(t, s.Call("Task.Run", 1, nil))
		}
		n.latest().crash()
		err := s.Wait()
		var limit *rpcpipe.RestartLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 3, limit.Limit)
		require.Len(t, limit.Ends, 7)
		require.ErrorContains(t, err, "unexpected EOF")
		require.Equal(t, rpcpipe.StateDown, s.Stats().State)
		require.Len(t, n.starts, 7)

		call := s.Call("Task.Run", 2, nil)
		var none *rpcpipe.NoChildError
		require.ErrorAs(t, call, &none)
		require.True(t, none.Final)
		require.ErrorAs(t, call, &limit)
		require.ErrorIs(t, call, viaduct.ErrNotBegun)
		require.ErrorIs(t, call, rpc.ErrShutdown)
		require.ErrorIs(t, s.Notify(t.Context(), "Task.Run", 2), rpc.ErrShutdown)
		require.ErrorAs(t, s.Swap(t.Context(), nil), &none)
		require.Equal(t, rpc.ErrShutdown, s.Client().Call("Task.Run", 2, nil))
		require.ErrorIs(t, (<-s.Go("Task.Run", 2, nil, nil).Done).Error, rpc.ErrShutdown)
		require.Zero(t, n.runs(2))
		kinds := told.kinds()
		require.Equal(t, []string{"exited", "gave up", "ended"}, kinds[len(kinds)-3:])
		require.Equal(t, []string{"started", "ready", "exited", "started", "ready"}, kinds[:5])
	})
}

// TestFailedStarts: a child that cannot be started, or is not ready, counts as one that has ended.
func TestFailedStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		n.before = func(_ context.Context, n int) error {
			if n == 1 {
				return &procspawn.StartError{Program: "x", Err: context.DeadlineExceeded, Exit: &procspawn.Exit{Pid: 7}}
			}
			return nil
		}
		ready := 0
		s := n.supervise(t, &rpcpipe.SuperviseOptions{
			Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
				ready++
				switch ready {
				case 2:
					return p.Call("Task.Hold", 1, nil) // without the context
				case 3:
					return errors.New("not today")
				}
				return nil
			},
			Events: told.add,
		})
		begin := time.Now()
		n.latest().crash()
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		err := s.CallContext(ctx, "Task.Run", 2, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		err = s.Call("Task.Run", 2, nil) // waits for 10 s, of which Ready takes all
		var none *rpcpipe.NoChildError
		require.ErrorAs(t, err, &none)
		require.False(t, none.Final)
		require.Equal(t, 10*time.Second, none.Waited)
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the call had none")
		require.NotErrorIs(t, err, rpc.ErrShutdown)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		var exit *procspawn.Exit
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 7, exit.Pid)
		time.Sleep(time.Second)
		n.release()
		require.NoError(t, s.Call("Task.Run", 3, nil))
		require.Greater(t, time.Since(begin), 10*time.Second)
		require.Zero(t, n.runs(2))
		synctest.Wait()
		require.Equal(t, []string{
			"started", "ready", "exited", "failed", "started", "failed", "started", "failed", "started", "ready",
		}, told.kinds())
		require.ErrorContains(t, told.all()[5].Err, "was not ready within SuperviseOptions.ReadyTimeout (10s)")
		require.ErrorContains(t, told.all()[7].Err, "child 4: was not ready: not today")
	})
}

// TestNeverRetried: what would fail the same way again is not tried again.
func TestNeverRetried(t *testing.T) {
	for _, final := range []error{
		&exec.Error{Name: "x", Err: exec.ErrNotFound}, &fs.PathError{Err: fs.ErrPermission}, &fs.PathError{Err: fs.ErrNotExist},
		&procspawn.StartError{Err: new(procspawn.AppError), Exit: new(procspawn.Exit)},
		&procspawn.StartError{Err: new(procspawn.VersionError), Exit: new(procspawn.Exit)},
		&procspawn.StartError{Err: new(procspawn.EncodingError), Exit: new(procspawn.Exit)},
		&procspawn.StartError{Err: new(procspawn.MagicError), Exit: new(procspawn.Exit)},
		&procspawn.StartError{Err: rpcpipe.ErrNoChecksum, Exit: new(procspawn.Exit)},
		procspawn.ErrUnconnected, errors.ErrUnsupported,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := &nursery{before: func(_ context.Context, n int) error {
				if n == 0 {
					return nil
				}
				return final
			}}
			s := n.supervise(t, nil)
			n.latest().crash()
			synctest.Wait()
			err := s.Call("Task.Run", 1, nil)
			require.ErrorIs(t, err, final)
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.ErrorIs(t, s.Wait(), final)
			require.Len(t, n.starts, 2)
		})
	}
}

// TestOnSuccess: a child that ends in order is the end of all, unless an option says otherwise.
func TestOnSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		n.latest().peer.Close()
		require.NoError(t, s.Wait())
		err := s.Call("Task.Run", 1, nil)
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)

		n = new(nursery)
		s = n.supervise(t, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{OnSuccess: true}})
		n.latest().peer.Close()
		require.NoError(t, s.Call("Task.Run", 1, nil))
		require.Equal(t, 2, s.Stats().Starts)
	})
}

// TestSuperviseShutdownStarting: a child that is not ready has nothing that an orderly end would wait for.
func TestSuperviseShutdownStarting(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			n, first := new(nursery), true
			s := n.supervise(t, &rpcpipe.SuperviseOptions{Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
				if first {
					first = false
					return nil
				}
				return p.CallContext(ctx, "Task.Doze", Long{D: time.Hour}, new(int))
			}})
			go s.Swap(t.Context(), nil)
			synctest.Wait()
			require.NoError(t, s.Shutdown(t.Context()))
			require.NoError(t, s.Wait())
		})
	}
}

// TestRestartBesideBacklog: the next child does not wait until all that the last one has logged is handled.
func TestRestartBesideBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, slow := new(nursery), &Lagging{takes: 10 * time.Millisecond}
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{LogHandler: slow.log()}})
		const records = 400
		logMany(slog.New(n.latest().peer.LogHandler(nil)), records)
		synctest.Wait()
		begin := time.Now()
		n.latest().crash()
		var child int
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Equal(t, 1, child)
		require.LessOrEqual(t, time.Since(begin), 350*time.Millisecond, "handlers have 250 ms, and then it is 100 ms")
		<-time.After(5 * time.Second)
		require.EqualValues(t, records, slow.handled.Load())
		require.NoError(t, s.Close())
		require.NoError(t, s.Wait())
	})
}
