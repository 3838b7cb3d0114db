package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// program returns the program, in a process group of its own, and its temporary directory.
func program(t *testing.T, args ...string) (*exec.Cmd, string) {
	dir, err := os.MkdirTemp("", "b")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd, dir
}

// alive returns the command lines of the processes that have the directory.
func alive(t *testing.T, dir string) map[int]string {
	list := map[int]string{}
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, name := range environs {
		environ, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(environ, []byte("TMPDIR="+dir)) {
			continue // it has ended, or is nobody of ours
		}
		process := filepath.Dir(name)
		pid, err := strconv.Atoi(filepath.Base(process))
		require.NoError(t, err)
		line, _ := os.ReadFile(filepath.Join(process, "cmdline"))
		list[pid] = strings.ReplaceAll(string(line), "\x00", " ")
	}
	return list
}

// begin starts the program with contenders of every kind, and returns when all children are alive.
func begin(t *testing.T, cmd *exec.Cmd, dir string) *bufio.Reader {
	cmd.Args = append(cmd.Args, "-rows", "^lone", "-contenders", "^(bare|viaduct|grpc|yamux|go-plugin)$", "-rounds", "1000", "-slice", "5ms")
	pipe, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	require.Eventually(t, func() bool { return len(alive(t, dir)) >= 7 }, time.Minute, 5*time.Millisecond)
	return bufio.NewReader(pipe)
}

func requireNoneAlive(t *testing.T, dir string) {
	require.Eventually(t, func() bool { return len(alive(t, dir)) == 0 }, time.Minute, 10*time.Millisecond, "%v", alive(t, dir))
}

// TestInterrupt: when one of the signals that end programs has come to the program alone, or as a
// Ctrl-C to all its processes, nothing is left.
func TestInterrupt(t *testing.T) {
	for name, send := range map[string]func(pid int) error{
		"SIGINT":  func(pid int) error { return syscall.Kill(pid, syscall.SIGINT) },
		"SIGTERM": func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) },
		"Ctrl-C":  func(pid int) error { return syscall.Kill(-pid, syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			cmd, dir := program(t)
			stderr := begin(t, cmd, dir)
			require.NoError(t, send(cmd.Process.Pid))
			said, err := io.ReadAll(stderr)
			require.NoError(t, err)
			require.Error(t, cmd.Wait())
			require.Equal(t, 1, cmd.ProcessState.ExitCode())
			require.True(t, strings.HasSuffix(string(said), "bench: interrupted\n"), "%s", said)
			require.Empty(t, alive(t, dir))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// TestKilled: no process outlives the program when that is killed.
func TestKilled(t *testing.T) {
	cmd, dir := program(t)
	begin(t, cmd, dir)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	requireNoneAlive(t, dir)
}

// TestWorkerKilled: when the process that measures is killed, the program says so and ends.
func TestWorkerKilled(t *testing.T) {
	cmd, dir := program(t)
	stderr := begin(t, cmd, dir)
	for pid, line := range alive(t, dir) {
		if strings.Contains(line, " "+workerWord+" ") {
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
	said, err := io.ReadAll(stderr)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Contains(t, string(said), "bench: the process that measures has ended")
	requireNoneAlive(t, dir)
}

// TestBar: on a terminal there is a bar, which is gone at the end.
func TestBar(t *testing.T) {
	cmd, _ := program(t, "-rows", "^lone.1core", "-contenders", "^(bare|gob)$", "-rounds", "20", "-slice", "20ms")
	terminal, tty, err := pty.Open()
	require.NoError(t, err)
	defer terminal.Close()
	require.NoError(t, pty.Setsize(terminal, &pty.Winsize{Rows: 24, Cols: 120}))
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, tty
	require.NoError(t, cmd.Start())
	require.NoError(t, tty.Close())
	shown, _ := io.ReadAll(terminal) // on Linux it ends with an error when nobody has the other end
	require.NoError(t, cmd.Wait(), "%s", shown)
	require.Contains(t, string(shown), "lone.1core")
	require.Contains(t, string(shown), "/40")
	require.Contains(t, stdout.String(), "lone.1core: lone small call p50, one core")
}
