package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// needNeovim skips a test where there is no Neovim, but not where all is to be tested.
func needNeovim(t *testing.T) {
	exampletest.CannotRun(t)
	if _, err := exec.LookPath("nvim"); err != nil {
		if os.Getenv("VIADUCT_MUST_RUN") != "" {
			t.Fatalf("Neovim is missing (apt-get install neovim): %v", err)
		}
		t.Skipf("Neovim is missing (apt-get install neovim): %v", err)
	}
}

// An editor is a Neovim that a test has started.
type editor struct {
	*rpcpipe.Peer
	cmd     *exec.Cmd
	channel int // what Neovim calls the link

	// holds is set by a test whose methods return only some time after the end of the link: Wait may
	// have given them up by then.
	holds bool
}

// stdio is a connection made of the stdout and the stdin of a process.
type stdio struct {
	io.ReadCloser
	stdin io.WriteCloser
}

func (s stdio) Write(p []byte) (int, error) { return s.stdin.Write(p) }

func (s stdio) Close() error { return errors.Join(s.stdin.Close(), s.ReadCloser.Close()) }

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startNeovim starts a Neovim, which may call the methods of g. When the test has
// ended it is gone, and all methods have returned.
func startNeovim(t *testing.T, g *goside, opts rpcpipe.Options) *editor {
	needNeovim(t)
	opts.Server = rpc.NewServer()
	require.NoError(t, opts.Server.RegisterName("Go", g))
	opts.ServiceMethod = func(name string) string {
		words := strings.Split(name, "_") // nvim_error_event is NvimErrorEvent
		for i, w := range words {
			words[i] = strings.ToUpper(w[:min(1, len(w))]) + w[min(1, len(w)):]
		}
		return "Go." + strings.Join(words, "")
	}
	told := new(lockedBuffer)
	opts.Logger = slog.New(slog.NewTextHandler(told, nil))
	dir := t.TempDir() // for what it leaves behind when it is killed
	log := filepath.Join(dir, "log")
	cmd := exec.Command("nvim", "--embed", "--headless", "--clean", "-n")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "NVIM_LOG_FILE="+log)
	var stderr bytes.Buffer // Neovim 0.7 may fail an assertion when its link ends
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) // what hangs, fails
	e := &editor{rpcpipe.NewBare(stdio{stdout, stdin}, &opts), cmd, 0, false}
	t.Cleanup(func() {
		assert.True(t, late.Stop(), "the test was hanging")
		e.Close()
		e.Wait()
		if !e.holds {
			assert.NotContains(t, told.String(), "gave up", "methods have not returned")
		}
		cmd.Process.Kill()
		cmd.Wait()
		if text, _ := os.ReadFile(log); t.Failed() {
			t.Logf("Neovim's log:\n%s%s", text, &stderr)
		}
	})
	var info struct {
		Channel  int
		Metadata any
	}
	require.NoError(t, e.Call("nvim_get_api_info", viaduct.Params{}, &info))
	e.channel = info.Channel
	g.editor = e
	close(g.started)
	return e
}

// lua are the parameters of nvim_exec_lua. The code finds the number of the link in channel, and
// args in "...".
func (e *editor) lua(code string, args ...any) viaduct.Params {
	return viaduct.Params{"local channel = ...; return (function(...) " + code + " end)(select(2, ...))", append([]any{e.channel}, args...)}
}

// exits waits until Neovim has ended by itself, be it by SIGPIPE.
func (e *editor) exits(t *testing.T) {
	e.Wait()
	e.cmd.Wait()
}

// goside is what Neovim calls.
type goside struct {
	started chan struct{} // closed when editor is set
	editor  *editor
	events  chan any      // what notifications brought
	open    chan struct{} // closed for those that wait for it
	inner   *rpc.Call     // that made by Outer
	left    chan struct{} // closed when Outer is about to return
	more    int           // calls that Inner makes then
	counted []int
}

func newGoside() *goside {
	return &goside{
		started: make(chan struct{}),
		events:  make(chan any, 100),
		open:    make(chan struct{}),
		left:    make(chan struct{}),
		more:    10,
	}
}

// Down has Neovim call it with n-1 before it returns.
func (g *goside) Down(n int, depth *int) error {
	<-g.started
	if n == 0 {
		return nil
	}
	if err := g.editor.Call("nvim_eval", fmt.Sprintf("rpcrequest(%d, 'down', %d)", g.editor.channel, n-1), depth); err != nil {
		return err
	}
	*depth++
	return nil
}

// Outer returns while the call of Inner that it has brought about is open.
func (g *goside) Outer(_ *viaduct.Params, reply *string) error {
	<-g.started
	g.inner = g.editor.Go("nvim_eval", fmt.Sprintf("rpcrequest(%d, 'inner')", g.editor.channel), new(string), nil)
	<-g.events
	close(g.left)
	*reply = "outer"
	return nil
}

// Inner returns after Outer, and after more calls.
func (g *goside) Inner(_ *viaduct.Params, reply *string) error {
	g.events <- nil
	<-g.left
	for range g.more {
		if err := g.editor.Call("nvim_eval", "1", nil); err != nil {
			return err
		}
	}
	*reply = "inner"
	return nil
}

type Mixed struct {
	viaduct.Positional
	N     int
	Text  string
	List  []float64
	Table map[string]bool
	Opt   *int
}

func (g *goside) Typed(m Mixed, reply *Mixed) error            { *reply = m; return nil }
func (g *goside) Untyped(p viaduct.Params, reply *[]any) error { *reply = p; return nil }
func (g *goside) Echo(text string, reply *string) error        { *reply = text; return nil }
func (g *goside) Nothing(_ *viaduct.Params, _ *any) error      { return nil }
func (g *goside) Fail(text string, _ *any) error               { return errors.New(text) }

// Hang returns when g is open.
func (g *goside) Hang(_ *viaduct.Params, _ *any) error {
	g.events <- "hanging"
	<-g.open
	return nil
}

// Block is Hang that nobody hears of.
func (g *goside) Block(_ *viaduct.Params, _ *any) error {
	<-g.open
	return nil
}

// Count is called one way, and so by one goroutine at a time.
func (g *goside) Count(n int, _ *any) error {
	if g.counted = append(g.counted, n); n == 0 {
		g.events <- "counted"
	}
	return nil
}

// NvimErrorEvent is called when a notification has failed in Neovim.
func (g *goside) NvimErrorEvent(p *viaduct.Params, _ *any) error {
	g.events <- (*p)[len(*p)-1]
	return nil
}

type LinesEvent struct {
	viaduct.Positional
	Buffer viaduct.Ext
	Tick   *int
	First  int
	Last   int
	Lines  []string
	More   bool
}

func (g *goside) NvimBufLinesEvent(e LinesEvent, _ *any) error {
	e.Tick = nil
	g.events <- e
	return nil
}

var latestFirst = rpcpipe.Options{AnswerLatestFirst: true}

// TestNeovimNested: a method calls Neovim, which calls a method, and so on.
func TestNeovimNested(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	var depth int
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'down', ...)", 30), &depth))
	require.Equal(t, 30, depth)
}

// TestNeovimOlderReturnsFirst: of two open calls of Neovim the older one's
// method returns first. Neovim ends a link on which its answer comes first,
// or so soon behind the other one that it is there when the other one is read.
func TestNeovimOlderReturnsFirst(t *testing.T) {
	for range 10 {
		g := newGoside()
		e := startNeovim(t, g, latestFirst)
		var reply string
		require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'outer')"), &reply))
		require.Equal(t, "outer", reply)
		<-g.inner.Done
		require.NoError(t, g.inner.Error)
		require.Equal(t, "inner", *g.inner.Reply.(*string))
	}
	// Without the option. Inner calls until the link ends.
	g := newGoside()
	g.more = math.MaxInt
	e := startNeovim(t, g, rpcpipe.Options{})
	require.ErrorIs(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'outer')"), nil), rpc.ErrShutdown)
	e.exits(t)
}

// TestNeovimCallsInALoop: each call is answered, and then the one around them.
func TestNeovimCallsInALoop(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	hang := e.Go("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'hang')"), nil, nil)
	<-g.events
	var n int
	require.NoError(t, e.Call("nvim_exec_lua", e.lua(`
		for i = 1, 3000 do
			assert(vim.rpcrequest(channel, 'echo', tostring(i)) == tostring(i))
		end
		return 3000`), &n))
	require.Equal(t, 3000, n)
	close(g.open)
	require.NoError(t, (<-hang.Done).Error)
}

func TestNeovimValues(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	five := 5
	for _, m := range []Mixed{
		{N: -1, Text: "a\té", List: []float64{1, 2.5}, Table: map[string]bool{"x": true}, Opt: &five},
		{List: []float64{}, Table: map[string]bool{}},
	} {
		var got Mixed
		require.NoError(t, e.Call("nvim_call_function", viaduct.Params{"rpcrequest", []any{e.channel, "typed", m.N, m.Text, m.List, m.Table, m.Opt}}, &got))
		require.Equal(t, m, got)
		require.NoError(t, e.Call("nvim_exec_lua", e.lua("return ...", m), &got), "a parameter by itself")
		require.Equal(t, m, got)
	}

	var list []any
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'untyped', 1, 'two', {3}, vim.NIL)"), &list))
	require.Equal(t, []any{1, "two", []any{3}, nil}, list)
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'untyped')"), &list))
	require.Empty(t, list)

	reply := "as it was"
	require.NoError(t, e.Call("nvim_command", "let x = 1", &reply))
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'nothing')"), &reply))
	require.Equal(t, "as it was", reply)
}

func TestNeovimHandles(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	var buffers []viaduct.Ext
	require.NoError(t, e.Call("nvim_list_bufs", viaduct.Params{}, &buffers))
	require.Len(t, buffers, 1)
	var attached bool
	require.NoError(t, e.Call("nvim_buf_attach", viaduct.Params{buffers[0], false, map[string]any{}}, &attached))
	require.True(t, attached)
	require.NoError(t, e.Call("nvim_buf_set_lines", viaduct.Params{buffers[0], 0, -1, true, []string{"a", "b"}}, nil))
	require.Equal(t, LinesEvent{Buffer: buffers[0], Last: 1, Lines: []string{"a", "b"}}, <-g.events)

	var window, same any
	require.NoError(t, e.Call("nvim_get_current_win", viaduct.Params{}, &window))
	require.NoError(t, e.Call("nvim_win_get_buf", window, &same))
	require.Equal(t, buffers[0], same)
}

// TestNeovimErrors: both sides get text.
func TestNeovimErrors(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	require.Equal(t, rpc.ServerError(`[0, "Vim:E121: Undefined variable: nope"]`), e.Call("nvim_eval", "nope", nil))
	require.Equal(t, rpc.ServerError(`[0, "Invalid method: nope"]`), e.Call("nope", 1, nil))
	for call, text := range map[string]string{
		"'fail', 'no such luck'": "no such luck",
		"'nope', 1":              "can't find method Go.Nope",
		"''":                     "can't find method Go.",
		"'echo', 1":              "type mismatch",
		"'typed', 1, 2":          "type mismatch",
	} {
		var got string
		require.NoError(t, e.Call("nvim_exec_lua", e.lua("return select(2, pcall(vim.rpcrequest, channel, "+call+"))"), &got))
		require.Contains(t, got, text)
	}
}

// TestNeovimLarge: a value of 2 MiB goes to Neovim, from there to Go, and all the way back.
func TestNeovimLarge(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	text := strings.Repeat("0123456789abcde\n", 2<<20/16)
	var got string
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'echo', ...)", text), &got))
	require.True(t, text == got)
}

func TestNeovimConcurrentCalls(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for j := range 50 {
				var sum int
				err := e.Call("nvim_eval", fmt.Sprintf("%d + %d", i, j), &sum)
				if !assert.NoError(t, err) || !assert.Equal(t, i+j, sum) {
					return
				}
			}
		})
	}
	callers.Wait()
}

// TestNeovimNotifies: notifications arrive in order.
func TestNeovimNotifies(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	require.NoError(t, e.Call("nvim_exec_lua", e.lua("for i = 19999, 0, -1 do vim.rpcnotify(channel, 'count', i) end"), nil))
	require.Equal(t, "counted", <-g.events)
	require.Len(t, g.counted, 20000)
	for i, n := range g.counted {
		require.Equal(t, 19999-i, n)
	}
}

// TestNeovimNotifiesTooFast: notifications that nobody handles end the link, before long.
func TestNeovimNotifiesTooFast(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	e.holds = true
	hang := e.Go("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'hang')"), nil, nil)
	<-g.events
	err := e.Call("nvim_exec_lua", e.lua("for i = 1, 20000 do vim.rpcnotify(channel, 'block', ('x'):rep(1000)) end"), nil)
	require.ErrorIs(t, err, rpc.ErrShutdown)
	var broken *viaduct.ProtocolError
	require.ErrorAs(t, err, &broken)
	require.Contains(t, broken.Reason, "notifications come faster than they are handled")
	require.Equal(t, err, (<-hang.Done).Error)
	close(g.open)
	e.exits(t)
}

// TestNeovimCancel: Neovim does not know of cancelling. The caller is free at
// once, and Neovim complains of a notification, and no more.
func TestNeovimCancel(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		failed <- e.CallContext(ctx, "nvim_exec_lua", e.lua("vim.rpcrequest(channel, 'hang'); vim.rpcnotify(channel, 'count', 0)"), nil)
	}()
	require.Equal(t, "hanging", <-g.events)
	cancel()
	require.Equal(t, context.Canceled, <-failed)
	require.Equal(t, "Invalid method: $/cancel", <-g.events)
	var sum int
	require.NoError(t, e.Call("nvim_eval", "1 + 2", &sum))
	close(g.open)
	require.Equal(t, "counted", <-g.events)
	require.NoError(t, e.Call("nvim_eval", "1 + 2", &sum))
	require.Equal(t, 3, sum)
}

// TestNeovimDeadline: a Neovim that is busy does not keep the caller.
func TestNeovimDeadline(t *testing.T) {
	e := startNeovim(t, newGoside(), latestFirst)
	end := filepath.Join(t.TempDir(), "end")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	busy := e.lua("while not vim.loop.fs_stat(...) do end", end)
	require.Equal(t, context.DeadlineExceeded, e.CallContext(ctx, "nvim_exec_lua", busy, nil))
	require.NoError(t, os.WriteFile(end, nil, 0o600))
	var sum int
	require.NoError(t, e.Call("nvim_eval", "1 + 2", &sum))
	require.Equal(t, 3, sum)
}

// TestNeovimKilled: all that was waiting for it is told.
func TestNeovimKilled(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	e.holds = true
	var pending []*rpc.Call
	for range 10 {
		pending = append(pending, e.Go("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'hang')"), nil, nil))
	}
	for range 10 {
		<-g.events
	}
	require.NoError(t, e.cmd.Process.Kill())
	for _, call := range pending {
		var down *viaduct.DownError
		require.ErrorAs(t, (<-call.Done).Error, &down)
		require.Equal(t, io.ErrUnexpectedEOF, down.Err)
	}
	require.ErrorIs(t, e.Call("nvim_eval", "1", nil), rpc.ErrShutdown)
	close(g.open)
}

// TestNeovimClosed: a Neovim that waits for an answer ends when the link is closed.
func TestNeovimClosed(t *testing.T) {
	g := newGoside()
	e := startNeovim(t, g, latestFirst)
	e.holds = true
	hang := e.Go("nvim_exec_lua", e.lua("return vim.rpcrequest(channel, 'hang')"), nil, nil)
	<-g.events
	e.Close()
	require.Equal(t, rpc.ErrShutdown, (<-hang.Done).Error)
	close(g.open)
	e.exits(t)
}
