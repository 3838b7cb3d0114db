package family

import "golang.org/x/sys/unix"

// awaitExit waits until a child has exited, and reports whether it could. The child is not waited
// for in the sense of Cmd.Wait, so its number stays its own.
func awaitExit(pid int) bool {
	for {
		switch unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) {
		case unix.EINTR:
		case nil:
			return true
		default:
			return false
		}
	}
}

// hasExited reports whether a child has exited, be it waited for or not.
func hasExited(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == unix.ECHILD || err == nil && info.Signo != 0
}
