package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
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

// The raw helper has the child's ends but no library: it does what its
// arguments say.
var _ = helper("raw", func(args []string) {
	child.pipe.Unwatch()
	r, w := child.pipe, sentinel.Write
	for _, arg := range args {
		what, with, _ := strings.Cut(arg, "=")
		switch what {
		case "say":
			fmt.Fprintln(os.Stderr, with)
		case "half": // a hello
			io.WriteString(w, helloMagic[:4])
		case "write":
			io.WriteString(w, with)
		case "hello": // of versions 2 to 3
			w.Write(rawHello(2, 3, helloPairs()...))
		case "good":
			h := newHello(nil)
			w.Write(h.append(nil))
		case "await": // the parent's hello
			h, err := readHello(r, nil)
			fmt.Fprintln(os.Stderr, "heard", h.MinVersion, h.MaxVersion, err)
		case "echo":
			io.Copy(w, r)
		case "close":
			r.Close()
		case "exit":
			var code int
			fmt.Sscan(with, &code)
			os.Exit(code)
		case "panic":
			panic(with)
		case "kill":
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		case "hang":
			select {}
		}
	}
})

type badStart struct {
	name  string
	cmd   func() *exec.Cmd
	opts  *Options
	ctx   func() (context.Context, context.CancelFunc)
	limit time.Duration // the longest it may take
	want  []string      // parts of the error
	not   []string
	is    error
	exit  func(*testing.T, *Exit) // nil: nothing was started
	unix  bool                    // not on Windows
}

func shortly() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 200*time.Millisecond)
}

func badStarts(t *testing.T) []badStart {
	raw := func(args ...string) func() *exec.Cmd {
		return func() *exec.Cmd { return selfCmd("raw", args...) }
	}
	noExec := "no-such-program"
	if runtime.GOOS != "windows" { // what cannot be run is not found there
		noExec = filepath.Join(t.TempDir(), "data")
		require.NoError(t, os.WriteFile(noExec, []byte("#!/bin/sh\n"), 0o644))
	}
	code := func(code int, step Step) func(*testing.T, *Exit) {
		return func(t *testing.T, e *Exit) {
			assert.Equal(t, code, e.Code)
			assert.Nil(t, e.Signal)
			assert.Equal(t, step, e.Step)
		}
	}
	killed := func(step Step) func(*testing.T, *Exit) {
		return func(t *testing.T, e *Exit) {
			assert.Equal(t, -1, e.Code)
			assert.Equal(t, os.Kill, e.Signal)
			assert.Equal(t, step, e.Step)
		}
	}
	branch := []string{"the program started itself", "rpcpipe.IsChild()", "TestMain"}
	const soon = 300 * time.Millisecond
	limit := &Options{HandshakeTimeout: 200 * time.Millisecond}
	return []badStart{
		{name: "not found", cmd: func() *exec.Cmd { return exec.Command("no-such-program-anywhere") },
			want: []string{`"no-such-program-anywhere"`}, is: exec.ErrNotFound},
		{name: "no such file", unix: true, cmd: func() *exec.Cmd { return exec.Command("/no/such/file") },
			want: []string{"/no/such/file"}, is: fs.ErrNotExist},
		{name: "not executable", unix: true, cmd: func() *exec.Cmd { return exec.Command(noExec) },
			want: []string{noExec}, is: fs.ErrPermission},
		{name: "no such directory", cmd: func() *exec.Cmd { c := selfCmd("echo"); c.Dir = "/no/such/dir"; return c },
			want: []string{"/no/such/dir"}, is: fs.ErrNotExist},
		{name: "Cmd.Err", cmd: func() *exec.Cmd { c := selfCmd("echo"); c.Err = exec.ErrDot; return c },
			is: exec.ErrDot},
		{name: "NUL in an argument", cmd: func() *exec.Cmd { return selfCmd("echo", "a\x00b") },
			want: []string{"invalid argument"}},
		{name: "no command", cmd: func() *exec.Cmd { return new(exec.Cmd) }, want: []string{"no command"}},
		{name: "Here twice", cmd: func() *exec.Cmd { return selfCmd("echo", Here, Here) },
			want: []string{"Here stands among the arguments twice"}},
		{name: "Here within an argument", cmd: func() *exec.Cmd { return exec.Command("sh", "-c", "exec prog "+Here) },
			want: []string{"Here is a part of Args[2]: it must be an argument of its own"}},
		{name: "no Here behind env", unix: true, cmd: func() *exec.Cmd { return exec.Command("env", "A=1", "prog") },
			want: []string{"put procspawn.Here where the arguments of the child itself begin"}, exit: code(127, StepNone)},
		{name: "no Here, nothing said", unix: true, cmd: func() *exec.Cmd { return exec.Command("true") },
			want: []string{"exit status 0", "is it a viaduct program that calls rpcpipe.Connect?"}, exit: code(0, StepNone)},
		{name: "look-alike before Here", cmd: func() *exec.Cmd { return exec.Command("env", "viaduct.1", "fd:5,6", Here) },
			want: []string{`"viaduct.1" "fd:5,6" before Here`}},
		{name: "context over", cmd: raw("hang"),
			ctx: func() (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				return ctx, cancel
			}, is: context.Canceled, want: []string{"nothing was started"}},
		{name: "command's context over", cmd: func() *exec.Cmd {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			self := selfCmd("echo")
			return exec.CommandContext(ctx, self.Path, self.Args[1:]...)
		}, is: context.Canceled},

		{name: "exits at once", cmd: raw("say=cannot open database", "exit=3"), limit: soon,
			want: append(branch, "exited before its hello: exit status 3; stderr: cannot open database"), exit: code(3, StepNone)},
		{name: "exits at once with 0", cmd: raw(), limit: soon,
			want: append(branch, "exited before its hello: exit status 0"), exit: code(0, StepNone)},
		{name: "kills itself", cmd: raw("kill"), limit: soon,
			want: []string{"before its hello"}, exit: assertKilled},
		{name: "panics", cmd: raw("panic=help"), limit: soon,
			want: []string{"exit status 2; crash: panic: help"}, exit: code(2, StepNone)},
		{name: "closes the link, then exits", cmd: raw("close", "say=bye", "exit=4"), limit: soon,
			want: []string{"exited before its hello: exit status 4; stderr: bye"}, exit: code(4, StepNone)},
		{name: "closes the link and lives on", cmd: raw("close", "say=here I am", "hang"), limit: 2 * time.Second,
			want: append(branch, "before a hello came", "lived on", "signal: killed (stopped by: kill); stderr: here I am"), exit: killed(StepKill)},
		{name: "never says hello", cmd: raw("say=thinking", "hang"), opts: &Options{HandshakeTimeout: time.Second}, limit: 1500 * time.Millisecond,
			want: append(branch, "no hello from child", "within 1s: is it a viaduct program that calls rpcpipe.Connect?", "signal: killed (stopped by: kill); stderr: thinking"),
			is:   context.DeadlineExceeded, exit: killed(StepKill)},
		{name: "never says hello before the context ends", cmd: raw("hang"), ctx: shortly, limit: 800 * time.Millisecond,
			want: append(branch, "no hello from child", "before the context ended: context deadline exceeded"),
			is:   context.DeadlineExceeded, exit: killed(StepKill)},
		{name: "another program", unix: true, cmd: func() *exec.Cmd { return exec.Command("sh", "-c", "echo hi; exec sleep 60", Here) }, opts: limit,
			limit: 800 * time.Millisecond, want: []string{"no hello from child", "within 200ms"}, not: branch[:1],
			is: context.DeadlineExceeded, exit: killed(StepKill)},
		{name: "another program that does not know the words", unix: true, cmd: func() *exec.Cmd { return exec.Command("sleep", "60") }, limit: soon,
			want: []string{"exited before its hello: exit status 1; stderr: "}, not: branch[:1], exit: code(1, StepNone)},
		{name: "says half a hello and exits", cmd: raw("half", "exit=3"), limit: soon,
			want: []string{"hello ends after 4 of the 16 bytes of its head: ", "exit status 3"}, exit: code(3, StepNone)},
		{name: "says half a hello and hangs", cmd: raw("half", "hang"), opts: limit, limit: 800 * time.Millisecond,
			want: []string{"no hello from child"}, is: context.DeadlineExceeded, exit: killed(StepKill)},
		{name: "says something else", cmd: raw("write=Hello, world!", "hang"), limit: 2 * time.Second,
			want: []string{`"Hello, world!"`, `"\xf1VIADUCT" was expected`, "signal: killed (stopped by: kill)"}, not: branch[:1], exit: killed(StepKill)},
		{name: "other version, says so", cmd: raw("hello", "await", "exit=7"), limit: 2 * time.Second,
			want: []string{"versions 2 to 3, this side 1 to 1", "exit status 7", "stderr: heard 1 1 <nil>"}, not: branch[:1],
			exit: func(t *testing.T, e *Exit) { assert.Equal(t, 7, e.Code) }},
		{name: "other version, lives on", cmd: raw("hello", "hang"), limit: 2 * time.Second,
			want: []string{"versions 2 to 3, this side 1 to 1", "signal: killed"}, exit: killed(StepKill)},
		{name: "sends our hello back", cmd: raw("echo"), limit: 2 * time.Second,
			want: []string{"our own hello came back"}, exit: func(*testing.T, *Exit) {}},
	}
}

func TestBadStarts(t *testing.T) {
	for _, tt := range badStarts(t) {
		t.Run(tt.name, func(t *testing.T) {
			if tt.unix {
				onlyUnix(t, "another program, or another error")
			}
			noLeaks(t)
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if tt.ctx != nil {
				ctx, cancel = tt.ctx()
			}
			defer cancel()
			if tt.limit == 0 {
				tt.limit = 300 * time.Millisecond
			}
			var err error
			within(t, tt.limit, "Start", func() {
				var p *Process
				p, err = Start(ctx, tt.cmd(), tt.opts)
				assert.Nil(t, p)
			})
			require.Error(t, err)
			for _, want := range tt.want {
				assert.ErrorContains(t, err, want)
			}
			for _, not := range tt.not {
				assert.NotContains(t, err.Error(), not)
			}
			assert.NotContains(t, err.Error(), "\n")
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			var exit *Exit
			if !errors.As(err, &exit) {
				assert.Nil(t, tt.exit, "no Exit in the error")
				return
			}
			require.NotNil(t, tt.exit, "an Exit in the error")
			tt.exit(t, exit)
			assert.Contains(t, err.Error(), fmt.Sprintf("child %d", exit.Pid))
			var start *StartError
			require.ErrorAs(t, err, &start)
			assert.Equal(t, exit.Pid, start.Exit.Pid)
		})
	}
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

// A test binary that starts itself and has no branch for the child runs its
// tests again, this one among them.
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
	noLeaks(t)
	p := startChild(t, selfCmd("tree", "early"), nil)
	echo(t, p, "moo")
	exit := p.Stop()
	assert.Equal(t, "before: true\n", string(exit.Stderr))
}

// The files helper sends the names of what it has open, and waits. By itself it
// prints them: those that every process here inherits.
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
			// What the process that runs the tests has left open reaches all of them, but that Go's fork may put something else in its place.
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

// The extra helper reads its descriptors 3 and 5; the runtime may use 4, which
// nobody has passed.
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

// TestRefusedStartClosesPipes: those that the caller has made by the Cmd's own methods.
func TestRefusedStartClosesPipes(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, start := range map[string]func(*exec.Cmd) error{
		"options": func(c *exec.Cmd) error { _, err := Start(t.Context(), c, &Options{Env: []string{"="}}); return err },
		"versions": func(c *exec.Cmd) error {
			_, err := Start(t.Context(), c, &Options{MinVersion: "2", MaxVersion: "1"})
			return err
		},
		"context":     func(c *exec.Cmd) error { _, err := Start(over, c, nil); return err },
		"standard io": func(c *exec.Cmd) error { _, err := Start(t.Context(), c, &Options{Stdio: true}); return err },
		"directory":   func(c *exec.Cmd) error { c.Dir = "/no/such"; _, err := Start(t.Context(), c, nil); return err },
		"program":     func(c *exec.Cmd) error { c.Path = "/no/such"; _, err := Start(t.Context(), c, nil); return err },
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			cmd := selfCmd("echo")
			_, err := cmd.StderrPipe()
			require.NoError(t, err)
			_, err = cmd.StdinPipe()
			require.NoError(t, err)
			require.Error(t, start(cmd))
			require.NoError(t, cmd.Err)
		})
	}
}
