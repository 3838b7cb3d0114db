//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// asProgram, in the environment, has the test binary be the program.
const asProgram = "VIADUCT_TEST_STREAM"

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() || os.Getenv(asProgram) != "" {
		main()
		return
	}
	// With the race detector a program sleeps for 1 s when it exits, and a child
	// whose link is closed has less.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

// program returns the program, and the directory in which it makes its own, which is
// to be empty afterwards.
func program(t *testing.T, args ...string) (*exec.Cmd, string) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+dir)
	return cmd, dir
}

func requireEmpty(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

const unchanged = "7 MiB went to the child and came back unchanged\n"

func TestLines(t *testing.T) {
	cmd, dir := program(t, "-size", "7")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s", &stderr)
	require.Equal(t, unchanged, stdout.String())
	lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	require.Len(t, lines, 8)
	require.Contains(t, lines[3], "there: 7 of 7 MiB, ")
	require.Contains(t, lines[7], "back : 7 of 7 MiB, ")
	require.Contains(t, lines[7], "small calls")
	require.NotContains(t, stderr.String(), "\r")
	requireEmpty(t, dir)
}

func TestBar(t *testing.T) {
	cmd, dir := program(t, "-size", "7")
	terminal, tty, err := pty.Open()
	require.NoError(t, err)
	defer terminal.Close()
	require.NoError(t, pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 120}))
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, tty
	require.NoError(t, cmd.Start())
	require.NoError(t, tty.Close())
	shown, _ := io.ReadAll(terminal) // on Linux it ends with an error when nobody has the other end
	require.NoError(t, cmd.Wait(), "%s", shown)
	require.Equal(t, unchanged, stdout.String())
	require.Contains(t, string(shown), "\rthere")
	require.Contains(t, string(shown), "\rback")
	require.Contains(t, string(shown), "100%")
	require.Contains(t, string(shown), "small calls")
	requireEmpty(t, dir)
}

// files makes a file of n bytes, and returns its name and another one.
func files(t *testing.T, n int64) (source, target string, sum []byte) {
	dir := t.TempDir()
	source, target = filepath.Join(dir, "source"), filepath.Join(dir, "target")
	sum, err := makeFile(source, n)
	require.NoError(t, err)
	return source, target, sum
}

func start(t *testing.T) *rpcpipe.Peer {
	peer, err := rpcpipe.Start(t.Context(), procspawn.Self(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	return peer
}

func TestFilesAreTheSame(t *testing.T) {
	peer := start(t)
	for _, n := range []int64{0, 1, 64<<10 + 1, 5 << 20} {
		source, target, sum := files(t, n)
		require.NoError(t, send(t.Context(), peer, source, target, io.Discard))
		want, err := os.ReadFile(source)
		require.NoError(t, err)
		got, err := os.ReadFile(target)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%d bytes", n)
		sha := sha256.New()
		require.NoError(t, receive(t.Context(), peer, target, sha))
		require.NoError(t, compare(sha, sum))
	}
	require.NoError(t, peer.Shutdown(t.Context()))
	require.Equal(t, 0, peer.Process().Exit().Code)
}

// halfway calls f once, when n bytes have been written to it.
type halfway struct {
	n int
	f func()
}

func (h *halfway) Write(b []byte) (int, error) {
	if before := h.n; before > 0 {
		if h.n -= len(b); h.n <= 0 {
			h.f()
		}
	}
	return len(b), nil
}

// The child is killed in the middle of a copy.
func TestKilled(t *testing.T) {
	const n = 5 << 20
	source, target, _ := files(t, n)
	for name, copy := range map[string]func(peer *rpcpipe.Peer, w io.Writer) error{
		"there": func(peer *rpcpipe.Peer, w io.Writer) error { return send(t.Context(), peer, source, target, w) },
		"back":  func(peer *rpcpipe.Peer, w io.Writer) error { return receive(t.Context(), peer, source, w) },
	} {
		t.Run(name, func(t *testing.T) {
			peer := start(t)
			child, err := os.FindProcess(peer.Process().Pid())
			require.NoError(t, err)
			err = copy(peer, &halfway{n / 2, func() { child.Kill() }})
			var exit *procspawn.Exit
			require.ErrorAs(t, err, &exit)
			require.Equal(t, os.Kill, exit.Signal)
		})
	}
}

// The copy is cancelled in the middle. The link goes on.
func TestCancelled(t *testing.T) {
	const n = 5 << 20
	source, target, _ := files(t, n)
	peer := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	require.Equal(t, context.Canceled, send(ctx, peer, source, target, &halfway{n / 2, cancel}))
	ctx, cancel = context.WithCancel(t.Context())
	require.Equal(t, context.Canceled, receive(ctx, peer, source, &halfway{n / 2, cancel}))
	require.NoError(t, send(t.Context(), peer, source, target, io.Discard))
	require.NoError(t, peer.Shutdown(t.Context()))
}

// What reads the file here fails: a directory cannot be read.
func TestUnreadable(t *testing.T) {
	peer := start(t)
	_, target, _ := files(t, 1)
	err := send(t.Context(), peer, t.TempDir(), target, io.Discard)
	require.ErrorContains(t, err, "is a directory")
	require.NoError(t, peer.Shutdown(t.Context()))
}

// The child cannot open the file, and never reads what is sent.
func TestNoFile(t *testing.T) {
	peer := start(t)
	source, target, _ := files(t, 5<<20)
	err := send(t.Context(), peer, source, filepath.Join(target, "no", "directory"), io.Discard)
	require.ErrorAs(t, err, new(rpc.ServerError))
	require.ErrorContains(t, err, "no such file or directory")
	err = receive(t.Context(), peer, target, io.Discard)
	require.ErrorContains(t, err, "no such file or directory")
	require.False(t, errors.Is(err, rpc.ErrShutdown))
	require.NoError(t, peer.Shutdown(t.Context()))
}
