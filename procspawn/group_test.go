//go:build unix

package procspawn

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The grand helper starts a program that keeps the first of its extra files open, and ignores what
// it can, with its own standard streams, "before" even before it connects, and "init" before main.
var _ = helper("grand", func(args []string) {
	var link *Link
	switch args[0] {
	case "before":
		startGrandchild()
		link = connect(nil)
	case "after":
		link = connect(nil)
		startGrandchild()
	case "init":
		link = connect(nil)
	}
	io.Copy(link, link)
})

func init() {
	if len(os.Args) > 2 && os.Args[1] == "helper:grand" && os.Args[2] == "init" {
		startGrandchild()
	}
}

func startGrandchild() {
	cmd := exec.Command("sh", "-c", "trap '' TERM HUP INT; echo $$ >&3; exec sleep 1000")
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "out")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	must(cmd.Start())
}

// startGrand starts a child with a child of its own; out ends when that has ended.
func startGrand(t *testing.T, opts *Options, args ...string) (p *Process, pid int, out *bufio.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	cmd := selfCmd("grand", args...)
	cmd.ExtraFiles = []*os.File{w}
	p = startChild(t, cmd, opts)
	w.Close()
	out = bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)
	echo(t, p, "hello")
	return p, pid, out
}

// TestGroup: what the child has started ends with it, however it ends.
func TestGroup(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(p *Process)
	}{
		{"stopped", func(p *Process) { p.Stop() }},
		{"killed", func(p *Process) { p.cmd.Process.Kill() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			p, _, out := startGrand(t, &Options{Group: true}, "after")
			pgid, err := syscall.Getpgid(p.Pid())
			require.NoError(t, err)
			assert.Equal(t, p.Pid(), pgid)
			within(t, time.Second, "the end of all", func() {
				tt.end(p)
				<-p.Done()
				_, err := io.ReadAll(out)
				assert.NoError(t, err)
			})
		})
	}
	t.Run("killed by Stop", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, &Options{Group: true, CloseTimeout: -1, TermTimeout: -1}, "ignore")
		assert.Equal(t, StepKill, p.Stop().Step)
	})
	t.Run("terminated by Stop", func(t *testing.T) {
		noLeaks(t)
		p := startStubborn(t, &Options{Group: true, CloseTimeout: 50 * time.Millisecond})
		exit := p.Stop()
		assert.Equal(t, StepTerminate, exit.Step)
		assert.Equal(t, syscall.SIGTERM, exit.Signal)
	})
	t.Run("another group is asked for", func(t *testing.T) {
		cmd := selfCmd("echo")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pgid: 1}
		_, err := Start(t.Context(), cmd, &Options{Group: true})
		require.ErrorContains(t, err, "set one of them")
	})
	t.Run("a session is asked for", func(t *testing.T) {
		noLeaks(t)
		cmd := selfCmd("echo")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		p := startChild(t, cmd, &Options{Group: true})
		echo(t, p, "hello")
		assert.Equal(t, &syscall.SysProcAttr{Setsid: true}, cmd.SysProcAttr)
	})
}

// TestGrandchildDelaysNobody: it holds stderr and stdout, be it that it was started before main.
func TestGrandchildDelaysNobody(t *testing.T) {
	for _, when := range []string{"init", "before", "after"} {
		t.Run(when, func(t *testing.T) {
			noLeaks(t)
			p, pid, out := startGrand(t, nil, when)
			within(t, 500*time.Millisecond, "Stop", func() {
				exit := p.Stop()
				assert.Equal(t, StepCloseLink, exit.Step)
				assert.Equal(t, 0, exit.Code, "%s", exit.Stderr)
			})
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			_, err := io.ReadAll(out)
			require.NoError(t, err)
		})
	}
}
