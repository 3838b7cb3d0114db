package procspawn

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// someone is a user that owns nothing.
const someone = 12345

// as has cmd, which runs this program, run as another user.
func as(user uint32, cmd *exec.Cmd) *exec.Cmd {
	cmd.Path = "/proc/self/exe" // others may not get at the file by its name
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	return cmd
}

// needRoot skips a test of other users where this one cannot become them.
func needRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can try as somebody else")
	}
	if os.Getenv("VIADUCT_TEST_EXEC") != "" {
		t.Skip("an emulator does not become another user")
	}
}

// The middle of others helper is the middle helper, with a child that has another user.
var _ = helper("middle of others", func(args []string) {
	connect(nil)
	out := os.NewFile(3, "out")
	what, _ := strconv.Atoi(args[0])
	cmd := as(someone, selfCmd("orphan", args[1:]...))
	cmd.ExtraFiles = []*os.File{out}
	if _, err := Start(context.Background(), cmd, &Options{ParentDeath: ParentDeath(what)}); err != nil {
		fmt.Fprintln(out, err)
	}
	out.Close()
	select {}
})

// TestParentOfOtherUserDies: the signals for the parent's death reach a child to which its parent, who
// is root, has given another user.
func TestParentOfOtherUserDies(t *testing.T) {
	needRoot(t)
	waits(t)
	for what, arg := range map[ParentDeath]string{EndWithParent: "idle", KillWithParent: "hangs"} {
		t.Run(arg, func(t *testing.T) {
			p, pid, out := startOrphanOf(t, selfCmd("middle of others", strconv.Itoa(int(what)), arg))
			assertUsers(t, pid, someone, someone)
			require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
			awaitState(t, pid, "T")
			within(t, time.Second, "the end of the child", func() {
				require.NoError(t, p.cmd.Process.Kill())
				_, err := io.ReadAll(out)
				require.NoError(t, err)
			})
		})
	}
}

// The middle of setuid helper is the middle helper, with a child that runs this program from a file
// that is setuid.
var _ = helper("middle of setuid", func(args []string) {
	connect(nil)
	out := os.NewFile(3, "out")
	cmd := exec.Command(args[0], "helper:orphan", "idle")
	cmd.ExtraFiles = []*os.File{out}
	if _, err := Start(context.Background(), cmd, nil); err != nil {
		fmt.Fprintln(out, err)
	}
	out.Close()
	select {}
})

// TestParentOfSetuidDies: a child that has more rights than its parent, by a setuid program, gets no
// signal when that dies, but sees the end of its link.
func TestParentOfSetuidDies(t *testing.T) {
	needRoot(t)
	waits(t)
	dir, err := os.MkdirTemp("", "") // not t.TempDir, which others may not enter
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Chmod(dir, 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(dir, "program")
	require.NoError(t, exec.Command("cp", self, program).Run())
	require.NoError(t, os.Chmod(program, 0o755|os.ModeSetuid))

	p, pid, out := startOrphanOf(t, as(someone, selfCmd("middle of setuid", program)))
	assertUsers(t, pid, someone, 0)
	within(t, time.Second, "the end of the child", func() {
		require.NoError(t, p.cmd.Process.Kill())
		line, err := out.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprintf("saw: parent %d is gone\n", p.Pid()), line)
		_, err = io.ReadAll(out)
		require.NoError(t, err)
	})
}

// assertUsers looks at the real and effective users of a process.
func assertUsers(t *testing.T, pid, uid, euid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	assert.Contains(t, string(status), fmt.Sprintf("\nUid:\t%d\t%d\t", uid, euid))
}
