package rpcpipe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	// "recorder" writes the notes that it has handled into the file that it inherits.
	children["recorder"] = func([]string) {
		server := rpc.NewServer()
		server.RegisterName("Recorder", recorder{bufio.NewWriter(inherited())})
		connect(&rpcpipe.Options{Server: server}).Wait()
	}
	// "notifier" starts a recorder, and exits at once when it has told it all.
	children["notifier"] = func([]string) {
		connect(nil)
		cmd := procspawn.Self("recorder")
		passFile(cmd, inherited())
		p, err := rpcpipe.Start(context.Background(), cmd, nil)
		if err != nil {
			fmt.Fprintln(inherited(), err)
			os.Exit(1)
		}
		notifyAndExit(p)
	}
	// "notifying child" tells its parent.
	children["notifying child"] = func([]string) { notifyAndExit(connect(nil)) }
}

type recorder struct{ w *bufio.Writer }

const manyNotes = 1000

type Numbered struct {
	N       int
	Ballast []byte
}

func (r recorder) Note(n *Numbered, _ *int) error {
	runtime.Gosched() // others are to be faster
	fmt.Fprintln(r.w, n.N)
	return r.w.Flush()
}

func notifyAndExit(p *rpcpipe.Peer) {
	for i := range manyNotes {
		n := &Numbered{N: i}
		if i%100 == 0 {
			n.Ballast = make([]byte, 300_000)
		}
		if err := p.Notify(context.Background(), "Recorder.Note", n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(6)
		}
	}
	if err := p.Shutdown(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	os.Exit(0)
}

func requireManyNotes(t *testing.T, r io.Reader) {
	t.Helper()
	for i := range manyNotes {
		var n int
		_, err := fmt.Fscanln(r, &n)
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, string(rest))
}

// TestShutdownThenExit: what a process has sent one way is handled though it exits.
func TestShutdownThenExit(t *testing.T) {
	t.Parallel()
	t.Run("to the child", func(t *testing.T) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		cmd := procspawn.Self("notifier")
		passFile(cmd, w)
		p, err := rpcpipe.Start(t.Context(), cmd, nil)
		require.NoError(t, err)
		w.Close()
		requireManyNotes(t, bufio.NewReader(r))
		require.NoError(t, p.Wait())
	})
	t.Run("to the parent", func(t *testing.T) {
		var out syncBuffer
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("Recorder", recorder{bufio.NewWriter(&out)}))
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("notifying child"), &rpcpipe.Options{Server: server})
		require.NoError(t, err)
		require.NoError(t, p.Wait())
		requireManyNotes(t, bufio.NewReader(&out))
	})
}

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *syncBuffer) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(p, s.b)
	if s.b = s.b[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestSIGTERMAfterTheLink: a child whose link ends while it connects does not hold the signal back for
// ever.
func TestSIGTERMAfterTheLink(t *testing.T) {
	a, b := rpcpipe.Pair(nil, nil)
	b.Close()
	a.Wait()
	b.Wait()
	require.True(t, rpcpipe.LetsGoOfSIGTERM(a))
}
