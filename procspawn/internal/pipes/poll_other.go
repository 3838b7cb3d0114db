//go:build unix && !linux

package pipes

import "golang.org/x/sys/unix"

// pollHalfClosed is nothing here: a socket whose other end writes no more is noticed once the link
// is read.
const pollHalfClosed = 0

// pollNow is poll without waiting.
func pollNow(fds []unix.PollFd) {
	for {
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return
		}
	}
}
