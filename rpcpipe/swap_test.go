package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"os/exec"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestSwap: calls go to the new child once it is ready, those of the old one finish, and a crash
// restarts the new one.
func TestSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		slow := time.Duration(0)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{
			Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
				time.Sleep(slow)
				return ctx.Err()
			},
			Events: told.add,
		})
		held := s.Go("Task.Hold", 1, new(int), nil)
		synctest.Wait()
		slow = time.Second
		swapped := make(chan error)
		begin := time.Now()
		go func() { swapped <- s.Swap(t.Context(), named("two")) }()
		for range 9 {
			time.Sleep(100 * time.Millisecond)
			child := -1
			require.NoError(t, s.Call("Task.Run", 2, &child))
			require.Equal(t, 0, child, "the new one is not ready")
		}
		require.NoError(t, <-swapped)
		require.Equal(t, time.Second, time.Since(begin))
		child := -1
		require.NoError(t, s.Call("Task.Run", 3, &child))
		require.Equal(t, 1, child)
		require.Equal(t, 1, s.Stats().Finishing)
		require.Zero(t, s.Stats().Restarts)
		synctest.Wait()
		require.Empty(t, held.Done)
		n.release()
		require.NoError(t, (<-held.Done).Error)
		require.Equal(t, 0, *held.Reply.(*int))
		synctest.Wait()
		require.Zero(t, s.Stats().Finishing)
		require.Equal(t, []string{"started", "ready", "started", "ready", "swapped", "exited"}, told.kinds())
		require.Equal(t, 1, told.all()[4].Incarnation.N)
		require.Equal(t, 2, told.all()[3].Incarnation.N)

		n.latest().crash()
		require.NoError(t, s.Call("Task.Run", 4, &child))
		require.Equal(t, 2, child)
		require.NoError(t, s.Swap(t.Context(), nil))
		require.Equal(t, []string{"one", "two", "two", "two"}, n.paths)
	})
}

// TestSwapFails: everything stays as it was.
func TestSwapFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		var refuse error
		n.before = func(context.Context, int) error { return refuse }
		var ready error
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Ready: func(ctx context.Context, _ *rpcpipe.Peer) error {
			if ready != nil {
				<-ctx.Done()
			}
			return ready
		}})
		broken := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return nil, errors.New("broken") }
		require.ErrorContains(t, s.Swap(t.Context(), broken), "child 2: the command function failed: broken")
		refuse = exec.ErrNotFound
		require.ErrorIs(t, s.Swap(t.Context(), named("two")), exec.ErrNotFound)
		refuse, ready = nil, errors.New("never")
		require.ErrorContains(t, s.Swap(t.Context(), named("three")), "not ready within SuperviseOptions.ReadyTimeout")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Swap(ctx, named("four")), context.DeadlineExceeded)
		ready = nil
		child := -1
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Zero(t, child)
		require.Equal(t, rpcpipe.StateUp, s.Stats().State)
		n.latest().crash() // a failed one, which has ended
		n.children[0].crash()
		synctest.Wait() // a call that is sent meanwhile may have been begun
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Equal(t, "one", n.paths[len(n.paths)-1])
	})
}

// TestSwapMany: at most four old children finish at once.
func TestSwapMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{ShutdownTimeout: time.Minute}})
		var calls []*rpc.Call
		for range 5 {
			calls = append(calls, s.Go("Task.Hold", 1, nil, nil))
			synctest.Wait()
			if len(calls) <= 4 {
				require.NoError(t, s.Swap(t.Context(), nil))
			}
		}
		require.Equal(t, 4, s.Stats().Finishing)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, s.Swap(ctx, nil), context.DeadlineExceeded)
		require.Len(t, n.starts, 5)

		var swaps sync.WaitGroup
		for range 2 {
			swaps.Go(func() {
				if err := s.Swap(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		require.Len(t, n.starts, 5)
		close(n.children[0].hold)
		synctest.Wait()
		require.Len(t, n.starts, 6)
		require.NoError(t, (<-calls[0].Done).Error)
		close(n.children[1].hold)
		swaps.Wait()
		require.Len(t, n.starts, 7)
		n.release()
		for _, call := range calls[1:] {
			require.NoError(t, (<-call.Done).Error)
		}
	})
}

// TestSwapWhileDown: a Swap brings a child at once, whatever was to bring one.
func TestSwapWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, told := new(nursery), new(story)
		n.before = func(ctx context.Context, n int) error {
			if n == 3 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		s := n.supervise(t, &rpcpipe.SuperviseOptions{
			Restart: rpcpipe.Restart{Min: time.Hour, Max: time.Hour},
			Events:  told.add, MaxWait: 2 * time.Hour,
		})
		n.latest().crash()
		synctest.Wait()
		require.Equal(t, rpcpipe.StateBackoff, s.Stats().State)
		begin := time.Now()
		require.NoError(t, s.Swap(t.Context(), named("two")))
		child := -1
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Equal(t, 1, child)
		require.Zero(t, time.Since(begin))

		n.latest().crash()
		time.Sleep(time.Hour)
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Equal(t, 2, child)
		n.latest().crash()
		time.Sleep(time.Hour)
		require.Equal(t, rpcpipe.StateRestarting, s.Stats().State, "and this start takes its time")
		require.NoError(t, s.Swap(t.Context(), named("three")))
		require.NoError(t, s.Call("Task.Run", 1, &child))
		require.Equal(t, 4, child)
		time.Sleep(3 * time.Hour)
		require.Len(t, n.starts, 5)
		require.Equal(t, rpcpipe.StateUp, s.Stats().State)
		for _, e := range told.all() {
			if e.Kind == rpcpipe.EventFailed {
				require.ErrorContains(t, e.Err, "a Swap has brought another child")
			}
		}
	})
}

// TestShutdownOfOldChildren: Shutdown waits for those that were swapped out, as long as it may.
func TestShutdownOfOldChildren(t *testing.T) {
	for _, enough := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			s := n.supervise(t, nil)
			held := s.Go("Task.Hold", 1, nil, nil)
			synctest.Wait()
			require.NoError(t, s.Swap(t.Context(), nil))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if enough {
				time.AfterFunc(time.Second, n.release)
				require.NoError(t, s.Shutdown(ctx))
				require.NoError(t, (<-held.Done).Error)
				return
			}
			require.ErrorIs(t, s.Shutdown(ctx), context.DeadlineExceeded)
			err := (<-held.Done).Error
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		})
	}
}
