//go:build unix

package examples_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/examples/internal/exampletest"
)

// TestPluginsInterrupted: Ctrl-C, which reaches the host and its plugins, ends all of them in order.
func TestPluginsInterrupted(t *testing.T) {
	exampletest.CannotRun(t)
	t.Parallel() // it waits
	exe := filepath.Join(t.TempDir(), "plugins")
	exampletest.GoTool(t, "build", "-o", exe, "./plugins")
	cmd := exec.Command(exe, "-serve")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // as of a terminal's foreground
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var lines []string
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if scanner.Text() == "serving" {
			require.NoError(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		}
	}
	require.NoError(t, cmd.Wait())
	text := strings.Join(lines, "\n")
	require.Contains(t, text, "serving\nall plugins have ended\n")
	require.Contains(t, text, "calls that failed: 0\n")
	require.ErrorIs(t, syscall.Kill(-cmd.Process.Pid, 0), syscall.ESRCH, "a plugin is left")
}
