package family

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// inCgroup returns a function that starts the process of attr in a control group.
func inCgroup(attr *syscall.SysProcAttr, dir *os.File, start func() error) func() error {
	return func() error {
		conn, err := dir.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		err = conn.Control(func(fd uintptr) {
			attr.UseCgroupFD, attr.CgroupFD = true, int(fd)
			failed = start()
		})
		if err != nil {
			return err
		}
		for _, errno := range []syscall.Errno{syscall.EBUSY, syscall.EOPNOTSUPP, syscall.ENOSYS, syscall.ENODEV} {
			if errors.Is(failed, errno) {
				return fmt.Errorf("procspawn: the child cannot be started in the control group of Options.Limits.Cgroup, "+
					"which must have no controllers in its cgroup.subtree_control (Linux 5.7 is needed): %w", failed)
			}
		}
		return failed
	}
}

// killCgroup kills all that is in a control group. Older systems than Linux 5.14 cannot.
func killCgroup(dir *os.File) {
	if dir == nil {
		return
	}
	conn, err := dir.SyscallConn()
	if err != nil {
		return
	}
	conn.Control(func(fd uintptr) {
		file, err := unix.Openat(int(fd), "cgroup.kill", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Write(file, []byte("1"))
			unix.Close(file)
		}
	})
}
