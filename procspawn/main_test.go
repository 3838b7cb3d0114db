package procspawn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
)

// helpers are what this test binary does as a child, each registered beside the test that uses it.
var helpers = map[string]func(args []string){}

func helper(name string, run func(args []string)) struct{} {
	if helpers[name] != nil {
		panic("two helpers called " + name)
	}
	helpers[name] = run
	return struct{}{}
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if name, ok := strings.CutPrefix(os.Args[1], "helper:"); ok {
			helpers[name](os.Args[2:])
			os.Exit(0)
		}
	}
	// Else a child built with the race detector takes a second to exit, and ExitTimeout ends it
	// before it gets there.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	// A shell has what it starts in the background ignore the signal, and all children would.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	testkit.Parallel()
	before := countAll()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() == "" { // what fuzzing starts stays to the end
		for _, left := range before.left() {
			fmt.Fprintln(os.Stderr, "behind all tests:", left)
			code = 1
		}
	}
	os.Exit(code)
}

// selfCmd is a Cmd for a helper. Where test binaries need an emulator, VIADUCT_TEST_EXEC holds its
// words.
func selfCmd(name string, args ...string) *exec.Cmd {
	args = append([]string{"helper:" + name}, args...)
	words := strings.Fields(os.Getenv("VIADUCT_TEST_EXEC"))
	if len(words) == 0 {
		return Self(args...)
	}
	exe, err := os.Executable()
	must(err)
	words = append(words, exe, Here)
	return exec.Command(words[0], append(words[1:], args...)...)
}

// must is for helpers: their parent sees the stderr.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
}

// connect is for helpers.
func connect(opts *Options) *Link {
	l, err := Inherited(context.Background(), opts)
	must(err)
	return l
}

// The echo helper sends back what it gets until the link ends, and says how.
var _ = helper("echo", func([]string) {
	l := connect(nil)
	_, err := io.Copy(l, l)
	fmt.Fprintln(os.Stderr, "echo:", err)
})

// startChild starts cmd, and stops it when the test is over.
func startChild(t testing.TB, cmd *exec.Cmd, opts *Options) *Process {
	t.Helper()
	p, err := Start(context.Background(), cmd, opts)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { p.Stop() })
	return p
}

// echo verifies that p's child answers.
func echo(t testing.TB, p *Process, text string) {
	t.Helper()
	_, err := io.WriteString(p.Link(), text)
	require.NoError(t, err)
	expect(t, p, text)
}

// expect verifies that p's child says text next.
func expect(t testing.TB, p *Process, text string) {
	t.Helper()
	got := make([]byte, len(text))
	_, err := io.ReadFull(p.Link(), got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

// readLink reads from l to its end.
func readLink(l *Link) ([]byte, error) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := l.Read(buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// readEnd is readLink of p's child that exits. On a busy machine the end of the link can come more
// than a grace before that of the process: then the next Read knows.
func readEnd(p *Process) ([]byte, error) {
	busy := watchLoad()
	all, err := readLink(p.Link())
	if load := busy(); err == io.EOF && load > grace {
		<-p.Done()
		_, err = p.Link().Read(make([]byte, 1))
	}
	return all, err
}

func closeAll(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// noLeaks fails a test that leaves goroutines, files or children behind. Call it before anything that
// has a Cleanup of its own.
func noLeaks(t testing.TB) {
	t.Helper()
	before := countAll()
	t.Cleanup(func() {
		for _, left := range before.left() {
			t.Error(left)
		}
	})
}

// waits has a test run beside others, since it waits, nearly all of its time. What they leave behind,
// TestMain looks for.
func waits(t *testing.T) {
	t.Helper()
	t.Parallel()
}

// counts are what this process has.
type counts struct {
	goroutines int
	files      []string
}

func countAll() counts {
	r, w, err := os.Pipe() // makes the poller's descriptors, if they were not there
	must(err)
	closeAll(r, w)
	return counts{runtime.NumGoroutine(), openFiles()}
}

// left says what there is now, and was not there before.
func (before counts) left() (left []string) {
	// What closed a channel as its last act may still be on its way out.
	deadline := time.Now().Add(10 * time.Second)
	for (runtime.NumGoroutine() > before.goroutines || len(openFiles()) > len(before.files)) && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before.goroutines {
		buf := make([]byte, 1<<20)
		left = append(left, fmt.Sprintf("%d goroutines before, %d after:\n%s", before.goroutines, n, buf[:runtime.Stack(buf, true)]))
	}
	if now := openFiles(); len(now) > len(before.files) {
		left = append(left, fmt.Sprintf("open files before: %v\nafter: %v", before.files, now))
	}
	if haveChildren() {
		left = append(left, "a child is left, alive or a zombie")
	}
	return left
}

// within fails the test if f takes longer than d, on a machine with time for us.
func within(t testing.TB, d time.Duration, what string, f func()) {
	t.Helper()
	busy := watchLoad()
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		took := time.Since(start)
		if load := busy(); took > slack(d)+load {
			t.Errorf("%s took %v, at most %v (and %v for the load) was expected", what, took, d, load)
		}
	case <-time.After(d + 20*time.Second):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs:\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// watchLoad measures how late this process gets to run. The function it returns ends that, and says
// how much later than on an idle machine a chain of a few wake-ups may come.
func watchLoad() (stop func() time.Duration) {
	const every = 2 * time.Millisecond
	quit, result := make(chan struct{}), make(chan time.Duration)
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		last, worst := time.Now(), time.Duration(0)
		for {
			select {
			case <-ticker.C:
			case <-quit:
				result <- 8 * worst
				return
			}
			now := time.Now()
			worst = max(worst, now.Sub(last)-2*every)
			last = now
		}
	}()
	return func() time.Duration {
		close(quit)
		return <-result
	}
}
