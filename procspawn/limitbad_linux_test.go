package procspawn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestBadLimits: they are refused with the name of the field, and the Cmd can be used again.
func TestBadLimits(t *testing.T) {
	noLeaks(t)
	file, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer file.Close()
	directory, err := os.Open(t.TempDir())
	require.NoError(t, err)
	defer directory.Close()
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	closed.Close()
	for _, tt := range []struct {
		limits Limits
		want   []string
	}{
		{Limits{Memory: -1}, []string{"Limits.Memory is -1", "16777216"}},
		{Limits{Memory: 16*mebibyte - 1}, []string{"Limits.Memory is 16777215", "16777216"}},
		{Limits{CPU: -time.Second}, []string{"Limits.CPU is -1s", "1s"}},
		{Limits{CPU: time.Second - 1}, []string{"Limits.CPU is 999.999999ms", "1s"}},
		{Limits{Wall: -1}, []string{"Limits.Wall is -1ns"}},
		{Limits{Processes: -1}, []string{"Limits.Processes is -1", "16"}},
		{Limits{Processes: 15}, []string{"Limits.Processes is 15", "16"}},
		{Limits{Files: -1}, []string{"Limits.Files is -1", "10"}},
		{Limits{Files: 9}, []string{"Limits.Files is 9", "10"}},
		{Limits{FileSize: -1}, []string{"Limits.FileSize is -1"}},
		{Limits{Nice: 20}, []string{"Limits.Nice is 20", "-20 to 19"}},
		{Limits{Nice: -21}, []string{"Limits.Nice is -21"}},
		{Limits{Cgroup: file}, []string{"Limits.Cgroup is /dev/null", "directory of a control group of version 2"}},
		{Limits{Cgroup: directory}, []string{"Limits.Cgroup is " + directory.Name(), "directory of a control group of version 2"}},
		{Limits{Cgroup: closed}, []string{"Limits.Cgroup is /dev/null", "use of closed file"}},
	} {
		cmd := selfCmd("echo")
		_, err := Start(t.Context(), cmd, &Options{Limits: tt.limits})
		for _, want := range tt.want {
			assert.ErrorContains(t, err, want)
		}
		assert.Nil(t, cmd.Process)
		assert.Nil(t, cmd.SysProcAttr)
		assert.Nil(t, cmd.Env)
		p := startChild(t, cmd, nil)
		echo(t, p, "there")
		p.Stop()
	}
	if os.Getuid() == 0 {
		_, err := Start(t.Context(), selfCmd("echo"), &Options{Limits: Limits{Processes: 100}})
		assert.ErrorContains(t, err, "Limits.Processes: root's processes are not limited")
	}
}

// TestLimitsRefusedByTheSystem: where ptrace is not permitted the start fails, says why, and leaves
// nothing.
func TestLimitsRefusedByTheSystem(t *testing.T) {
	noLeaks(t)
	opts := &Options{Limits: Limits{Files: 100}, OnThread: func() error { return forbid(unix.SYS_PTRACE) }}
	_, err := Start(t.Context(), selfCmd("echo"), opts)
	require.ErrorIs(t, err, unix.EPERM)
	assert.ErrorContains(t, err, "ptrace")
	opts.OnThread = func() error { return forbid(unix.SYS_PRLIMIT64) }
	_, err = Start(t.Context(), selfCmd("echo"), opts)
	require.ErrorIs(t, err, unix.EPERM)
	assert.ErrorContains(t, err, "Limits.Files cannot be set")
	_, err = Start(t.Context(), exec.Command("/no/such/program"), &Options{Limits: Limits{Files: 100}})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestLimitsOfPrivileged: a setuid program would silently run without its privileges.
func TestLimitsOfPrivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can try as somebody else")
	}
	dir, err := os.MkdirTemp("", "")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	program := filepath.Join(dir, "sh")
	text, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, text, 0o755))
	require.NoError(t, os.Chmod(program, 0o755|os.ModeSetuid))
	cmd := selfCmd("limits of", program)
	cmd.Args, cmd.Path = without(cmd.Args, Here), "/proc/self/exe"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), program+" is setuid")
}

var _ = helper("limits of", func(args []string) {
	cmd := exec.Command(args[0], "-c", "exit 3", "sh", Here)
	_, err := Start(context.Background(), cmd, &Options{Limits: Limits{Files: 100}})
	fmt.Println(err)
})

// TestCancelledUnderLimits: a child whose context ends while it is started is an error as ever.
func TestCancelledUnderLimits(t *testing.T) {
	noLeaks(t)
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*40*time.Microsecond)
		cmd := exec.CommandContext(ctx, selfCmd("echo").Path, "helper:echo")
		p, err := Start(t.Context(), cmd, &Options{Limits: Limits{Files: 100}})
		if err == nil {
			<-p.Done()
			p.Stop()
			assert.Zero(t, p.Exit().Limit)
		}
		cancel()
	}
}
