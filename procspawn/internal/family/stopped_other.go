//go:build unix && !linux

package family

import (
	"os"
	"os/exec"
	"syscall"
)

// startStopped starts cmd and calls atStart at once. The process may have begun: no other system
// lets its limits be set from outside, but its niceness is that of all its threads.
func startStopped(cmd *exec.Cmd, atStart func(pid int) error) error {
	err := cmd.Start()
	if err != nil {
		return err
	}
	if err = atStart(cmd.Process.Pid); err != nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return err
}

func inCgroup(_ *syscall.SysProcAttr, _ *os.File, start func() error) func() error { return start }

func killCgroup(*os.File) {}
