package rpcpipe_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/slogtest"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	// A fatal child logs through its link and dies with log.Fatal: at once, or when the link has
	// ended.
	children["fatal"] = func(args []string) {
		opts := &rpcpipe.Options{ExitTimeout: -1}
		switch args[1] {
		case "none":
			opts.LogFallback = slog.DiscardHandler
		case "json":
			opts.LogFallback = slog.NewJSONHandler(os.Stderr, nil)
		}
		p := connect(opts)
		slog.SetDefault(slog.New(p.LogHandler(nil)))
		if args[0] == "after" {
			p.Wait()
		}
		log.Fatal("last words")
	}
}

// TestLogFatal: the last words of a child that logs through its link are on its stderr if they
// cannot go to its parent.
func TestLogFatal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		when, fallback string
		taken          bool // by the parent, as long as the link is up
		stderr         string
	}{
		{"at once", "default", false, `level=INFO msg="last words"`},
		{"after", "default", false, `level=INFO msg="last words"`},
		{"after", "default", true, `level=INFO msg="last words"`},
		{"after", "json", true, `"msg":"last words"`},
		{"at once", "none", false, ""},
		{"after", "none", true, ""},
		{"at once", "default", true, ""},
	} {
		t.Run(fmt.Sprintf("%s, %s, taken: %v", tt.when, tt.fallback, tt.taken), func(t *testing.T) {
			if tt.when == "at once" && tt.taken && runtime.GOOS == "windows" {
				t.Skip("there a record is queued for a goroutine to write, and lost when the process exits right then")
			}
			exits := make(chan *procspawn.Exit, 1)
			opts := &rpcpipe.Options{OnExit: func(e *procspawn.Exit) { exits <- e }}
			book := newLogbook()
			if tt.taken {
				opts.LogHandler = book
			}
			p, err := rpcpipe.Start(t.Context(), procspawn.Self("fatal", tt.when, tt.fallback), opts)
			require.NoError(t, err)
			if tt.when == "after" {
				require.NoError(t, p.Close())
			}
			p.Wait()
			exit := <-exits
			require.Equal(t, 1, exit.Code)
			require.True(t, exit.StderrCaptured)
			if tt.stderr == "" {
				require.Empty(t, string(exit.Stderr))
			} else {
				require.Contains(t, string(exit.Stderr), tt.stderr)
			}
			if tt.taken && tt.when == "at once" {
				require.Equal(t, "last words", book.waitFor(1)[0].Message)
			}
		})
	}
}

// TestLogFallbackStderr: os.Stderr is that of the moment.
func TestLogFallbackStderr(t *testing.T) {
	a, b := rpcpipe.Pair(nil, nil)
	defer b.Close()
	level := new(slog.LevelVar)
	h := a.LogHandler(&slog.HandlerOptions{Level: level, AddSource: true, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	require.True(t, h.Enabled(t.Context(), slog.LevelInfo))
	require.False(t, h.Enabled(t.Context(), slog.LevelDebug))
	level.Set(slog.LevelDebug)
	require.True(t, h.Enabled(t.Context(), slog.LevelDebug))
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func(f *os.File) { os.Stderr = f }(os.Stderr)
	os.Stderr = w
	slog.New(h).With("a", 1).WithGroup("g").Debug("hello", "b", 2)
	require.NoError(t, a.Close())
	slog.New(h).Debug("bye")
	w.Close()
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Regexp(t, `^level=DEBUG source=\S*logfallback_test.go:\d+ msg=hello a=1 g.b=2
level=DEBUG source=\S*logfallback_test.go:\d+ msg=bye
$`, string(text))
	out, _ := a.LogDrops()
	require.Zero(t, out)
}

// TestLogFallbackAsSlogWants: what package slog asks of a handler, where another one is the
// fallback.
func TestLogFallbackAsSlogWants(t *testing.T) {
	for _, ended := range []bool{false, true} {
		var text *bytes.Buffer
		slogtest.Run(t, func(t *testing.T) slog.Handler {
			text = new(bytes.Buffer)
			opts := new(rpcpipe.Options)
			if ended {
				opts.LogHandler = newLogbook()
			}
			a, b := rpcpipe.Pair(opts, &rpcpipe.Options{LogFallback: slog.NewTextHandler(text, nil)})
			t.Cleanup(func() { a.Close() })
			h := b.LogHandler(nil)
			if ended {
				require.NoError(t, b.Close())
			}
			return h
		}, func(t *testing.T) map[string]any { return parseText(text.String()) })
	}
}

// parseText makes a map of a line of a TextHandler, with groups as maps.
func parseText(line string) map[string]any {
	m := map[string]any{}
	for _, field := range strings.Fields(line) {
		key, value, _ := strings.Cut(field, "=")
		at, path := m, strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			if at[group] == nil {
				at[group] = map[string]any{}
			}
			at = at[group].(map[string]any)
		}
		at[path[len(path)-1]] = value
	}
	return m
}

// TestLogDiscarded: where nobody wants them records are not enabled, and are counted.
func TestLogDiscarded(t *testing.T) {
	opts := &rpcpipe.Options{LogFallback: slog.DiscardHandler}
	a, b := rpcpipe.Pair(opts, &rpcpipe.Options{LogFallback: slog.DiscardHandler, LogHandler: newLogbook()})
	h := b.LogHandler(nil)
	require.False(t, h.Enabled(t.Context(), slog.LevelError))
	require.NoError(t, h.Handle(t.Context(), slog.Record{}))
	out, in := b.LogDrops()
	require.Equal(t, []uint64{1, 0}, []uint64{out, in})
	h = a.LogHandler(nil)
	require.True(t, h.Enabled(t.Context(), slog.LevelInfo))
	require.False(t, h.Enabled(t.Context(), slog.LevelDebug))
	require.NoError(t, a.Close())
	require.False(t, h.Enabled(t.Context(), slog.LevelError))
	require.NoError(t, h.Handle(t.Context(), slog.Record{}))
	out, _ = a.LogDrops()
	require.EqualValues(t, 1, out)
}

// TestLogFallbackOfQueue: what could not go out before the link's end is heard, in order, and Wait
// waits for it.
func TestLogFallbackOfQueue(t *testing.T) {
	fallback := newLogbook()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogFallback: fallback})
	require.NoError(t, err)
	suspend(t, p.Process().Pid())
	const n = 5000 // more than the pipe takes, and less than is queued
	logMany(slog.New(p.LogHandler(nil)), n)
	kill(t, p)
	require.Error(t, p.Wait())
	require.Greater(t, len(fallback.records), n/10)
	next := n - len(fallback.records)
	for _, r := range fallback.records {
		require.EqualValues(t, next, attrsOf(r)["i"])
		next++
	}
	out, _ := p.LogDrops()
	require.Zero(t, out)
}

// TestLogFallbackInShutdown: what is refused while the link shuts down is counted, and heard.
func TestLogFallbackInShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("Test", asker(func(context.Context) error { <-gate; return nil })))
		book, fallback := newLogbook(), newLogbook()
		a, b := rpcpipe.Pair(&rpcpipe.Options{Server: server, LogHandler: book}, &rpcpipe.Options{LogFallback: fallback})
		call := b.Go("Test.Ask", &Parcel{}, nil, nil)
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- a.Shutdown(t.Context()) }()
		synctest.Wait()
		log := slog.New(b.LogHandler(nil))
		log.Info("in between")
		out, _ := b.LogDrops()
		require.EqualValues(t, 1, out)
		close(gate)
		require.NoError(t, (<-call.Done).Error)
		require.NoError(t, <-ended)
		require.NoError(t, b.Wait())
		log.Info("after")
		require.Len(t, fallback.records, 2)
		require.Empty(t, book.records)
		out, _ = b.LogDrops()
		require.EqualValues(t, 1, out)
		require.NoError(t, a.Wait())
	})
}
