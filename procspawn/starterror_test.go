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
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// The raw helper has the child's ends but no library: it does what its arguments say.
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
		{name: "killed by another", unix: true, cmd: raw("kill"), limit: soon, want: []string{"ended before its hello: signal: killed"}, not: branch, exit: killed(StepNone)},
		{name: "exits at once with 0", cmd: raw(), limit: soon,
			want: append(branch, "exited before its hello: exit status 0"), exit: code(0, StepNone)},
		{name: "does not connect for a reason of its own", cmd: raw("say=rpcpipe: tap: /no/such/file: permission denied", "exit=1"), limit: soon,
			want: []string{"exit status 1; stderr: rpcpipe: tap: "}, not: branch, exit: code(1, StepNone)},
		{name: "starts a child in its turn", cmd: raw("say="+ErrUnconnected.Error(), "exit=1"), limit: soon,
			want: branch, exit: code(1, StepNone)},
		{name: "kills itself", cmd: raw("kill"), limit: soon,
			want: []string{"before its hello"}, exit: assertKilled},
		{name: "panics", cmd: raw("panic=help"), limit: soon,
			want: []string{"exit status 2; crash: panic: help"}, exit: code(2, StepNone)},
		{name: "closes the link, then exits", cmd: raw("close", "say=bye", "exit=4"), limit: soon,
			want: []string{"exited before its hello: exit status 4; stderr: bye"}, exit: code(4, StepNone)},
		{name: "closes the link and lives on", cmd: raw("close", "say=here I am", "hang"), limit: 2 * time.Second,
			want: append(branch, "before a hello came", "lived on", "signal: killed (stopped by: kill); stderr: here I am"), exit: killed(StepKill)},
		{name: "never says hello", cmd: raw("say=thinking", "hang"), opts: &Options{HandshakeTimeout: time.Second}, limit: 3 * time.Second,
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
	noLeaks(t)
	for _, tt := range badStarts(t) {
		t.Run(tt.name, func(t *testing.T) {
			if tt.unix {
				onlyUnix(t, "another program, or another error")
			}
			if tt.limit >= 800*time.Millisecond { // it waits, nearly all of its time
				t.Parallel()
			} else {
				noLeaks(t)
			}
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
