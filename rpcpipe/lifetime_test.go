package rpcpipe_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	// middle is a parent for the test to kill. It hands its file on to a child
	// of its own, which writes to it what it sees.
	children["middle"] = func(args []string) {
		connect(nil)
		cmd := procspawn.Self(args...)
		passFile(cmd, inherited())
		cmd.Stderr = os.Stderr
		if _, err := rpcpipe.Start(context.Background(), cmd, nil); err != nil {
			fmt.Fprintln(inherited(), err)
		}
		select {}
	}
	children["witness"] = func([]string) {
		out := inherited()
		s := newService()
		opts := s.options()
		opts.OnExit = func(e *procspawn.Exit) { fmt.Fprintln(out, "OnExit:", e) }
		p := connect(opts)
		call := p.Go("Service.Nobody", 0, nil, nil)
		<-call.Done // there is a parent
		fmt.Fprintln(out, "ready")
		err := p.Wait()
		fmt.Fprintln(out, "Wait:", err)
	}
	children["busy witness"] = func([]string) {
		out := inherited()
		connect(&rpcpipe.Options{OnExit: func(e *procspawn.Exit) {
			fmt.Println("into a pipe that may be broken") // must not kill
			fmt.Fprintln(out, "OnExit:", e)
		}})
		fmt.Fprintln(out, "ready")
		for i := 0; ; i++ { // main has no time for any of this
			runtime.KeepAlive(i)
		}
	}
}

// startMiddle starts a child that starts another one, and returns when that has
// printed "ready" to the pipe that it inherits; the test reads the rest from out.
func startMiddle(t *testing.T, middle, child string) (cmd *exec.Cmd, p *rpcpipe.Peer, out *bufio.Reader) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	cmd = procspawn.Self(middle, child)
	passFile(cmd, w)
	p, err = rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	w.Close()
	out = bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd, p, out
}

// TestParentKilled: the child is told, runs its callback, and is gone within a second.
func TestParentKilled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		child string
		lines []string // %d is the parent's pid
	}{
		{"witness", []string{"OnExit: parent %d is gone", "Wait: parent %d is gone"}},
		{"busy witness", []string{"OnExit: parent %d is gone"}},
	} {
		t.Run(test.child, func(t *testing.T) {
			cmd, p, out := startMiddle(t, "middle", test.child)
			begin := time.Now()
			require.NoError(t, cmd.Process.Kill())
			for _, text := range test.lines {
				line, err := out.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf(text, p.Process().Pid())+"\n", line)
			}
			rest, err := io.ReadAll(out) // ends when the child has
			require.NoError(t, err)
			require.Empty(t, rest)
			require.Less(t, time.Since(begin), slack(time.Second))
			require.Error(t, p.Wait())
		})
	}
}

// TestParentCloses: the child's OnExit can tell that from its parent's death.
func TestParentCloses(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := procspawn.Self("witness")
	passFile(cmd, w)
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	w.Close()
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	require.NoError(t, p.Close())
	all, err := io.ReadAll(out)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("OnExit: parent %d has closed the link\nWait: <nil>\n", os.Getpid()), string(all))
}

// TestOnExitOrder: pending calls have failed when OnExit is called, and the
// child has been waited for.
func TestOnExitOrder(t *testing.T) {
	here := newService()
	opts := here.options()
	var call *rpc.Call
	var p *rpcpipe.Peer
	ready, called := make(chan struct{}), make(chan error, 1)
	opts.OnExit = func(e *procspawn.Exit) {
		<-ready
		select {
		case <-call.Done:
		default:
			called <- fmt.Errorf("a call is still pending")
			return
		}
		if p.Process().Exit() != e {
			called <- fmt.Errorf("the child has not been waited for")
			return
		}
		called <- p.Close() // must not wait for itself
	}
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), opts)
	require.NoError(t, err)
	here.use(p)
	call = p.Go("Service.Park", 0, nil, nil)
	require.NoError(t, p.Call("Service.Add", Args{}, nil))
	close(ready)
	kill(t, p)
	require.NoError(t, <-called)
	require.Error(t, p.Wait())
}

// TestLogger: what nobody would hear of is reported.
func TestLogger(t *testing.T) {
	var buf syncLog
	log := buf.logger()
	here, there := newService(), newService()
	opts := here.options()
	opts.Logger = log
	a, b := rpcpipe.Pair(opts, there.options())
	here.use(a)
	there.use(b)
	require.NoError(t, b.Notify(t.Context(), "Service.Missing", 1))
	require.NoError(t, b.Notify(t.Context(), "Service.Note", "text for a number"))
	require.NoError(t, b.Notify(t.Context(), "Service.Fail", "handler's own"))
	require.NoError(t, b.Notify(t.Context(), "Service.Note", 1))
	var notes []int
	require.NoError(t, b.Call("Service.Notes", 1, &notes)) // so the ones before have been handled
	require.NoError(t, a.Close())
	require.NoError(t, a.Wait())
	require.NoError(t, b.Wait())
	for _, text := range []string{"Service.Missing", "type mismatch", "handler's own"} {
		require.Contains(t, buf.String(), text)
	}
}

// syncLog keeps what is logged by several goroutines, as text.
type syncLog struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *syncLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.buf.Write(p)
	}), nil))
}

func (l *syncLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
