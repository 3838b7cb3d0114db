package conformance_test

import (
	"bytes"
	"context"
	"math"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// The tests here and in the files below try viaduct.py and viaduct.mjs: one table, run with a child in
// each language, and with one in Go, which shows what is expected.

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() {
		goChild()
		return
	}
	if err := os.Chdir(filepath.Join("..", "..")); err != nil { // where all examples are
		panic(err)
	}
	os.Exit(m.Run())
}

// A tester is a child of polyglot/testdata, or goChild, that runs.
type tester struct {
	*rpcpipe.Peer
	name   string // of its language
	events chan string
	gate   chan struct{} // P.Hold waits until it is closed

	mu    sync.Mutex
	notes []int // what P.Note was told
}

// testerCommand is what starts a child in a language. args are for the program.
func testerCommand(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	for _, l := range languages {
		if l.name == name {
			file := filepath.Join("polyglot", "testdata", "child"+filepath.Ext(l.child))
			return exec.Command(l.interpreter(t), append([]string{file, procspawn.Here}, args...)...)
		}
	}
	exampletest.CannotRun(t)
	cmd := procspawn.Self()
	cmd.Args = append(cmd.Args, args...)
	return cmd
}

// startTester starts one, which must end by itself, with this on its stderr.
func startTester(t *testing.T, name string, opts rpcpipe.Options, stderr string, args ...string) *tester {
	t.Helper()
	return startTesterAs(t, name, testerCommand(t, name, args...), opts, stderr)
}

func startTesterAs(t *testing.T, name string, cmd *exec.Cmd, opts rpcpipe.Options, stderr string) *tester {
	t.Helper()
	c := &tester{name: name, events: make(chan string, 100), gate: make(chan struct{})}
	opts.Server, opts.MaxMessage, opts.CloseTimeout = rpc.NewServer(), 64<<20, 20*time.Second
	require.NoError(t, opts.Server.RegisterName("P", &testerParent{c}))
	var err error
	c.Peer, err = rpcpipe.Start(t.Context(), cmd, &opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		<-c.Process().Done()
		exit := c.Process().Exit()
		assert.Equal(t, stderr, string(exit.Stderr))
		assert.LessOrEqual(t, exit.Step, procspawn.StepCloseLink, "the child did not end by itself")
	})
	return c
}

// inEachTester runs test with a child in each language.
func inEachTester(t *testing.T, test func(t *testing.T, c *tester)) {
	eachLanguage(t, func(t *testing.T, name string) { test(t, startTester(t, name, rpcpipe.Options{}, "")) })
}

func eachLanguage(t *testing.T, test func(t *testing.T, name string)) {
	for _, name := range []string{"go", "python", "node"} {
		t.Run(name, func(t *testing.T) { test(t, name) })
	}
}

// hears requires that the child says these words, in this order.
func (c *tester) hears(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		select {
		case got := <-c.events:
			require.Equal(t, word, got)
		case <-c.Done():
			t.Fatalf("the link has ended (%v) before the child said %q", c.Err(), word)
		}
	}
}

// hearsAll requires that the child says these words, in any order.
func (c *tester) hearsAll(t *testing.T, words ...string) {
	t.Helper()
	for len(words) > 0 {
		select {
		case got := <-c.events:
			i := slices.Index(words, got)
			require.NotEqual(t, -1, i, got)
			words = slices.Delete(words, i, i+1)
		case <-c.Done():
			t.Fatalf("the link has ended (%v) before the child said %q", c.Err(), words)
		}
	}
}

// testerParent is what the children may call.
type testerParent struct{ c *tester }

// N is a number, and the call that it came with.
type N struct {
	viaduct.Caller
	N int
}

// Holding is a call that waits.
type Holding struct {
	viaduct.Caller
	Ask bool // the caller, first
}

func (p *testerParent) Echo(value any, reply *any) error { *reply = value; return nil }

func (p *testerParent) Event(word string, _ *struct{}) error { p.c.events <- word; return nil }

func (p *testerParent) Nest(n N, reply *int) error {
	err := rpcpipe.FromContext(n.Context()).CallContext(n.Context(), "T.Nest", n.N, reply)
	*reply++
	return err
}

func (p *testerParent) Note(n int, _ *struct{}) error {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.notes = append(p.c.notes, n)
	return nil
}

func (p *testerParent) Hold(h Holding, reply *string) error {
	if h.Ask {
		if err := rpcpipe.FromContext(h.Context()).CallContext(h.Context(), "T.Echo", "nested", reply); err != nil {
			return err
		}
	}
	p.c.events <- "held"
	select {
	case <-p.c.gate:
		return nil
	case <-h.Context().Done():
		return h.Fail(h.Context().Err())
	}
}

func (p *testerParent) Fail(n N, _ *struct{}) error {
	return n.Fail(&viaduct.Error{Code: 42, Message: "the parent says no", Data: []any{"why", 7}})
}

// Each value comes back as it was, by way of the child alone, and by way of the child and this process.
func TestModulesEcho(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		deep := any(1)
		for range 300 {
			deep = []any{deep}
		}
		for _, v := range echoes() {
			for _, method := range []string{"T.Echo", "T.Relay"} {
				got, err := v.by(c, method)
				require.NoError(t, err, "%s of %v", method, v.value)
				require.Equal(t, v.value, got, method)
			}
		}
		var back any
		require.NoError(t, c.Call("T.Echo", deep, &back))
		require.Equal(t, deep, back)
		if c.name != "node" { // in whose strings there is nothing but Unicode
			got, err := echo("\xff\xfe no UTF-8").by(c, "T.Relay")
			require.NoError(t, err)
			require.Equal(t, "\xff\xfe no UTF-8", got)
		}
	})
}

// An echoOf is a value and how to have it sent back as one of its type.
type echoOf struct {
	value any
	by    func(c *tester, method string) (any, error)
}

func echo[T any](v T) echoOf {
	return echoOf{v, func(c *tester, method string) (any, error) {
		var reply T
		err := c.Call(method, v, &reply)
		return reply, err
	}}
}

func echoes() []echoOf {
	type inner struct {
		S string
		F float32
	}
	type record struct {
		A int
		B []inner
		C map[string]uint8
		D *int
		E []byte
		F bool
	}
	return []echoOf{
		echo(true), echo(false), echo(0), echo(-1), echo(127), echo(int64(1) << 40),
		echo(int64(math.MinInt64)), echo(int64(math.MaxInt64)), echo(^uint64(0)), echo(uint32(1) << 31),
		echo(1.5), echo(0.1), echo(1e300), echo(float32(0.25)),
		echo(""), echo("grüße, 世界 🌉"), echo(string(bytes.Repeat([]byte("x"), 70_000))),
		echo([]byte{}), echo([]byte{0, 255}), echo(bytes.Repeat([]byte("ab"), 40_000)),
		echo([]int{}), echo([]int64{1, -2, 1 << 33}), echo([]string{"a", ""}), echo([3]int8{1, 2, -3}),
		echo(map[string]int{"a": 1, "b": 2}), echo(map[string][]string{"x": {"y"}}), echo(map[string]any{"n": nil, "l": []any{1, "2"}}),
		echo(record{A: 1, B: []inner{{"s", 0.5}}, C: map[string]uint8{"c": 255}, E: []byte("e"), F: true}),
		echo(time.Unix(1_700_000_000, 123_000_000).UTC()), echo(time.Unix(-1, 0).UTC()),
	}
}

func TestModulesManyCalls(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				var reply int
				if assert.NoError(t, c.Call("T.Relay", i, &reply)) {
					assert.Equal(t, i, reply)
				}
			})
		}
		wg.Wait()
	})
}

func TestModulesNested(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		var depth int
		require.NoError(t, c.Call("T.Nest", 20, &depth))
		require.Equal(t, 40, depth)
	})
}

func TestModulesNotifications(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		var want, got []int
		for i := range 500 {
			want = append(want, i)
			require.NoError(t, c.Notify(t.Context(), "T.Note", i))
		}
		require.NoError(t, c.Sync(t.Context())) // all were handled
		require.NoError(t, c.Call("T.Notes", nil, &got))
		require.Equal(t, want, got)

		require.NoError(t, c.Call("T.Tell", 500, nil)) // with a sync behind them
		c.mu.Lock()
		defer c.mu.Unlock()
		require.Equal(t, want, c.notes)
	})
}

// Large messages both ways at once, and small calls beside them.
func TestModulesLarge(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		data := bytes.Repeat(noise(), 2)[:16<<20]
		large := make(chan struct{})
		go func() {
			defer close(large)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					var reply []byte
					if assert.NoError(t, c.Call("T.Echo", data, &reply)) {
						assert.True(t, bytes.Equal(data, reply))
					}
				})
				wg.Go(func() {
					var same bool
					assert.NoError(t, c.Call("T.Fetch", 16<<20, &same))
					assert.True(t, same)
				})
			}
			wg.Wait()
		}()
		small := 0
		for ended := false; !ended; small++ {
			var reply string
			require.NoError(t, c.Call("T.Relay", "small", &reply))
			select {
			case <-large:
				ended = true
			default:
			}
		}
		require.Greater(t, small, 5, "small calls have waited for large ones")
	})
}

func TestModulesCancel(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.CallContext(ctx, "T.Wait", nil, nil) }()
		c.hears(t, "waiting")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		c.hears(t, "cancelled") // the method was told

		// What it is nested in is cancelled, and so is the call that the method has made here.
		ctx, cancel = context.WithCancel(t.Context())
		go func() { ended <- c.CallContext(ctx, "T.Hold", map[string]bool{}, nil) }()
		c.hears(t, "held")
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.NoError(t, c.Call("T.Echo", 1, nil))
	})
}

func TestModulesDeadline(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		var about struct {
			Left *float64          `msgpack:"left"`
			Meta map[string]string `msgpack:"meta"`
		}
		require.NoError(t, c.Call("T.About", nil, &about))
		require.Nil(t, about.Left)
		ctx, cancel := context.WithTimeout(viaduct.WithMetadata(t.Context(), map[string]string{"k": "v"}), time.Hour)
		defer cancel()
		require.NoError(t, c.CallContext(ctx, "T.About", nil, &about))
		require.InDelta(t, 3600, *about.Left, 120)
		require.Equal(t, map[string]string{"k": "v"}, about.Meta)

		ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.CallContext(ctx, "T.Wait", nil, nil), context.DeadlineExceeded)
		require.NoError(t, c.Call("T.Echo", 1, nil))
	})
}

func TestModulesPing(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		_, err := c.Ping(t.Context())
		require.NoError(t, err)
		var ok bool
		require.NoError(t, c.Call("T.Ping", nil, &ok))
		require.True(t, ok)
	})
}
