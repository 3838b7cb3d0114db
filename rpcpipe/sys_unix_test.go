//go:build unix

package rpcpipe_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
)

// requireNoZombies fails if a child of this process has not been waited for.
func requireNoZombies(t *testing.T) {
	t.Helper()
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	require.Equal(t, syscall.ECHILD, err, "a child is left: pid %d", pid)
}

// openFiles counts this process's descriptors, where there is a way to.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	return len(list)
}

// passFile has the child of cmd inherit f, which it gets from inherited.
func passFile(cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = []*os.File{f} }

func inherited() *os.File { return os.NewFile(3, "inherited") }

// suspend stops a process, and resume has it go on.
func suspend(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	awaitStop(t, pid)
}

// awaitStop waits until the child pid has stopped: signals take their time, also those that it
// sends itself.
func awaitStop(t *testing.T, pid int) {
	t.Helper()
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	for err == syscall.EINTR {
		_, err = syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	}
	require.NoError(t, err)
	require.True(t, status.Stopped())
}

func resume(t *testing.T, pid int) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
}

// requireKilled verifies that the process was killed by somebody else than Close.
func requireKilled(t *testing.T, exit *procspawn.Exit) {
	t.Helper()
	require.Equal(t, os.Kill, exit.Signal)
	require.ErrorContains(t, exit, "signal: killed")
	require.Equal(t, procspawn.BySignal, exit.By)
}

func onlyUnix(*testing.T, string) {}

const terminates = true // SIGTERM does

// terminationSignal is what ends a process that does not end with its link.
func terminationSignal() os.Signal { return syscall.SIGTERM }
