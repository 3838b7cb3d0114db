package procspawn

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

// The heirs helper starts a program that keeps the test's file open, and echoes.
var (
	_ = helper("heirs", func([]string) {
		cmd := exec.Command(os.Args[0], "helper:forever")
		passFile(nil, cmd, passedFile())
		must(cmd.Start())
		l := connect(nil)
		io.Copy(l, l)
	})
	_ = helper("forever", func([]string) {
		fmt.Fprintln(passedFile(), os.Getpid())
		r, w, err := os.Pipe() // in a select alone the runtime would find a deadlock
		must(err)
		defer w.Close()
		io.Copy(io.Discard, r)
	})
)

// startHeirs starts a child with a child of its own; out ends when that has ended.
func startHeirs(t *testing.T, opts *Options) (p *Process, heir *os.Process, out *bufio.Reader) {
	t.Helper()
	r, w, err := pipes.NewOut()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	cmd := selfCmd("heirs")
	passFile(t, cmd, w)
	p = startChild(t, cmd, opts)
	w.Close()
	out = bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(line, &pid)
	require.NoError(t, err)
	heir, err = os.FindProcess(pid)
	require.NoError(t, err)
	t.Cleanup(func() { heir.Kill(); heir.Wait() })
	echo(t, p, "hello")
	return p, heir, out
}

// TestJob: what the child has started ends with it, however it ends.
func TestJob(t *testing.T) {
	for name, end := range map[string]func(p *Process){
		"stopped":            func(p *Process) { p.Stop() },
		"killed from beside": func(p *Process) { p.cmd.Process.Kill() },
		"killed":             func(p *Process) { p.kill() },
	} {
		for _, death := range []ParentDeath{EndWithParent, KillWithParent} {
			t.Run(fmt.Sprintf("%s, %d", name, death), func(t *testing.T) {
				noLeaks(t)
				p, _, out := startHeirs(t, &Options{Group: true, ParentDeath: death})
				within(t, time.Second, "the end of all", func() {
					end(p)
					<-p.Done()
					_, err := io.ReadAll(out)
					assert.NoError(t, err)
				})
			})
		}
	}
}

// TestNoJob: without Group they live on, and delay nobody.
func TestNoJob(t *testing.T) {
	for _, death := range []ParentDeath{EndWithParent, KillWithParent, Detach} {
		t.Run(fmt.Sprint(death), func(t *testing.T) {
			noLeaks(t)
			p, heir, out := startHeirs(t, &Options{ParentDeath: death})
			within(t, time.Second, "Stop", func() { assert.Equal(t, StepCloseLink, p.Stop().Step) })
			require.True(t, isRunning(heir.Pid))
			require.NoError(t, heir.Kill())
			_, err := io.ReadAll(out)
			require.NoError(t, err)
		})
	}
}

// TestKillReport: an exit code does not tell that we have killed a process.
func TestKillReport(t *testing.T) {
	for _, opts := range []*Options{{}, {Group: true}, {ParentDeath: KillWithParent}} {
		noLeaks(t)
		opts.CloseTimeout = -1
		p := startStubborn(t, opts)
		exit := p.Stop()
		assert.Equal(t, -1, exit.Code)
		assert.Equal(t, os.Kill, exit.Signal)
		assert.Equal(t, StepKill, exit.Step)
		assert.Equal(t, ByStop, exit.By)
		assert.EqualError(t, exit, fmt.Sprintf("child %d: signal: killed (stopped by: kill)", p.Pid()))
	}
}

// The lord helper is a parent to be killed whose child would live on.
var (
	_ = helper("lord", func([]string) {
		cmd := selfCmd("vassal")
		passFile(nil, cmd, passedFile())
		_, err := Start(context.Background(), cmd, &Options{ParentDeath: KillWithParent})
		must(err)
		select {}
	})
	_ = helper("vassal", func([]string) {
		l := connect(&Options{ExitTimeout: -1})
		fmt.Fprintln(passedFile(), "ready")
		io.Copy(io.Discard, l)
		select {}
	})
)

// TestKillWithParent: the system kills the child, whatever that does.
func TestKillWithParent(t *testing.T) {
	noLeaks(t)
	r, w, err := pipes.NewOut()
	require.NoError(t, err)
	defer r.Close()
	lord := selfCmd("lord")
	lord.Args = without(lord.Args, Here)
	lord.Stderr = os.Stderr
	passFile(t, lord, w)
	require.NoError(t, lord.Start())
	w.Close()
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "ready\n", line)
	within(t, 500*time.Millisecond, "the end of the child", func() {
		require.NoError(t, lord.Process.Kill())
		_, err := io.ReadAll(out)
		assert.NoError(t, err)
	})
	lord.Wait()
}

// TestSuspended: a caller who wants the process suspended finds it so.
func TestSuspended(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED}
	_, err := Start(t.Context(), cmd, &Options{Group: true, HandshakeTimeout: 200 * time.Millisecond})
	assert.ErrorContains(t, err, "no hello from child")
	assert.Equal(t, uint32(windows.CREATE_SUSPENDED), cmd.SysProcAttr.CreationFlags)
}

func TestDirectoryIsMissing(t *testing.T) {
	noLeaks(t)
	cmd := selfCmd("echo")
	cmd.Dir = `C:\no\such\dir`
	_, err := Start(t.Context(), cmd, nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.True(t, strings.HasPrefix(err.Error(), "chdir "), "%v", err)
}
