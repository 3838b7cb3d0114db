//go:build unix

package procspawn

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openFiles lists this process's descriptors as "number target", except for 0 to 2; nothing where
// there is no /proc.
func openFiles() []string {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	var list []string
	for _, name := range names {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", name))
		fd, _ := strconv.Atoi(name)
		if err == nil && fd > 2 && !strings.HasPrefix(target, "/sys/") && target != "/proc/"+strconv.Itoa(os.Getpid())+"/fd" {
			list = append(list, name+" "+target)
		}
	}
	return list
}

// haveChildren reports whether this process has a child, alive or a zombie.
func haveChildren() bool {
	_, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
	return err != unix.ECHILD
}

// awaitStop waits until the child pid has stopped: signals take their time.
func awaitStop(t testing.TB, pid int) {
	t.Helper()
	var ws unix.WaitStatus
	_, err := unix.Wait4(pid, &ws, unix.WUNTRACED, nil)
	for err == unix.EINTR {
		_, err = unix.Wait4(pid, &ws, unix.WUNTRACED, nil)
	}
	require.NoError(t, err)
	require.True(t, ws.Stopped())
}

// passFile has the child of cmd inherit f, which it gets from passedFile.
func passFile(_ testing.TB, cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = []*os.File{f} }

func passedFile() *os.File { return os.NewFile(3, "test") }

func onlyUnix(testing.TB, string) {}

const terminates = true // SIGTERM does

// abort has the runtime print all stacks.
func abort() {
	unix.Kill(os.Getpid(), unix.SIGABRT)
	select {}
}

// assertKilled verifies that the process was killed by somebody else than Stop.
func assertKilled(t *testing.T, exit *Exit) {
	t.Helper()
	assert.Equal(t, -1, exit.Code)
	assert.Equal(t, os.Kill, exit.Signal)
	assert.Equal(t, StepNone, exit.Step)
}
