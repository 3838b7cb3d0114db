package viaduct_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
)

// The service of Go's own tests of net/rpc.

type Args struct{ A, B int }

type Reply struct{ C int }

type Arith struct{}

func (Arith) Add(args Args, reply *Reply) error {
	reply.C = args.A + args.B
	return nil
}

func (Arith) Mul(args *Args, reply *Reply) error {
	reply.C = args.A * args.B
	return nil
}

func (Arith) Div(args Args, reply *Reply) error {
	if args.B == 0 {
		return errors.New("divide by zero")
	}
	reply.C = args.A / args.B
	return nil
}

func (Arith) String(args *Args, reply *string) error {
	*reply = fmt.Sprintf("%d+%d=%d", args.A, args.B, args.A+args.B)
	return nil
}

func (Arith) Scan(args string, reply *Reply) error {
	_, err := fmt.Sscan(args, &reply.C)
	return err
}

// Raw is for bytes as they are.
type Raw struct{}

func (Raw) Echo(args []byte, reply *[]byte) error {
	*reply = args
	return nil
}

func (Raw) Sized(n int, reply *[]byte) error {
	*reply = make([]byte, n)
	return nil
}

// Bad does what a service should not.
type Bad struct{}

type Unencodable struct{ C chan int }

func (Bad) Reply(_ int, reply *Unencodable) error { reply.C = make(chan int); return nil }
func (Bad) Goexit(_ int, _ *int) error            { runtime.Goexit(); return nil }
func (Bad) NoText(_ int, _ *int) error            { return errors.New("") }

// Hook is a service of one method that a test provides.
type Hook struct {
	do func(arg string) (string, error)
}

func (h *Hook) Do(arg string, reply *string) (err error) {
	*reply, err = h.do(arg)
	return err
}

// hooks are services by name.
type hooks map[string]func(arg string) (string, error)

// newServer returns a server of everything above.
func newServer(h hooks) *rpc.Server {
	s := rpc.NewServer()
	for _, service := range []any{Arith{}, Raw{}, Bad{}} {
		if err := s.Register(service); err != nil {
			panic(err)
		}
	}
	for name, do := range h {
		if err := s.RegisterName(name, &Hook{do}); err != nil {
			panic(err)
		}
	}
	return s
}

// conns are the kinds of connection that everything must work on, each with
// the two ends of one.
var conns = []struct {
	name string
	make func(t testing.TB) (x, y io.ReadWriteCloser)
}{
	{"net.Pipe", func(testing.TB) (x, y io.ReadWriteCloser) { return net.Pipe() }},
	{"TCP", tcpPair},
	{"os.Pipe", func(t testing.TB) (x, y io.ReadWriteCloser) {
		r1, w1, err := os.Pipe()
		require.NoError(t, err)
		r2, w2, err := os.Pipe()
		require.NoError(t, err)
		return &files{r1, w2}, &files{r2, w1}
	}},
}

func tcpPair(t testing.TB) (x, y io.ReadWriteCloser) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	x, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	y, err = l.Accept()
	require.NoError(t, err)
	return x, y
}

// files is one end of two pipes.
type files struct{ r, w *os.File }

func (f *files) Read(p []byte) (int, error)  { return f.r.Read(p) }
func (f *files) Write(p []byte) (int, error) { return f.w.Write(p) }
func (f *files) Close() error                { return errors.Join(f.w.Close(), f.r.Close()) }

// duplexPair returns the two ends of a duplex on x and y.
func duplexPair(t testing.TB, x, y io.ReadWriteCloser, opts *duplex.Options) (a, b *duplex.Conn) {
	a, b = duplex.New(x, opts), duplex.New(y, opts)
	t.Cleanup(func() {
		a.Close()
		b.Close()
		a.Wait()
		b.Wait()
	})
	return a, b
}

// journal is a slog.Handler that remembers.
type journal struct {
	slog.Handler
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newJournal() (*journal, *slog.Logger) {
	j := &journal{changed: make(chan struct{}, 1000)}
	j.Handler = slog.NewTextHandler(j, nil)
	return j, slog.New(j)
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(p)
	select {
	case j.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (j *journal) all() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// waitFor waits until each of want is in the journal.
func (j *journal) waitFor(t testing.TB, want ...string) {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for _, w := range want {
		for !strings.Contains(j.all(), w) {
			select {
			case <-j.changed:
			case <-timeout:
				require.Contains(t, j.all(), w)
			}
		}
	}
}

// ours returns the goroutines that the library or net/rpc has started, by their ids.
func ours() map[string]string {
	list := make(map[string]string)
	buf := make([]byte, 4<<20)
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		id, _, _ := strings.Cut(g, " [")
		for _, pkg := range []string{"github.com/viaduct-go/viaduct.", "github.com/viaduct-go/viaduct/duplex.", "net/rpc.", "sync.(*WaitGroup).Go"} {
			if strings.Contains(g, "created by "+pkg) && !strings.Contains(g, "viaduct_test.") {
				list[id] = g
			}
		}
	}
	return list
}

// noneLeft requires that, at the end of the test, behind all other clean-up
// registered later, nothing runs that the library has started since.
func noneLeft(t testing.TB) {
	before := ours()
	t.Cleanup(func() {
		var left map[string]string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
			left = ours()
			for id := range before {
				delete(left, id)
			}
			if len(left) == 0 {
				return
			}
		}
		for _, g := range left {
			t.Errorf("%d goroutines left, for instance\n%s", len(left), g)
			return
		}
	})
}

// soon is a context for what must not hang.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
