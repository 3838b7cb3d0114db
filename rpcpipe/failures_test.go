package rpcpipe_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	children["exit 7"] = func([]string) {
		fmt.Fprintln(os.Stderr, "no database")
		os.Exit(7)
	}
	children["garbage"] = func([]string) {
		link, err := procspawn.Inherited(context.Background(), nil)
		if err != nil {
			os.Exit(4)
		}
		link.Write([]byte(strings.Repeat("GET / HTTP/1.1\r\n", 100)))
		link.Read(make([]byte, 1)) // what the parent sends first
		waitForEnd(link)
	}
	children["tests again"] = func([]string) {
		// What a test binary without a branch for the child does: its tests.
		_, err := rpcpipe.Start(context.Background(), procspawn.Self("tests again"), nil)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func waitForEnd(link *procspawn.Link) {
	for buf := make([]byte, 100); ; {
		if _, err := link.Read(buf); err != nil {
			return
		}
	}
}

func TestStartFailures(t *testing.T) {
	short := func() *rpcpipe.Options {
		return &rpcpipe.Options{HandshakeTimeout: 300 * time.Millisecond}
	}
	dir, plain := "", "no-such-program"
	if runtime.GOOS != "windows" { // what cannot be run is not found there
		dir = t.TempDir()
		plain = filepath.Join(dir, "plain")
		require.NoError(t, os.WriteFile(plain, []byte("no program"), 0o644))
	}
	for _, test := range []struct {
		name  string
		cmd   *exec.Cmd
		opts  *rpcpipe.Options
		limit time.Duration // by then Start has failed; it must not have waited for the handshake's limit
		is    error
		texts []string
	}{
		{"not found", exec.Command("no-such-program-anywhere"), nil, time.Second, exec.ErrNotFound, nil},
		{"no such file", exec.Command(filepath.Join(dir, "nothing")), nil, time.Second, fs.ErrNotExist, nil},
		{"not executable", exec.Command(plain), nil, time.Second, fs.ErrPermission, nil},
		{"exits at once", procspawn.Self("exit 7"), nil, 5 * time.Second, nil, []string{"exit status 7", "no database"}},
		{"not viaduct, exits", exec.Command("true"), nil, 5 * time.Second, nil, []string{"exit status 0"}},
		{"not viaduct, lives", exec.Command("sh", "-c", "echo hello >&2; exec sleep 100", procspawn.Here), short(), 5 * time.Second, context.DeadlineExceeded, []string{"300ms", "hello"}},
		{"test binary without a branch", procspawn.Self("tests again"), nil, 5 * time.Second, nil, []string{"TestMain", "IsChild"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if slices.Contains([]string{"no such file", "not executable", "not viaduct, exits", "not viaduct, lives"}, test.name) {
				onlyUnix(t, "no such program, or another error")
			}
			before := snapshot()
			begin := time.Now()
			p, err := rpcpipe.Start(t.Context(), test.cmd, test.opts)
			require.Nil(t, p)
			require.Error(t, err)
			require.Less(t, time.Since(begin), slack(test.limit))
			if test.is != nil {
				require.ErrorIs(t, err, test.is)
			}
			for _, text := range test.texts {
				require.ErrorContains(t, err, text)
			}
			if test.cmd.Process != nil {
				require.NotNil(t, test.cmd.ProcessState, "the child was not waited for")
			}
			before.requireSame(t)
		})
	}
}

func TestConnectByHand(t *testing.T) {
	require.False(t, rpcpipe.IsChild())
	p, err := rpcpipe.Connect(t.Context(), nil)
	require.Nil(t, p)
	require.ErrorIs(t, err, procspawn.ErrNotChild)
}

func TestGarbageEndsTheLink(t *testing.T) {
	before := snapshot()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("garbage"), nil)
	require.NoError(t, err)
	var protocol *duplex.ProtocolError
	require.ErrorAs(t, p.Call("Service.Add", Args{}, nil), &protocol)
	require.ErrorAs(t, p.Wait(), &protocol)
	require.NoError(t, p.Close())
	before.requireSame(t)
}

// TestChildKilled: every pending call fails at once and says how the child ended.
func TestChildKilled(t *testing.T) {
	before := snapshot()
	exits := make(chan *procspawn.Exit, 2)
	here := newService()
	opts := here.options()
	opts.OnExit = func(e *procspawn.Exit) { exits <- e }
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), opts)
	require.NoError(t, err)
	here.use(p)
	require.NoError(t, p.Call("Service.Add", Args{}, nil))

	const calls = 100
	client := p.Client()
	done := make(chan *rpc.Call, 2*calls)
	for range calls {
		p.Go("Service.Park", 0, nil, done)
		client.Go("Service.Park", 0, nil, done)
	}
	var large sync.WaitGroup
	large.Go(func() { // one that waits for room, too
		for p.Notify(t.Context(), "Service.ParkNote", make([]byte, 1<<20)) == nil {
		}
	})
	begin := time.Now()
	kill(t, p)
	for range 2 * calls {
		call := <-done
		var exit *procspawn.Exit
		require.ErrorAs(t, call.Error, &exit)
		require.ErrorIs(t, call.Error, rpc.ErrShutdown)
		requireKilled(t, exit)
	}
	large.Wait()
	require.Less(t, time.Since(begin), slack(100*time.Millisecond))
	requireKilled(t, <-exits)
	var exit *procspawn.Exit
	require.ErrorAs(t, p.Wait(), &exit)
	require.ErrorAs(t, p.Err(), &exit)
	require.NoError(t, p.Close())
	require.Empty(t, exits, "OnExit was called twice")

	err = p.Call("Service.Add", Args{}, nil)
	var down *viaduct.DownError
	require.ErrorAs(t, err, &down)
	require.ErrorAs(t, err, &exit)
	before.requireSame(t)
}

func TestClose(t *testing.T) {
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			before := snapshot()
			here := newService()
			p := here.use(link(t, here))
			call := p.Go("Service.Park", 0, nil, nil)
			require.NoError(t, p.Call("Service.Add", Args{}, nil))
			var closing sync.WaitGroup
			for range 4 {
				closing.Go(func() {
					if err := p.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			closing.Wait()
			<-call.Done
			require.Equal(t, rpc.ErrShutdown, call.Error)
			require.ErrorIs(t, p.Call("Service.Add", Args{}, nil), rpc.ErrShutdown)
			require.ErrorIs(t, p.Notify(t.Context(), "Service.Note", 1), rpc.ErrShutdown)
			require.NoError(t, p.Wait())
			require.Equal(t, rpc.ErrShutdown, p.Err())
			if kind == "child" { // elsewhere the other side's handler is in this process, and parks for ever
				before.requireSame(t)
			}
		})
	}
}

// TestCloseDelivers: what was accepted for sending before Close arrives.
func TestCloseDelivers(t *testing.T) {
	for range 20 {
		here, there := newService(), newService()
		one, other := pipes(t)
		ready := make(chan *rpcpipe.Peer)
		go func() {
			b, _ := rpcpipe.New(context.Background(), other, there.options())
			ready <- b
		}()
		a, err := rpcpipe.New(t.Context(), one, here.options())
		require.NoError(t, err)
		b := <-ready
		for i := range 100 {
			require.NoError(t, a.Notify(t.Context(), "Service.Note", i))
		}
		require.NoError(t, a.Close())
		require.NoError(t, b.Wait())
		var notes []int
		require.NoError(t, there.Notes(100, &notes))
		require.Len(t, notes, 100)
		require.ErrorIs(t, b.Err(), duplex.ErrPeerClosed)
		require.NoError(t, a.Wait())
	}
}

// TestCloseInHandler: a handler may end the link that it was called through.
func TestCloseInHandler(t *testing.T) {
	here := newService()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), here.options())
	require.NoError(t, err)
	here.use(p)
	err = p.Call("Service.CloseCaller", 0, nil)
	require.ErrorIs(t, err, rpc.ErrShutdown)
	require.NoError(t, p.Wait())
}

func (s *Service) CloseMe(int, *int) error {
	<-s.connected
	return s.peer.Close()
}

// CloseCaller has the caller close the link, inside a call of its own.
func (s *Service) CloseCaller(int, *int) error {
	<-s.connected
	return s.peer.Call("Service.CloseMe", 0, nil)
}

// snapshot counts what a test must leave behind as it was.
type counts struct{ goroutines, files int }

func snapshot() counts {
	if r, w, err := os.Pipe(); err == nil { // the runtime has its poller, whose descriptors stay
		r.Close()
		w.Close()
	}
	return counts{runtime.NumGoroutine(), openFiles()}
}

// requireSame waits until everything that has ended is gone from the counts.
func (c counts) requireSame(t *testing.T) {
	t.Helper()
	if !c.assertSame(t) {
		t.FailNow()
	}
	requireNoZombies(t)
}

func (c counts) assertSame(t *testing.T) bool {
	t.Helper()
	// Wait has returned; a goroutine that has done its last deed may still be
	// counted for a moment, and nobody tells when it is not any more.
	deadline := time.Now().Add(5 * time.Second)
	for now := snapshot(); now.goroutines > c.goroutines || now.files > c.files; now = snapshot() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Errorf("left behind: before %+v, after %+v\n%s", c, now, stacks[:runtime.Stack(stacks, true)])
			return false
		}
		runtime.Gosched()
	}
	return true
}
