package rpcpipe_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"net/rpc"
	"os/exec"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/rpctest"
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

// TestRepeats: a call that was in flight when its child died is not made again, unless that does no
// harm, and not for ever.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		err := s.Call("Task.Die", 1, nil)
		var down *viaduct.DownError
		require.ErrorAs(t, err, &down)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, 1, n.runs(1))

		time.Sleep(time.Second)
		for name, err := range map[string]error{
			"unknown":     s.Call("Task.Nothing", 1, nil),
			"unencodable": s.Call("Task.Run", make(chan int), nil),
		} {
			require.ErrorIs(t, err, viaduct.ErrNotBegun, name)
			require.NotErrorIs(t, err, rpc.ErrShutdown, name)
		}
		require.Zero(t, s.Stats().Repeated)

		n = new(nursery)
		s = n.supervise(t, &rpcpipe.SuperviseOptions{Idempotent: func(m string) bool { return m != "Task.Run" }})
		call := s.Go("Task.Hold", 2, new(int), nil)
		synctest.Wait()
		n.latest().crash()
		time.Sleep(time.Second)
		n.release()
		require.NoError(t, (<-call.Done).Error)
		require.Equal(t, 1, *call.Reply.(*int))
		require.Equal(t, 2, n.runs(2))

		err = s.Call("Task.Die", 3, nil)
		require.ErrorAs(t, err, &down)
		require.Equal(t, 3, n.runs(3), "it is what kills them")
		require.EqualValues(t, 3, s.Stats().Repeated)

		// Begun in a child that has died, and then no child comes any more.
		call = s.Go("Task.Hold", 4, nil, nil)
		time.Sleep(time.Second)
		n.latest().crash()
		synctest.Wait()
		s.Close()
		err = (<-call.Done).Error
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, 1, n.runs(4))
	})
}

// TestWaitForChild: calls of all kinds wait for a child, and Go and a client's do so without holding
// up others.
func TestWaitForChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: 4 * time.Second}})
		client := s.Client()
		require.NoError(t, client.Call("Task.Run", 1, nil))
		n.latest().crash()
		synctest.Wait()
		begin := time.Now()
		var calls []*rpc.Call
		arg := 2
		for i := range 10 {
			arg = 10 + i
			calls = append(calls, client.Go("Task.Run", &arg, new(int), nil), s.Go("Task.Run", &arg, new(int), nil))
		}
		arg = 0 // they have encoded it
		require.Zero(t, time.Since(begin))
		notified := make(chan error)
		go func() { notified <- s.Notify(t.Context(), "Task.Run", 3) }()
		with := make(chan error)
		go func() {
			with <- s.With(t.Context(), func(ctx context.Context, p *rpcpipe.Peer) error {
				return p.CallContext(ctx, "Task.Run", 4, nil)
			})
		}()
		synctest.Wait()
		require.Equal(t, 22, s.Stats().Waiting)
		for _, call := range calls {
			require.NoError(t, (<-call.Done).Error)
			require.Equal(t, 1, *call.Reply.(*int))
		}
		require.NoError(t, <-notified)
		require.NoError(t, <-with)
		require.GreaterOrEqual(t, time.Since(begin), 3*time.Second)
		for i := range 10 {
			require.Equal(t, 2, n.runs(10+i))
		}
		require.Equal(t, 1, n.runs(3))

		require.ErrorIs(t, client.Call("Task.Nothing", 1, nil), rpc.ServerError("rpc: can't find method Task.Nothing"))
		require.ErrorContains(t, client.Call("Task.Die", 1, nil), "link is down")
		begin = time.Now()
		require.NoError(t, client.Call("Task.Run", 5, nil), "the client goes on")
		require.Positive(t, time.Since(begin))
		bad := client.Go("Task.Run", make(chan int), nil, nil)
		var body *viaduct.BodyError
		require.ErrorAs(t, (<-bad.Done).Error, &body)
		require.NoError(t, client.Close())
		require.Equal(t, rpc.ErrShutdown, client.Call("Task.Run", 6, nil))
	})
}

// TestSupervisedEncoding: what is encoded ahead is so in the encoding that was chosen.
func TestSupervisedEncoding(t *testing.T) {
	for _, encoding := range []viaduct.Encoding{viaduct.MessagePack, viaduct.Gob, viaduct.JSON} {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			s := n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Encoding: encoding}})
			var first, second int
			require.NoError(t, s.Client().Call("Task.Run", 7, nil))
			n.latest().crash()
			require.NoError(t, (<-s.Go("Task.Run", 8, &first, nil).Done).Error)
			require.NoError(t, s.Client().Call("Task.Run", 9, &second))
			require.Equal(t, 1, first)
			require.Equal(t, 1, second)
			require.Equal(t, []int{7, 8, 9}, n.ran)
		})
	}
}

// TestNotifyLost: notifications that a child has not handled when it dies are counted, and one that
// has not come to it whole is sent to the next.
func TestNotifyLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		for i := range 1000 {
			require.NoError(t, s.Notify(t.Context(), "Task.Run", i))
		}
		time.Sleep(time.Second)
		require.NoError(t, s.Notify(t.Context(), "Task.Run", 1))
		require.NoError(t, s.Notify(t.Context(), "Task.Hold", 2))
		require.NoError(t, s.Notify(t.Context(), "Task.Run", 3))
		time.Sleep(time.Second)
		n.latest().crash()
		time.Sleep(time.Second)
		lost := s.Stats().LostNotifications
		require.LessOrEqual(t, lost, uint64(3))
		require.GreaterOrEqual(t, lost, uint64(2))

		n.latest().deafen(100_000)
		sent := make(chan error)
		go func() { sent <- s.Notify(t.Context(), "Task.Take", make([]byte, 3<<20)) }()
		synctest.Wait()
		n.latest().crash()
		require.NoError(t, <-sent)
		require.NoError(t, s.Call("Task.Taken", 1, nil))
		require.Equal(t, lost, s.Stats().LostNotifications)
		require.NoError(t, s.Shutdown(t.Context()))
		require.NoError(t, s.Wait())
		require.Equal(t, lost, s.Stats().LostNotifications)
	})
}

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
	rpctest.NoneLeft(t)
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
