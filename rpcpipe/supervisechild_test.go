package rpcpipe_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// superviseLedger starts real children.
func superviseLedger(t *testing.T, o *rpcpipe.SuperviseOptions) *rpcpipe.Supervisor {
	t.Helper()
	testkit.NoneLeft(t)
	before := snapshot()
	file := newLedger(t)
	s, err := rpcpipe.Supervise(t.Context(), ledger(file), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		s.Wait()
		before.requireSame(t)
	})
	return s
}

// safeBuffer is written by a Supervisor.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestSupervisedCrashes: what a child's end leaves behind, until there were too many.
func TestSupervisedCrashes(t *testing.T) {
	journal, logger := testkit.NewJournal()
	told, stderr := new(story), new(safeBuffer)
	s := superviseLedger(t, &rpcpipe.SuperviseOptions{
		Name:    "worker[3]",
		Peer:    &rpcpipe.Options{Logger: logger},
		Restart: rpcpipe.Restart{Min: time.Millisecond, Limit: 2},
		Events:  told.add,
		Stderr:  stderr,
	})
	var exit *procspawn.Exit
	for i := range 3 {
		err := s.Call("Ledger.Exit", 10+i, nil)
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 10+i, exit.Code)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
	}
	err := s.Wait()
	require.ErrorAs(t, err, new(*rpcpipe.RestartLimitError))
	for _, status := range []string{"10", "11", "12"} {
		require.ErrorContains(t, err, "exit status "+status)
	}
	err = s.Call("Ledger.Add", 1, nil)
	require.ErrorContains(t, err, "rpcpipe: worker[3]: no child is up, and none will be started: rpcpipe: gave up after 2 restarts")
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 12, exit.Code)

	want := ""
	for _, status := range []string{"10", "11", "12"} {
		want += "worker[3]: exit " + status + "\nworker[3]: now\n"
	}
	require.Equal(t, want, stderr.String())
	events := told.all()
	require.Equal(t, []string{
		"started", "ready", "exited", "started", "ready", "exited", "started", "ready", "exited", "gave up", "ended",
	}, told.kinds())
	second := events[3]
	require.Equal(t, 2, second.Incarnation.N)
	require.Equal(t, 1, second.Incarnation.Restarts)
	require.Equal(t, 10, second.Incarnation.Last.Code)
	require.Equal(t, second.Pid, events[5].Exit.Pid)
	require.Equal(t, second.Peer, events[5].Peer)
	require.Equal(t, s, second.Supervisor)
	for _, text := range []string{
		`level=INFO msg="viaduct: supervised child: ready" name=worker[3] n=1 pid=`,
		`level=WARN msg="viaduct: supervised child: exited" name=worker[3] n=2 pid=`,
		`stderr: exit 11 / now`, `next=`,
		`level=ERROR msg="viaduct: supervised child: gave up" name=worker[3] n=3`,
		`msg="viaduct: supervised child: ended" name=worker[3]`,
	} {
		require.Contains(t, journal.All(), text)
	}
}

// TestSupervisedExit: status 0 is the end of all.
func TestSupervisedExit(t *testing.T) {
	s := superviseLedger(t, nil)
	require.Error(t, s.Call("Ledger.Exit", 0, nil))
	require.NoError(t, s.Wait())
	require.ErrorContains(t, s.Call("Ledger.Add", 1, nil), "none will be started")

	s = superviseLedger(t, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: 1, OnSuccess: true}})
	for range 3 {
		require.Error(t, s.Call("Ledger.Exit", 0, nil))
		require.NoError(t, s.Call("Ledger.Add", 1, nil))
	}
}

// TestSupervisedRefusal: a program that has become another one is not tried again.
func TestSupervisedRefusal(t *testing.T) {
	s, err := rpcpipe.Supervise(t.Context(), ledger(os.DevNull), &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{NeedName: "app"}})
	require.Nil(t, s)
	require.ErrorAs(t, err, new(*procspawn.AppError))

	gone := false
	s, err = rpcpipe.Supervise(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		cmd := procspawn.Self("ledger")
		if gone {
			cmd = exec.Command(filepath.Join("no such directory", "none"))
		}
		return cmd, nil
	}, nil)
	require.NoError(t, err)
	gone = true
	require.Error(t, s.Call("Ledger.Exit", 1, nil))
	for _, err := range []error{s.Wait(), s.Call("Ledger.Exit", 1, nil)} {
		require.True(t, errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound), "%v", err) // as the system has it
	}
}

// TestSupervisedOnExit: it may call Close, which waits for the process alone.
func TestSupervisedOnExit(t *testing.T) {
	var s *rpcpipe.Supervisor
	closed := make(chan struct{})
	s = superviseLedger(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{OnExit: func(*procspawn.Exit) {
		s.Close()
		close(closed)
	}}})
	require.Error(t, s.Call("Ledger.Exit", 1, nil))
	<-closed
	require.NoError(t, s.Wait())
}

// TestSwapInTime: what a swap cuts off fails, and a child that was killed while it finishes is no
// loss.
func TestSwapInTime(t *testing.T) {
	told := new(story)
	s := superviseLedger(t, &rpcpipe.SuperviseOptions{
		Peer:   &rpcpipe.Options{ShutdownTimeout: 50 * time.Millisecond},
		Events: told.add,
	})
	park := func() *rpc.Call {
		call := s.Go("Ledger.Park", 1, nil, nil)
		for s.Stats().Child.Made.Pending == 0 { // it is not sent by Go itself
			require.NoError(t, s.Call("Ledger.Add", 1, nil))
		}
		return call
	}
	parked := park()
	require.NoError(t, s.Swap(t.Context(), nil))
	err := (<-parked.Done).Error
	require.ErrorIs(t, err, rpc.ErrShutdown)
	require.NotErrorIs(t, err, viaduct.ErrNotBegun)

	parked = park()
	var old *rpcpipe.Peer
	require.NoError(t, s.With(t.Context(), func(_ context.Context, p *rpcpipe.Peer) error {
		old = p
		return nil
	}))
	require.NoError(t, s.Swap(t.Context(), nil))
	old.Process().Kill()
	require.Error(t, (<-parked.Done).Error)
	old.Wait()
	require.NoError(t, s.Call("Ledger.Add", 1, nil))
	require.Equal(t, 3, s.Stats().Starts)
	require.Equal(t, rpcpipe.StateUp, s.Stats().State)
	require.Zero(t, s.Stats().Restarts)
}

// Lodger is a service of the parent.
type Lodger struct{ left chan struct{} }

func (l Lodger) Stay(a FateArg, _ *int) error {
	<-a.Context().Done()
	time.Sleep(5 * time.Millisecond)
	close(l.left)
	return nil
}

func init() {
	children["lodger"] = func([]string) {
		p := connect(nil)
		p.Go("Lodger.Stay", FateArg{}, nil, nil)
		p.Wait()
	}
}

// TestExitComesLast: an exit is told when the handlers of that child's calls have returned.
func TestExitComesLast(t *testing.T) {
	testkit.NoneLeft(t)
	l, server := Lodger{make(chan struct{})}, rpc.NewServer()
	require.NoError(t, server.Register(l))
	exited := make(chan bool, 1)
	s, err := rpcpipe.Supervise(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		return procspawn.Self("lodger"), nil
	}, &rpcpipe.SuperviseOptions{
		Peer: &rpcpipe.Options{Server: server},
		Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
			for p.Stats().Served.Running == 0 {
				if _, err := p.Ping(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		Restart: rpcpipe.Restart{Min: time.Hour, Max: math.MaxInt64},
		Events: func(e rpcpipe.Event) {
			if e.Kind != rpcpipe.EventExited {
				return
			}
			select {
			case <-l.left:
				exited <- true
			default:
				exited <- false
			}
		},
	})
	require.NoError(t, err)
	s.With(t.Context(), func(_ context.Context, p *rpcpipe.Peer) error { return p.Process().Kill() })
	require.True(t, <-exited)
	require.NoError(t, s.Close())
	require.NoError(t, s.Wait())
}

// TestNeverReady: a child that is not ready in time is ended.
func TestNeverReady(t *testing.T) {
	testkit.NoneLeft(t)
	before := snapshot()
	park := func(_ context.Context, p *rpcpipe.Peer) error { return p.Call("Ledger.Park", 1, nil) }
	s, err := rpcpipe.Supervise(t.Context(), ledger(os.DevNull), &rpcpipe.SuperviseOptions{
		Ready: park, ReadyTimeout: 100 * time.Millisecond,
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Contains(t, err.Error(), "not ready")
	require.Nil(t, s)

	ctx, cancel := context.WithCancel(t.Context())
	s, err = rpcpipe.Supervise(ctx, ledger(os.DevNull), &rpcpipe.SuperviseOptions{
		Ready: func(ctx context.Context, p *rpcpipe.Peer) error {
			cancel()
			return park(ctx, p)
		},
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Contains(t, err.Error(), "not ready")
	require.Nil(t, s)
	before.requireSame(t)
}

// TestSupervisedStderr: lines are kept whole, and long ones are cut.
func TestSupervisedStderr(t *testing.T) {
	out := new(safeBuffer)
	s, err := rpcpipe.Supervise(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		return procspawn.Self("chatty"), nil
	}, &rpcpipe.SuperviseOptions{Name: "c", Stderr: out})
	require.NoError(t, err)
	require.NoError(t, s.Shutdown(t.Context()))
	require.NoError(t, s.Wait())
	long := strings.Repeat("x", 64<<10)
	require.Equal(t, "c: one\nc: \nc: "+long+"\nc: "+long+"\nc: end\n", out.String())
}

func init() {
	children["chatty"] = func([]string) {
		p := connect(nil)
		os.Stderr.WriteString("one\n\n" + strings.Repeat("x", 128<<10) + "end")
		p.Wait()
	}
}

// TestCloseDuringStart: a process that is just being started is ended, too.
func TestCloseDuringStart(t *testing.T) {
	testkit.NoneLeft(t)
	before := snapshot()
	starts := make(chan struct{}, 2)
	s, err := rpcpipe.Supervise(t.Context(), func(i rpcpipe.Incarnation) (*exec.Cmd, error) {
		starts <- struct{}{}
		return procspawn.Self([]string{"", "ledger", "mute"}[i.N], os.DevNull), nil
	}, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: 1}})
	require.NoError(t, err)
	<-starts
	require.Error(t, s.Call("Ledger.Exit", 1, nil))
	<-starts
	waiting := make(chan error)
	go func() { waiting <- s.Call("Ledger.Add", 1, nil) }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-waiting, viaduct.ErrNotBegun)
	require.NoError(t, s.Wait())
	before.requireSame(t)
}

func init() { children["mute"] = func([]string) { time.Sleep(time.Hour) } }

// TestSupervisedAllocations: that a child is supervised costs a call nothing.
func TestSupervisedAllocations(t *testing.T) {
	s := superviseLedger(t, nil)
	var id int
	var peers float64
	require.NoError(t, s.With(t.Context(), func(_ context.Context, p *rpcpipe.Peer) error {
		peers = testing.AllocsPerRun(1000, func() { p.Call("Ledger.Set", &id, &id) })
		return nil
	}))
	testkit.Allocs(t, peers, "a supervised call", func() { s.Call("Ledger.Set", &id, &id) })
}
