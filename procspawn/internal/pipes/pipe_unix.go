//go:build unix

package pipes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// checkAccess verifies that the ends a child was given are open for reading and for writing.
func checkAccess(r, w *os.File) error {
	for _, end := range []struct {
		f    *os.File
		name string
		mode int
	}{{r, "read", unix.O_RDONLY}, {w, "write", unix.O_WRONLY}} {
		rc, err := end.f.SyscallConn()
		if err != nil {
			return err
		}
		var flags, number int
		var ferr error
		err = rc.Control(func(fd uintptr) {
			number = int(fd)
			flags, ferr = unix.FcntlInt(fd, unix.F_GETFL, 0)
		})
		if err == nil {
			err = ferr
		}
		if err != nil {
			return fmt.Errorf("descriptor %d (the link's %s end): %w", number, end.name, err)
		}
		if mode := flags & unix.O_ACCMODE; mode != end.mode && mode != unix.O_RDWR {
			return fmt.Errorf("descriptor %d (the link's %s end) is a pipe that is not open to %s: were the two descriptors swapped on the way from the parent?",
				number, end.name, end.name)
		}
	}
	return nil
}

// readPipe reads from the pipe f.
func readPipe(f *os.File, p []byte) (int, error) { return f.Read(p) }

// writeNow writes what fits into the pipe f, 0 bytes if it is full.
func writeNow(f *os.File, p []byte) (n int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var werr error
	err = rc.Write(func(fd uintptr) bool {
		n, werr = retry(unix.Write, int(fd), p)
		return true
	})
	if err == nil && werr != unix.EAGAIN {
		err = os.NewSyscallError("write", werr)
	}
	return max(n, 0), err
}

// readNow reads what lies in the pipe f, past any deadline; 0 bytes and no error if it is empty.
// Control is the one way in that ignores deadlines.
func readNow(f *os.File, p []byte) (n int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rerr error
	err = rc.Control(func(fd uintptr) {
		n, rerr = retry(unix.Read, int(fd), p)
		if n == 0 && rerr == nil && len(p) > 0 {
			rerr = io.EOF
		}
	})
	if err == nil && rerr != unix.EAGAIN {
		err = rerr
	}
	return max(n, 0), err
}

func retry(call func(int, []byte) (int, error), fd int, p []byte) (n int, err error) {
	for {
		if n, err = call(fd, p); err != unix.EINTR {
			return n, err
		}
	}
}

// awaitHangup waits until nobody has the other end of the pipe that c reads open any more, and
// returns true; or until stopWaiting or Close of c. It takes no byte out of the pipe.
func awaitHangup(c *Conn) (hung bool) {
	rc, err := c.r.f.SyscallConn()
	if err != nil {
		return false
	}
	// The poller reports changes alone: bytes that arrive, which nobody reads, wake this a few
	// times, and then the hang-up does.
	err = rc.Read(func(fd uintptr) bool {
		hung = hungUp(fd)
		return hung
	})
	return err == nil && hung
}

// TellsHangup says that HungUp can tell.
const TellsHangup = true

// hungUp reports whether nobody has the other end of a pipe open that is read here.
func hungUp(fd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | pollHalfClosed}}
	pollNow(fds)
	return fds[0].Revents&(unix.POLLHUP|unix.POLLERR|pollHalfClosed) != 0
}

// HungUp reports whether nobody has the other end of the pipe open that c reads, although bytes may
// be left in it. It waits for nothing, and may be called beside a Read.
func (c *Conn) HungUp() (hung bool) {
	rc, err := c.r.f.SyscallConn()
	if err == nil { // unlike Read of rc, Control does not wait for who reads there
		err = rc.Control(func(fd uintptr) { hung = hungUp(fd) })
	}
	return hung || err != nil // there is one error: it is closed
}

// stopWaiting ends awaitHangup of c, and returns when ended is closed.
func stopWaiting(c *Conn, ended <-chan struct{}) {
	c.r.SetReadDeadline(time.Unix(1, 0))
	<-ended
	c.r.SetReadDeadline(time.Time{})
}

// closePipe closes f and releases who reads or writes there.
func closePipe(f *os.File) error { return f.Close() }

// IsBroken reports whether a pipe failed because the other end is closed.
func IsBroken(err error) bool { return errors.Is(err, syscall.EPIPE) }
