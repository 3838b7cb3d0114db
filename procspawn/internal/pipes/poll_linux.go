package pipes

import "golang.org/x/sys/unix"

// pollHalfClosed is how poll says that the other end of a socket writes no more: behind sshd
// standard input is one.
const pollHalfClosed = unix.POLLRDHUP
