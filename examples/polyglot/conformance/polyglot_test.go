// Package conformance_test tries the modules for Python and Node, and the example that uses them,
// against the Go library. It has a module of its own, so that go test ./... of the library needs
// neither Python nor Node.
package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A language is one that a child of examples/polyglot is written in.
type language struct {
	name, child string
	find        func() (interpreter string, err error)
}

var languages = []language{
	{"python", "python/child.py", findInterpreter("python3-msgpack of Debian, or msgpack of PyPI",
		[]string{"-c", "import msgpack"}, "python3", "/usr/bin/python3")},
	{"node", "node/child.mjs", findInterpreter("what npm ci --prefix examples/polyglot installs",
		[]string{"--input-type=module", "-e", "import '@msgpack/msgpack'"}, "node")},
}

// findInterpreter looks, once, for the first of names that runs with args.
func findInterpreter(packages string, args []string, names ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		var errs []error
		for _, name := range names {
			cmd := exec.Command(name, args...)
			cmd.Dir = "polyglot"
			err := cmd.Run()
			if err == nil {
				return name, nil
			}
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		return "", fmt.Errorf("needs %s with %s: %w", names[0], packages, errors.Join(errs...))
	})
}

// interpreter returns the one that runs the child in l. It skips a test where
// there is none, but not where all is to be tested.
func (l language) interpreter(t *testing.T) string {
	t.Helper()
	exampletest.CannotRun(t)
	name, err := l.find()
	switch {
	case err == nil:
	case os.Getenv("VIADUCT_MUST_RUN") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return name
}

// polyglotArgs are the arguments with which the example runs here, with the
// children in the languages given.
func polyglotArgs(t *testing.T, ls ...language) []string {
	args := []string{"-dir", "polyglot"}
	for _, l := range ls {
		args = append(args, "-"+l.name, l.interpreter(t))
	}
	for _, l := range ls {
		args = append(args, l.name)
	}
	return args
}

// inEachLanguage runs test with a child in each language.
func inEachLanguage(t *testing.T, test func(t *testing.T, c *polyglotChild)) {
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			test(t, startPolyglot(t, l.interpreter(t), l.child, false))
		})
	}
}

// A polyglotChild is one that runs, and what it has told.
type polyglotChild struct {
	*rpcpipe.Peer
	heard   chan string
	stopped chan error // what has ended the contexts of Parent.Wait
}

// startPolyglot starts a child. It inherits stdout and stderr; if not, it must
// print nothing to stderr.
func startPolyglot(t *testing.T, interpreter, file string, inherit bool) *polyglotChild {
	c := &polyglotChild{heard: make(chan string, 10000), stopped: make(chan error, 10000)}
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("Parent", &polyglotParent{c}))
	cmd := exec.Command(interpreter, filepath.Join("polyglot", file), procspawn.Here, "Ada")
	if inherit {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	}
	var err error
	c.Peer, err = rpcpipe.Start(t.Context(), cmd, &rpcpipe.Options{
		Server:       server,
		CloseTimeout: 20 * time.Second, // to end by itself on a busy machine
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		<-c.Process().Done()
		exit := c.Process().Exit()
		assert.Empty(t, string(exit.Stderr))
		assert.LessOrEqual(t, exit.Step, procspawn.StepCloseLink, "the child did not end by itself")
	})
	return c
}

// works requires that calls both ways still succeed.
func (c *polyglotChild) works(t *testing.T) {
	t.Helper()
	var reply []byte
	require.NoError(t, c.Call("Child.Relay", []byte("still there"), &reply))
	require.Equal(t, "still there", string(reply))
}

// hears requires that the child calls Parent.Tell with these words.
func (c *polyglotChild) hears(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		select {
		case got := <-c.heard:
			require.Equal(t, word, got)
		case <-c.Done():
			t.Fatalf("the link has ended (%v) before the child said %.20q", c.Err(), word)
		}
	}
}

// polyglotParent is what the children may call.
type polyglotParent struct{ c *polyglotChild }

func (p *polyglotParent) Tell(word string, _ *struct{}) error {
	p.c.heard <- word
	return nil
}

func (p *polyglotParent) Echo(data []byte, reply *[]byte) error {
	*reply = data
	return nil
}

// A Call is an argument that is given the context of its call.
type Call struct{ ctx context.Context }

func (c *Call) SetContext(ctx context.Context) { c.ctx = ctx }

func (p *polyglotParent) Wait(call *Call, _ *struct{}) error {
	<-call.ctx.Done()
	p.c.stopped <- call.ctx.Err()
	return nil
}

// buildPolyglot returns the name of the program.
func buildPolyglot(t *testing.T) string {
	exampletest.LookAtSources(t)
	exampletest.CannotRun(t)
	bin := filepath.Join(t.TempDir(), "polyglot")
	exampletest.GoTool(t, "build", "-o", bin, "./polyglot")
	return bin
}

func TestPolyglotPrints(t *testing.T) {
	bin := buildPolyglot(t)
	all := exampletest.ReadFile(t, "testdata/polyglot.txt")
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			var want string
			for line := range strings.Lines(all) {
				if strings.HasPrefix(line, l.name+": ") {
					want += line
				}
			}
			require.Equal(t, want, exampletest.Run(t, exec.Command(bin, polyglotArgs(t, l)...)))
		})
	}
	t.Run("both", func(t *testing.T) {
		cmd := exec.Command(bin, polyglotArgs(t, languages...)...)
		orphans, known := exampletest.CountOrphans(t, func() {
			require.Equal(t, all, exampletest.Run(t, cmd))
		})
		if known {
			require.Zero(t, orphans, "processes that have outlived those that started them")
		}
	})
}

// What is missing is said by name.
func TestPolyglotSaysWhatToInstall(t *testing.T) {
	bin := buildPolyglot(t)
	for name, install := range map[string]string{"python": "python3-msgpack", "node": "npm ci --prefix polyglot"} {
		for _, interpreter := range []string{"/nowhere/" + name, "false"} {
			out, err := exec.Command(bin, "-dir", "polyglot", "-"+name, interpreter, name).CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(out), install)
			require.Contains(t, string(out), interpreter)
		}
	}
}

// A child is short, and what it is to copy no longer than can be read.
func TestPolyglotIsShort(t *testing.T) {
	for file, lines := range map[string]int{
		"python/child.py": 100, "node/child.mjs": 100,
		"python/viaduct.py": 1600, "node/viaduct.mjs": 1600,
	} {
		require.Less(t, strings.Count(exampletest.ReadFile(t, "polyglot/"+file), "\n"), lines, file)
	}
}

func TestPolyglotErrors(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		for method, text := range map[string]string{
			"Child.Divide":   "division by zero",
			"Child.Nope":     "there is no method Child.Nope",
			"Child.__init__": "there is no method Child.__init__",
			"toString":       "there is no method toString",
			"":               "there is no method ",
		} {
			err := c.Call(method, struct{ A, B int }{1, 0}, nil)
			require.ErrorAs(t, err, new(rpc.ServerError))
			require.Equal(t, text, err.Error())
			require.Equal(t, method != "Child.Divide", errors.Is(err, viaduct.ErrNotBegun), method)
		}
		require.ErrorAs(t, c.Call("Child.Tell", 5, nil), new(rpc.ServerError))
		c.works(t)
	})
}

// Each child says what it has to call, in the same words.
func TestPolyglotListing(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		l, err := c.Methods(t.Context())
		require.NoError(t, err)
		require.Equal(t, &rpcpipe.Listing{
			Methods: []rpcpipe.Method{
				{Name: "Child.Divide", Arg: "Division", Reply: "float64", Doc: "Divides A by B."},
				{Name: "Child.Echo", Arg: "bytes", Reply: "bytes"},
				{Name: "Child.Greet", Arg: "string", Reply: "string"},
				{Name: "Child.Hurry", Arg: "any", Reply: "string", Doc: "Calls the parent, and cancels the call when it has taken 0.1 s."},
				{Name: "Child.Leave", Arg: "any", Reply: "any"},
				{Name: "Child.Relay", Arg: "bytes", Reply: "bytes"},
				{Name: "Child.Tell", Arg: "string", Reply: "any"},
				{Name: "Child.Wait", Arg: "any", Reply: "any", Doc: "Returns only when it is cancelled."},
			},
			Types: []rpcpipe.Type{{Name: "Division", Fields: []rpcpipe.Field{{Name: "A", Type: "float64"}, {Name: "B", Type: "float64"}}}},
		}, l)
		c.works(t)
	})
}

// 2,000 calls, of which each second makes the child call back.
func TestPolyglotManyCalls(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		const callers, each, largest = 16, 125, 300 << 10
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for j := range each {
					part := random.Float64()
					data := randomBytes(random, int(part*part*largest))
					var reply []byte
					method := []string{"Child.Echo", "Child.Relay"}[j%2]
					if !assert.NoError(t, c.Call(method, data, &reply)) || !assert.True(t, bytes.Equal(data, reply)) {
						return
					}
				}
			})
		}
		wg.Wait()
	})
}

// noise is where random contents come from: to make them takes long with the
// race detector.
var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 9<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

func randomBytes(random *rand.Rand, n int) []byte {
	begin := random.IntN(len(noise()) - n)
	return noise()[begin : begin+n]
}

// Small calls need not wait for large ones to end.
func TestPolyglotStaysResponsive(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		const callers, each = 4, 3
		data := randomBytes(rand.New(rand.NewPCG(2, 0)), 8<<20)
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				for range each {
					var reply []byte
					if !assert.NoError(t, c.Call("Child.Echo", data, &reply)) || !assert.True(t, bytes.Equal(data, reply)) {
						return
					}
				}
			})
		}
		large := make(chan struct{})
		go func() {
			wg.Wait()
			close(large)
		}()
		small := 0
		for ended := false; !ended; small++ {
			c.works(t)
			select {
			case <-large:
				ended = true
			default:
			}
		}
		// If each of them had to wait for one of the large, there would be about as many.
		require.Greater(t, small, 2*callers*each)
	})
}

// Notifications are handled in order on both sides, however long they are.
func TestPolyglotNotifications(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		random := rand.New(rand.NewPCG(3, 0))
		var words []string
		for i := range 500 {
			word := fmt.Sprintf("WORD %d", i)
			if i%10 == 0 {
				word += strings.Repeat("X", random.IntN(200<<10))
			}
			words = append(words, word)
			require.NoError(t, c.Notify(t.Context(), "Child.Tell", strings.ToLower(word)))
		}
		c.hears(t, words...)
	})
}

func TestPolyglotCancel(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.CallContext(ctx, "Child.Wait", nil, nil) }()
		c.hears(t, "waiting")
		select {
		case err := <-ended:
			t.Fatalf("the call ended with %v", err)
		default:
		}
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		c.hears(t, "stopped")
		c.works(t)

		var outcome string
		require.NoError(t, c.Call("Child.Hurry", nil, &outcome))
		require.Equal(t, "gave up", outcome)
		require.ErrorIs(t, <-c.stopped, context.Canceled)
		c.works(t)
	})
}

// Calls, and those that the child makes for them, are cancelled in all stages.
func TestPolyglotCancelAnywhere(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		const callers, each = 16, 25
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(4, uint64(i)))
				for range each {
					data := randomBytes(random, random.IntN(300<<10))
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(int(30*time.Millisecond))))
					var reply []byte
					err := c.CallContext(ctx, "Child.Relay", data, &reply)
					cancel()
					if err == nil {
						assert.True(t, bytes.Equal(data, reply))
					} else if !assert.ErrorIs(t, err, context.DeadlineExceeded) {
						return
					}
				}
			})
		}
		wg.Wait()
		c.works(t)
	})
}

func TestPolyglotKilled(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		call := c.Go("Child.Wait", nil, nil, nil)
		c.hears(t, "waiting")
		child, err := os.FindProcess(c.Process().Pid())
		require.NoError(t, err)
		require.NoError(t, child.Kill())
		<-call.Done
		var exit *procspawn.Exit
		require.ErrorAs(t, call.Error, &exit)
		require.Equal(t, os.Kill, exit.Signal)
	})
}

// The parent closes the link while it is used.
func TestPolyglotClose(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		waiting := c.Go("Child.Wait", nil, nil, nil)
		c.hears(t, "waiting")
		echo := c.Go("Child.Relay", make([]byte, 8<<20), new([]byte), nil)
		require.NoError(t, c.Close())
		require.ErrorIs(t, (<-waiting.Done).Error, rpc.ErrShutdown)
		require.ErrorIs(t, (<-echo.Done).Error, rpc.ErrShutdown)
		require.NoError(t, c.Wait())
		exit := c.Process().Exit()
		require.Equal(t, 0, exit.Code)
		require.Equal(t, procspawn.StepCloseLink, exit.Step)
	})
}

// The child closes the link, while its own call and ours are pending.
func TestPolyglotChildCloses(t *testing.T) {
	inEachLanguage(t, func(t *testing.T, c *polyglotChild) {
		waiting := c.Go("Child.Wait", nil, nil, nil)
		c.hears(t, "waiting")
		if err := c.Notify(t.Context(), "Child.Leave", nil); err != nil {
			// It has left before this side knew that all was written.
			require.ErrorIs(t, err, rpc.ErrShutdown)
		}
		require.ErrorIs(t, (<-waiting.Done).Error, rpc.ErrShutdown)
		require.NoError(t, c.Wait())
		require.Equal(t, 0, c.Process().Exit().Code)
	})
}
