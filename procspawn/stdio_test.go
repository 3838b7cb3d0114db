package procspawn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// The print helper writes its arguments, "1text" to stdout and "2text" to stderr, and then as much
// to stderr as the number in "flood=", to stdout as in "fill=".
var _ = helper("print", func(args []string) {
	connect(nil)
	for _, arg := range args {
		var n int
		if _, err := fmt.Sscanf(arg, "flood=%d", &n); err == nil {
			flood(n)
			continue
		}
		if _, err := fmt.Sscanf(arg, "fill=%d", &n); err == nil {
			os.Stdout.Write(floodBytes(n))
			continue
		}
		out := os.Stdout
		if arg[0] == '2' {
			out = os.Stderr
		}
		io.WriteString(out, arg[1:])
	}
})

// flood writes n bytes, numbered so that a gap shows, in one line.
func flood(n int) { os.Stderr.Write(floodBytes(n)) }

func floodBytes(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%07d,", i)
	}
	return b.Bytes()[:n]
}

// runPrint starts cmd, a print helper, and returns how it ended.
func runPrint(t *testing.T, cmd *exec.Cmd) *Exit {
	t.Helper()
	p := startChild(t, cmd, nil)
	<-p.Done()
	exit := p.Exit()
	require.Equal(t, 0, exit.Code, "%v", exit)
	p.Stop()
	return exit
}

func TestStderrIsCaptured(t *testing.T) {
	noLeaks(t)
	exit := runPrint(t, selfCmd("print", "2one\n", "1not this\n", "2two"))
	assert.True(t, exit.StderrCaptured)
	assert.Equal(t, "one\ntwo", string(exit.Stderr))
}

// TestStdoutIsCaptured: as nobody takes it, it is drained and its end kept.
func TestStdoutIsCaptured(t *testing.T) {
	noLeaks(t)
	exit := runPrint(t, selfCmd("print", "1one\n", "2not this\n", "1two"))
	assert.True(t, exit.StdoutCaptured)
	assert.Equal(t, "one\ntwo", string(exit.Stdout))
	exit = runPrint(t, selfCmd("print", "1x", "fill=100000"))
	assert.Len(t, exit.Stdout, capture.TailSize)

	cmd := selfCmd("print", "1one")
	cmd.Stdout = io.Discard
	exit = runPrint(t, cmd)
	assert.False(t, exit.StdoutCaptured)
	assert.Nil(t, exit.Stdout)
}

func TestStderrTail(t *testing.T) {
	noLeaks(t)
	for _, n := range []int{capture.TailSize - 1, capture.TailSize, capture.TailSize + 1, 1 << 20} {
		exit := runPrint(t, selfCmd("print", fmt.Sprintf("flood=%d", n)))
		want := floodBytes(n)
		assert.True(t, bytes.Equal(want[max(0, n-capture.TailSize):], exit.Stderr), "of %d bytes", n)
		assert.Less(t, len(exit.Error()), 500)
	}
}

func TestStderrWriter(t *testing.T) {
	noLeaks(t)
	var buf bytes.Buffer
	cmd := selfCmd("print", "flood=200000")
	cmd.Stderr = &buf
	exit := runPrint(t, cmd)
	assert.True(t, exit.StderrCaptured)
	assert.True(t, bytes.Equal(floodBytes(200000), buf.Bytes()))
	assert.True(t, bytes.Equal(floodBytes(200000)[200000-capture.TailSize:], exit.Stderr))
}

type failingWriter struct{ calls int }

func (w *failingWriter) Write(p []byte) (int, error) { w.calls++; return 0, errors.New("full") }

func TestStderrWriterFails(t *testing.T) {
	noLeaks(t)
	var w failingWriter
	cmd := selfCmd("print", "flood=200000")
	cmd.Stderr = &w
	exit := runPrint(t, cmd)
	assert.Equal(t, 1, w.calls)
	assert.True(t, bytes.Equal(floodBytes(200000)[200000-capture.TailSize:], exit.Stderr))
}

func TestStderrFile(t *testing.T) {
	noLeaks(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := selfCmd("print", "2for the file")
	cmd.Stderr = w
	exit := runPrint(t, cmd)
	w.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "for the file", string(b))
	assert.False(t, exit.StderrCaptured)
	assert.Empty(t, exit.Stderr)
}

// One writer for both is called by one goroutine at a time, in the child's order.
func TestStdoutAndStderrInOneWriter(t *testing.T) {
	noLeaks(t)
	var buf bytes.Buffer
	cmd := selfCmd("print", "1a", "2b", "1c", "2d")
	cmd.Stdout, cmd.Stderr = &buf, &buf
	runPrint(t, cmd)
	assert.Equal(t, "abcd", buf.String())
}

// funcWriter cannot be compared.
type funcWriter func([]byte) (int, error)

func (f funcWriter) Write(p []byte) (int, error) { return f(p) }

func TestStdoutWriter(t *testing.T) {
	noLeaks(t)
	var mu sync.Mutex
	var buf bytes.Buffer
	w := funcWriter(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return buf.Write(p)
	})
	cmd := selfCmd("print", "1out", "2err")
	cmd.Stdout, cmd.Stderr = w, w
	exit := runPrint(t, cmd)
	assert.Len(t, buf.String(), 6)
	assert.Equal(t, "err", string(exit.Stderr))

	var out bytes.Buffer
	cmd = selfCmd("print", "1out", "2err")
	cmd.Stdout = &out
	exit = runPrint(t, cmd)
	assert.Equal(t, "out", out.String())
	assert.Equal(t, "err", string(exit.Stderr))
}

// TestSlowWriter: the report has what was said last, though the caller's writer is still at what
// was said before; that gets all of it, in the time that it has.
func TestSlowWriter(t *testing.T) {
	waits(t)
	// With a delay of its own the writer takes longer than it may without.
	for _, d := range []time.Duration{0, 10 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			entered, release := make(chan struct{}, 100), make(chan struct{})
			var got strings.Builder
			cmd := selfCmd("print", "2one,", "flood=80000", "2two")
			cmd.WaitDelay = d
			cmd.Stderr = funcWriter(func(p []byte) (int, error) {
				entered <- struct{}{}
				<-release
				return got.Write(p)
			})
			p := startChild(t, cmd, nil)
			<-entered
			<-p.exited
			var exit *Exit
			within(t, time.Second, "the report", func() {
				_, err := readEnd(p)
				require.ErrorAs(t, err, &exit)
			})
			assert.Len(t, exit.Stderr, capture.TailSize)
			assert.True(t, strings.HasSuffix(string(exit.Stderr), ",two"), "%q", exit.Stderr[len(exit.Stderr)-20:])
			if d > 0 {
				within(t, 5*time.Second, "more than a second", func() { <-time.After(time.Second + 100*time.Millisecond) })
			}
			close(release)
			<-p.Done()
			assert.Equal(t, "one,"+string(floodBytes(80_000))+"two", got.String())
		})
	}
}

// A writer that blocks holds up neither the report nor, for long, Done.
func TestStderrWriterBlocks(t *testing.T) {
	waits(t)
	release := make(chan struct{})
	entered := make(chan struct{}, 100)
	cmd := selfCmd("print", "2one")
	cmd.Stderr = funcWriter(func(p []byte) (int, error) {
		entered <- struct{}{}
		<-release
		return len(p), nil
	})
	p := startChild(t, cmd, nil)
	var exit *Exit
	<-entered
	within(t, 300*time.Millisecond, "the report", func() {
		_, err := readEnd(p)
		errors.As(err, &exit)
	})
	require.NotNil(t, exit)
	assert.Equal(t, "one", string(exit.Stderr))
	within(t, 2*time.Second, "Stop", func() { p.Stop() })
	close(release)
	assert.Empty(t, entered, "called again after Done")
}

var _ = helper("cat", func([]string) {
	l := connect(nil)
	io.Copy(l, os.Stdin)
	l.Close()
})

func TestStdinReader(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("cat")
	text := strings.Repeat("moo", 100_000)
	cmd.Stdin = strings.NewReader(text)
	p := startChild(t, cmd, nil)
	b, _ := readLink(p.Link())
	assert.Equal(t, text, string(b))
	p.Stop()
}

// A child that does not read its stdin, and a reader that never ends.
func TestStdinReaderIsNotWaitedFor(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	cmd.Stdin = strings.NewReader(strings.Repeat("moo", 1_000_000))
	p := startChild(t, cmd, nil)
	within(t, 300*time.Millisecond, "Stop", func() { p.Stop() })

	r, w := io.Pipe()
	cmd = selfCmd("echo")
	cmd.Stdin = r
	p = startChild(t, cmd, nil)
	within(t, 300*time.Millisecond, "Stop", func() { p.Stop() })
	w.Close()
}
