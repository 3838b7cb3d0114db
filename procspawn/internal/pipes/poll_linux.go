package pipes

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pollHalfClosed is how poll says that the other end of a socket writes no more: behind sshd
// standard input is one.
const pollHalfClosed = unix.POLLRDHUP

// pollNow is poll without waiting. The scheduler is not told of the system call: it could give the
// processor to somebody else meanwhile, and in a busy program it is seconds until the next turn.
func pollNow(fds []unix.PollFd) {
	var none unix.Timespec
	for {
		_, _, err := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(&none)), 0, 0, 0)
		if err != unix.EINTR {
			return
		}
	}
}
