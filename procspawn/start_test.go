package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

func TestNotAChild(t *testing.T) {
	assert.False(t, IsChild())
	_, err := Inherited(context.Background(), nil)
	assert.ErrorIs(t, err, ErrNotChild)
}

func TestStart(t *testing.T) {
	noLeaks(t)
	p, err := Start(context.Background(), selfCmd("echo"), &Options{hello: handles.Hello{MaxMessage: 4321}})
	require.NoError(t, err)
	l := p.Link()
	assert.Equal(t, 1, l.Version())
	assert.Equal(t, p.Pid(), l.Remote().Pid)
	assert.Equal(t, "go", l.Remote().Lang)
	assert.EqualValues(t, handles.DefaultMaxMessage, l.Remote().MaxMessage)
	echo(t, p, "moo")
	assert.Nil(t, p.Exit())
	select {
	case <-p.Done():
		t.Error("done before the end")
	default:
	}

	exit := p.Stop()
	assert.Same(t, exit, p.Exit())
	<-p.Done()
	assert.Equal(t, p.Pid(), exit.Pid)
	assert.Equal(t, 0, exit.Code)
	assert.Nil(t, exit.Signal)
	assert.False(t, exit.Parent)
	assert.Equal(t, StepCloseLink, exit.Step)
	assert.Positive(t, exit.Lifetime)
	assert.True(t, exit.StderrCaptured)
	assert.Equal(t, fmt.Sprintf("echo: parent %d is gone\n", os.Getpid()), string(exit.Stderr))
	assert.Equal(t, fmt.Sprintf("child %d exited: exit status 0 (stopped by: close link); stderr: echo: parent %d is gone", p.Pid(), os.Getpid()), exit.Error())
	assert.Same(t, exit, p.Stop())
}

func TestStartTwice(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	p := startChild(t, cmd, nil)
	_, err := Start(context.Background(), cmd, nil)
	assert.ErrorContains(t, err, "already started")
	echo(t, p, "still there")
	p.Stop()
}

// A test binary that starts itself and has no branch for the child runs its tests again, this one
// among them.
func TestStartsItselfWithoutBranch(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("") // for its words in front
	cmd.Args[len(cmd.Args)-1] = "-test.run=^TestStartsItselfWithoutBranch$"
	_, err := Start(context.Background(), cmd, nil)
	if IsChild() {
		require.ErrorIs(t, err, ErrUnconnected)
		t.Fatal(err)
	}
	require.ErrorContains(t, err, "exited before its hello: exit status 1")
	var exit *Exit
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.Code)
}

// The tree helper starts itself, as a child that has connected may.
var _ = helper("tree", func(args []string) {
	if len(args) > 0 {
		_, err := Start(context.Background(), selfCmd("echo"), nil)
		fmt.Fprintln(os.Stderr, "before:", errors.Is(err, ErrUnconnected))
	}
	l := connect(nil)
	p, err := Start(context.Background(), selfCmd("echo"), nil)
	must(err)
	go io.Copy(p.Link(), l)
	io.Copy(l, p.Link())
	p.Stop()
})

func TestChildStartsChildren(t *testing.T) {
	waits(t)
	p := startChild(t, selfCmd("tree", "early"), nil)
	echo(t, p, "moo")
	exit := p.Stop()
	assert.Equal(t, "before: true\n", string(exit.Stderr))
}

// The files helper sends the names of what it has open, and waits. By itself it prints them: those
// that every process here inherits.
var _ = helper("files", func(args []string) {
	if !IsChild() {
		fmt.Printf("%q\n", openFiles())
		return
	}
	l := connect(nil)
	if len(args) > 0 { // those of a grandchild
		out, err := exec.Command(os.Args[0], "helper:files").Output()
		must(err)
		l.Write(out)
	} else {
		fmt.Fprintf(l, "%q\n", openFiles())
	}
	io.Copy(io.Discard, l)
})

// pipesIn counts the pipes in what a files helper has sent or printed.
func pipesIn(files []byte) int { return strings.Count(string(files), "pipe:") }

// Children started at the same time get their own two ends and nobody else's.
func TestManyAtOnce(t *testing.T) {
	noLeaks(t)
	out, err := exec.Command(os.Args[0], "helper:files").Output()
	require.NoError(t, err)
	inherited := pipesIn(out)
	n := manyChildren
	if runtime.GOOS == "windows" {
		n = 20 // all programs of Wine share one server
	}
	ps := make([]*Process, n)
	counts := map[string]int{} // how many of them have a pipe, by its name
	var wg sync.WaitGroup
	for i := range ps {
		wg.Go(func() {
			var err error
			if ps[i], err = Start(context.Background(), selfCmd("files"), &Options{HandshakeTimeout: time.Minute}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, p := range ps {
		if p == nil {
			continue
		}
		buf := make([]byte, 64<<10)
		n, err := p.Link().Read(buf)
		if assert.NoError(t, err) && openFiles() != nil {
			if runtime.GOOS == "windows" { // names are those of each process
				assert.Equal(t, inherited+3, pipesIn(buf[:n]), "%s", buf[:n])
			}
			for _, pipe := range pipeNames.FindAllString(string(buf[:n]), -1) {
				counts[pipe]++
			}
		}
		wg.Go(func() { p.Stop() })
	}
	wg.Wait()
	own := 0
	for pipe, n := range counts {
		if n == 1 {
			own++
		} else if runtime.GOOS != "windows" {
			// What the process that runs the tests has left open reaches all of them, but that Go's
			// fork may put something else in its place.
			assert.Contains(t, string(out), pipe, "%d of the children have it", n)
		}
	}
	if runtime.GOOS != "windows" && openFiles() != nil {
		assert.Equal(t, 3*n, own) // the link's two, and that for crash output
	}
}

// pipeNames finds the names of pipes in what a files helper has sent or printed.
var pipeNames = regexp.MustCompile(`pipe:\[[0-9]+\]`)

func TestGrandchildGetsNothing(t *testing.T) {
	if openFiles() == nil {
		t.Skip("no /proc")
	}
	noLeaks(t)
	inherited, err := exec.Command(os.Args[0], "helper:files").Output()
	require.NoError(t, err)
	p := startChild(t, selfCmd("files", "grandchild"), nil)
	buf := make([]byte, 64<<10)
	n, err := p.Link().Read(buf)
	require.NoError(t, err)
	assert.Equal(t, pipesIn(inherited), pipesIn(buf[:n]), "%s", buf[:n])
	p.Stop()
}

// The extra helper reads its descriptors 3 and 5; the runtime may use 4, which nobody has passed.
var _ = helper("extra", func(args []string) {
	l := connect(nil)
	for _, fd := range []uintptr{3, 5} {
		b, err := io.ReadAll(os.NewFile(fd, "extra"))
		fmt.Fprintln(l, fd, string(b), err)
	}
	l.Close()
})

func TestExtraFilesKeepTheirNumbers(t *testing.T) {
	onlyUnix(t, "no extra files")
	noLeaks(t)
	cmd := selfCmd("extra")
	for _, text := range []string{"three", "", "five"} {
		if text == "" {
			cmd.ExtraFiles = append(cmd.ExtraFiles, nil)
			continue
		}
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		io.WriteString(w, text)
		w.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, r)
	}
	p := startChild(t, cmd, nil)
	b, err := readLink(p.Link())
	require.Error(t, err)
	assert.Equal(t, "3 three <nil>\n5 five <nil>\n", string(b))
	p.Stop()
}
