package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"os/exec"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestCloseAnytime: Close and Shutdown return whatever is going on, and nothing is left.
func TestCloseAnytime(t *testing.T) {
	always := func(context.Context, *rpcpipe.Peer) error { return nil }
	untilEnd := func(ctx context.Context, _ *rpcpipe.Peer) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, end := range []func(*rpcpipe.Supervisor) error{
		(*rpcpipe.Supervisor).Close,
		func(s *rpcpipe.Supervisor) error { return s.Shutdown(context.Background()) },
	} {
		for name, during := range map[string]func(t *testing.T, n *nursery, s *rpcpipe.Supervisor, ready *func(context.Context, *rpcpipe.Peer) error){
			"up": func(*testing.T, *nursery, *rpcpipe.Supervisor, *func(context.Context, *rpcpipe.Peer) error) {},
			"backoff": func(_ *testing.T, n *nursery, _ *rpcpipe.Supervisor, _ *func(context.Context, *rpcpipe.Peer) error) {
				n.latest().crash()
			},
			"start": func(_ *testing.T, n *nursery, _ *rpcpipe.Supervisor, _ *func(context.Context, *rpcpipe.Peer) error) {
				n.before = func(ctx context.Context, _ int) error { return untilEnd(ctx, nil) }
				n.latest().crash()
				time.Sleep(time.Second)
			},
			"ready": func(_ *testing.T, n *nursery, _ *rpcpipe.Supervisor, ready *func(context.Context, *rpcpipe.Peer) error) {
				*ready = untilEnd
				n.latest().crash()
				time.Sleep(time.Second)
			},
			"swap": func(t *testing.T, n *nursery, s *rpcpipe.Supervisor, ready *func(context.Context, *rpcpipe.Peer) error) {
				*ready = untilEnd
				for range 2 {
					go func() {
						var none *rpcpipe.NoChildError
						if err := s.Swap(context.Background(), nil); !errors.As(err, &none) {
							t.Errorf("Swap returned %v", err)
						}
					}()
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, told, ready := new(nursery), new(story), always
					s := n.supervise(t, &rpcpipe.SuperviseOptions{
						Ready:  func(ctx context.Context, p *rpcpipe.Peer) error { return ready(ctx, p) },
						Events: told.add,
					})
					during(t, n, s, &ready)
					synctest.Wait()
					waits := make(chan error, 1)
					if s.Stats().State != rpcpipe.StateUp {
						go func() { waits <- s.Call("Task.Run", 1, nil) }()
						synctest.Wait()
					} else {
						waits <- viaduct.ErrNotBegun
					}
					begin := time.Now()
					require.NoError(t, end(s))
					require.Zero(t, time.Since(begin))
					require.NoError(t, s.Wait())
					require.ErrorIs(t, <-waits, viaduct.ErrNotBegun)
					kinds := told.kinds()
					require.Equal(t, "ended", kinds[len(kinds)-1])
					require.NoError(t, end(s), "again")
					require.NoError(t, s.Close())
					err := s.Call("Task.Run", 1, nil)
					require.ErrorIs(t, err, rpc.ErrShutdown)
					require.ErrorContains(t, err, "the Supervisor was closed")
				})
			})
		}
	}
}

// TestCloseFromEvents: an event's callback may call all methods but Wait.
func TestCloseFromEvents(t *testing.T) {
	for kind := rpcpipe.EventStarted; kind < rpcpipe.EventGaveUp; kind++ {
		synctest.Test(t, func(t *testing.T) {
			n, failed, closed := new(nursery), false, make(chan struct{})
			n.before = func(_ context.Context, n int) error {
				if n == 1 {
					return errors.New("no")
				}
				return nil
			}
			s, err := rpcpipe.SuperviseWith(t.Context(), n.start, named("one"), &rpcpipe.SuperviseOptions{
				Ready: func(context.Context, *rpcpipe.Peer) error {
					time.Sleep(time.Second)
					return nil
				},
				Events: func(e rpcpipe.Event) {
					e.Supervisor.Stats()
					switch {
					case e.Kind == kind && !failed:
						failed = true
						e.Supervisor.Close()
						close(closed)
					case e.Kind == rpcpipe.EventReady && !failed && kind == rpcpipe.EventSwapped:
						e.Supervisor.Swap(context.Background(), nil) // the first fails
						e.Supervisor.Swap(context.Background(), nil)
					case e.Kind == rpcpipe.EventReady && !failed:
						e.Supervisor.Go("Task.Die", 1, nil, nil)
					}
				},
			})
			<-closed
			n.release()
			if kind == rpcpipe.EventStarted {
				require.ErrorContains(t, err, "the Supervisor was closed")
				return
			}
			require.NoError(t, err)
			require.NoError(t, s.Wait())
			n.release()
		})
	}
}

// TestWith: its context ends when its child is gone, or swapped out.
func TestWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		shut := make(chan error)
		for _, end := range []func(){
			func() { n.latest().crash() },
			func() { require.NoError(t, s.Swap(t.Context(), nil)) },
			func() {
				held := s.Go("Task.Hold", 1, nil, nil)
				synctest.Wait()
				go func() { shut <- s.Shutdown(t.Context()) }()
				synctest.Wait()
				require.Empty(t, held.Done)
			},
		} {
			err := s.With(t.Context(), func(ctx context.Context, p *rpcpipe.Peer) error {
				require.NoError(t, ctx.Err())
				end()
				<-ctx.Done()
				require.NoError(t, t.Context().Err())
				return context.Cause(ctx)
			})
			require.Error(t, err)
			require.NotErrorIs(t, err, context.Canceled, "it has a cause")
		}
		n.release()
		require.NoError(t, <-shut)
		require.ErrorIs(t, s.With(t.Context(), nil), rpc.ErrShutdown)
	})
}

// Host is a service of the parent.
type Host struct{ s *rpcpipe.Supervisor }

// End is called by a child, with a call of its own.
func (h *Host) End(a FateArg, _ *int) error {
	if err := h.s.CallContext(a.Context(), "Task.Run", 1, nil); err != nil {
		return err
	}
	if err := h.s.Shutdown(a.Context()); err != nil {
		return err
	}
	return h.s.CallContext(a.Context(), "Task.Run", 2, nil) // it is still served
}

// TestShutdownByMethod: a method may shut all down that serves a call of the child.
func TestShutdownByMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, server, n := new(Host), rpc.NewServer(), new(nursery)
		require.NoError(t, server.Register(h))
		h.s = n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Server: server}})
		require.NoError(t, n.latest().peer.Call("Host.End", FateArg{}, nil))
		require.NoError(t, h.s.Wait())
		require.Equal(t, []int{1, 2}, n.ran)
	})
}

// TestChildShutsDown: calls that a child refuses as it shuts its link down go to the next.
func TestChildShutsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{OnSuccess: true}})
		held := s.Go("Task.Hold", 1, nil, nil)
		synctest.Wait()
		go n.latest().peer.Shutdown(context.Background())
		synctest.Wait()
		time.AfterFunc(3*time.Second, n.release)
		begin, child := time.Now(), -1
		require.NoError(t, s.Call("Task.Run", 2, &child))
		require.Equal(t, 1, child)
		require.Greater(t, time.Since(begin), 3*time.Second)
		require.NoError(t, (<-held.Done).Error)
		require.Equal(t, 1, n.runs(1))
	})
}

// TestBadInput: what has no meaning is refused, with the name of the field.
func TestBadInput(t *testing.T) {
	testkit.NoneLeft(t)
	started := exec.Command("true")
	if runtime.GOOS != "windows" && started.Start() == nil {
		defer started.Wait()
	} else {
		started = nil
	}
	for _, test := range []struct {
		want    string
		command func(rpcpipe.Incarnation) (*exec.Cmd, error)
		o       *rpcpipe.SuperviseOptions
	}{
		{"nil command function", nil, nil},
		{"child 1: the command function returned a nil Cmd", func(rpcpipe.Incarnation) (*exec.Cmd, error) { return nil, nil }, nil},
		{"worker[3] 1: the command function failed: no disk", func(rpcpipe.Incarnation) (*exec.Cmd, error) { return nil, errors.New("no disk") }, &rpcpipe.SuperviseOptions{Name: "worker[3]"}},
		{"executable file not found", func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("viaduct-no-such-program"), nil }, nil},
		{"ReadyTimeout is -1s", named("x"), &rpcpipe.SuperviseOptions{ReadyTimeout: -time.Second}},
		{"MaxWait is -1ns", named("x"), &rpcpipe.SuperviseOptions{MaxWait: -1}},
		{"Restart.Min is", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: -1}}},
		{"Restart.Max is", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Max: -1}}},
		{"Restart.Max is 1ms", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Max: time.Millisecond}}},
		{"Restart.Reset is", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Reset: -1}}},
		{"Restart.Within is", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Within: -1}}},
		{"Restart.Limit is -1", named("x"), &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Limit: -1}}},
		{"SuperviseOptions.Peer: rpcpipe: Options.Window is -1", named("x"), &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Window: -1}}},
		{"started already", func(rpcpipe.Incarnation) (*exec.Cmd, error) { return started, nil }, nil},
	} {
		if test.want == "started already" && started == nil {
			continue
		}
		s, err := rpcpipe.Supervise(t.Context(), test.command, test.o)
		require.ErrorContains(t, err, test.want)
		require.Nil(t, s)
	}
}
