// Package child starts the children of the contenders that do not do so themselves, over a pair of
// pipes or a unix socket, and ends them.
package child

import (
	"os"
	"os/exec"
)

// Child is a process that was started.
type Child struct{ cmd *exec.Cmd }

// start starts cmd on the lifeline.
func start(cmd *exec.Cmd) (*Child, error) {
	cmd.Stdin = os.Stdin
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Child{cmd}, nil
}

// End kills the child and waits for it. It has nothing to lose. (A child that procspawn has started
// has ended with its link.)
func (c *Child) End() {
	if c.cmd == nil {
		return
	}
	c.cmd.Process.Kill() // fails if it has ended already
	c.cmd.Wait()         // says that it was killed
}
