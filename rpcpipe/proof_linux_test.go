package rpcpipe_test

import (
	"context"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

const (
	failsToStart = iota // Start returns the error
	failsCalls          // a call that is pending fails with it
	works               // calls go on; it is Close that has to end it
)

// failure is one way for a child to fail.
type failure struct {
	child string
	when  int
	want  string         // in the error's text
	exit  syscall.Signal // by which the child ends, in the end; 0: it exits
	as    error          // nil, or a pointer to what the error is

	// Its parent dies: a child that does not look at its link needs to be killed.
	deaf bool
}

var failures = []failure{
	{"exits at once", failsToStart, "exited before its hello: exit status 3", 0, nil, false},
	{"never says hello", failsToStart, "no hello from child", syscall.SIGKILL, context.DeadlineExceeded, true},
	{"ignores SIGTERM", failsToStart, "no hello from child", syscall.SIGKILL, context.DeadlineExceeded, true},
	{"says half a hello", failsToStart, "no hello from child", syscall.SIGKILL, context.DeadlineExceeded, true},
	{"says half a hello and exits", failsToStart, "exit status 4", 0, nil, false},
	{"wrong version", failsToStart, "speaks protocol versions 9 to 9", 0, new(procspawn.VersionError), false},
	{"wrong name", failsToStart, "child is other 1, this host needs app", 0, new(procspawn.AppError), false},
	{"stops before its hello", failsToStart, "no hello from child", syscall.SIGKILL, context.DeadlineExceeded, true},
	{"closes its pipes and lives on", failsToStart, "and the child lived on", syscall.SIGKILL, io.EOF, true},
	{"grandchild holds the pipes", failsToStart, "exited before its hello: exit status 3", 0, nil, false},
	{"floods stdout before its hello", failsToStart, "no hello from child", syscall.SIGKILL, context.DeadlineExceeded, true},
	{"closes its pipes and lives on, behind the hello", failsCalls, "EOF", syscall.SIGTERM, rpc.ErrShutdown, true},
	{"grandchild holds the pipes, behind the hello", failsCalls, "exit status 3", 0, new(procspawn.Exit), false},
	{"hangs", works, "", 0, nil, false},
	{"hangs and ignores SIGTERM", works, "", 0, nil, false},
	{"stops itself", works, "", syscall.SIGTERM, nil, false},
	{"floods stderr", works, "", 0, nil, false},
	{"floods stdout", works, "", 0, nil, false},
	{"prints one line of 10 MiB", works, "", 0, nil, false},
	{"forks a daemon", works, "", 0, nil, false},
}

func init() {
	for _, s := range steps {
		f := failure{"killed " + s.name, failsCalls, "signal: killed", syscall.SIGKILL, new(procspawn.Exit), false}
		if s.hello != -2 {
			f.when = failsToStart
		}
		failures = append(failures, f)
	}
}

// waits reports whether the test of it waits, nearly all of its time.
func (f *failure) waits() bool {
	return f.deaf || strings.HasPrefix(f.child, "hangs")
}

// proofCommand is the command for a child of TestProof, with the file that it reports to.
func proofCommand(child string, state *os.File) *exec.Cmd {
	cmd := procspawn.Self(child)
	if raws[child] != nil {
		// The shell keeps the sentinel from it.
		cmd = exec.Command("sh", "-c", `exec "$0" raw "$1" "$3"`, cmd.Path, child, procspawn.Here)
	}
	cmd.ExtraFiles = []*os.File{state}
	return cmd
}

// TestProof: whatever a child does, nothing hangs, the error says what happened, and nothing is
// left behind.
func TestProof(t *testing.T) {
	watchAll(t)
	for _, f := range failures {
		t.Run(f.child, func(t *testing.T) {
			if f.waits() {
				t.Parallel()
			}
			w := newReports(t)
			begin := time.Now()
			opts := &rpcpipe.Options{HandshakeTimeout: time.Minute, CloseTimeout: 5 * time.Second, TermTimeout: time.Second}
			switch {
			case f.as == context.DeadlineExceeded:
				opts.HandshakeTimeout = 300 * time.Millisecond
				if strings.HasPrefix(f.child, "floods") {
					opts.HandshakeTimeout = slack(time.Second / 2) // to get to it on a busy machine
				}
			case f.child == "wrong name":
				opts.NeedName = "app"
			case f.exit == syscall.SIGTERM, f.child == "hangs and ignores SIGTERM":
				opts.CloseTimeout, opts.TermTimeout = 100*time.Millisecond, 5*time.Second
			}
			p, err := rpcpipe.Start(t.Context(), proofCommand(f.child, w.state), opts)
			w.state.Close()
			if p == nil {
				if !strings.HasSuffix(f.child, "its hello") { // the parent's may have been written before the child was killed
					require.Equal(t, failsToStart, f.when, "%v", err)
				}
				f.check(t, err)
				var start *procspawn.StartError
				require.ErrorAs(t, err, &start)
				f.checkExit(t, start.Exit)
			} else {
				require.NoError(t, err)
				parked := make(chan error, 1)
				go func() { // Go would wait for room to send, which one that is stopped does not give
					err := p.Call("Service.Park", 0, nil)
					if err == nil { // this step is behind a reply
						err = p.Call("Service.Park", 0, nil)
					}
					parked <- err
				}()
				if f.child == "stops itself" {
					awaitStop(t, p.Process().Pid())
				}
				if f.when == works {
					f.work(t, p)
					begin = time.Now() // calls beside a flood take long on one processor
					require.NoError(t, p.Close())
					require.Error(t, <-parked)
				} else {
					f.check(t, <-parked)
				}
				require.NoError(t, p.Close())
				p.Wait()
				f.checkExit(t, p.Process().Exit())
			}
			require.Less(t, time.Since(begin), slack(5*time.Second))
			w.finish(t)
		})
	}
}

// work verifies that the child answers, if it is not stopped.
func (f *failure) work(t *testing.T, p *rpcpipe.Peer) {
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if f.exit == syscall.SIGTERM {
			cancel()
		}
		sum := 0
		err := p.CallContext(ctx, "Service.Add", Args{20, 22}, &sum)
		cancel()
		if f.exit == syscall.SIGTERM {
			require.ErrorIs(t, err, context.Canceled)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 42, sum)
	}
}

func (f *failure) check(t *testing.T, err error) {
	t.Helper()
	require.ErrorContains(t, err, f.want)
	switch as := f.as.(type) {
	case nil:
	case *procspawn.Exit:
		require.ErrorAs(t, err, &as)
		require.Equal(t, f.exit != 0, as.Signal != nil)
	case *procspawn.VersionError:
		require.ErrorAs(t, err, &as)
	case *procspawn.AppError:
		require.ErrorAs(t, err, &as)
	default:
		require.ErrorIs(t, err, f.as)
	}
}

func (f *failure) checkExit(t *testing.T, exit *procspawn.Exit) {
	t.Helper()
	if f.child == "stops itself" { // and being woken, may see the end of its link before the signal
		require.Equal(t, procspawn.StepTerminate, exit.Step)
		return
	}
	var want os.Signal
	if f.exit != 0 {
		want = f.exit
	}
	require.Equal(t, want, exit.Signal, "%v", exit)
	switch f.child {
	case "floods stderr":
		require.Len(t, exit.Stderr, 64<<10)
	case "floods stdout", "floods stdout before its hello":
		require.Len(t, exit.Stdout, 64<<10)
	}
}

// TestProofParentDies: in each of these states the parent is killed.
func TestProofParentDies(t *testing.T) {
	watchAll(t)
	for _, f := range failures {
		t.Run(f.child, func(t *testing.T) {
			if f.waits() {
				t.Parallel()
			}
			w := newReports(t)
			how := "end"
			if f.deaf {
				how = "kill"
			}
			cmd := procspawn.Self("proof parent", f.child, how)
			cmd.ExtraFiles = []*os.File{w.state}
			p, err := rpcpipe.Start(t.Context(), cmd, nil)
			require.NoError(t, err)
			w.state.Close()
			w.awaitReady(t)
			begin := time.Now()
			require.NoError(t, syscall.Kill(p.Process().Pid(), syscall.SIGKILL))
			require.Error(t, p.Wait())
			w.finish(t)
			require.Less(t, time.Since(begin), slack(2*time.Second))
		})
	}
}

// TestFewFiles: a start for which there are too few descriptors leaves none behind.
func TestFewFiles(t *testing.T) {
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("few files"), nil)
	require.NoError(t, err)
	err = p.Wait()
	require.NoError(t, err, "%s", p.Process().Exit().Stderr)
}

// TestExecFails: the system refuses to run the program, in one way or another.
func TestExecFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
		return path
	}
	busy := write("busy", "#!/bin/sh\n", 0o755)
	writer, err := os.OpenFile(busy, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer writer.Close()
	for _, test := range []struct {
		name string
		cmd  *exec.Cmd
		want error
	}{
		{"no such file", exec.Command(filepath.Join(dir, "none")), syscall.ENOENT},
		{"not in PATH", exec.Command("viaduct-no-such-program"), exec.ErrNotFound},
		{"not executable", exec.Command(write("text", "text", 0o644)), syscall.EACCES},
		{"no program", exec.Command(write("garbage", "\x00garbage", 0o755)), syscall.ENOEXEC},
		{"no interpreter", exec.Command(write("script", "#!/no/such/shell\n", 0o755)), syscall.ENOENT},
		{"a directory", exec.Command(dir), syscall.EACCES},
		{"too long", exec.Command("true", strings.Repeat("x", 1<<18)), syscall.E2BIG},
		{"busy", exec.Command(busy), syscall.ETXTBSY},
		{"no directory", &exec.Cmd{Path: "/bin/true", Dir: filepath.Join(dir, "none")}, syscall.ENOENT},
		{"no root", &exec.Cmd{Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Chroot: filepath.Join(dir, "none")}}, nil},
		{"no group", &exec.Cmd{Path: "/bin/true", SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pgid: 999999}}, syscall.EPERM},
	} {
		t.Run(test.name, func(t *testing.T) {
			watchAll(t)
			p, err := rpcpipe.Start(t.Context(), test.cmd, nil)
			require.Nil(t, p)
			require.Error(t, err)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
			}
		})
	}
}
