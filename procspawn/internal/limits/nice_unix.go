//go:build unix

package limits

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// setNice sets the niceness of a process.
func (c *Config) setNice(pid int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, pid, c.Nice); err != nil {
		return fmt.Errorf("procspawn: Options.Limits.Nice is %d, and cannot be set (less than this process has is a privilege): %w", c.Nice, err)
	}
	return nil
}
