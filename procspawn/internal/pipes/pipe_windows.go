package pipes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	procNtQueryObject  = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryObject")
	procPeekNamedPipe  = windows.NewLazySystemDLL("kernel32.dll").NewProc("PeekNamedPipe")
	errAccessUndefined = errors.New("what it is open for is not known")
)

// checkAccess verifies that the ends a child was given are open for reading and for writing.
func checkAccess(r, w *os.File) error {
	for _, end := range []struct {
		f    *os.File
		name string
		mode uint32
	}{{r, "read", windows.FILE_READ_DATA}, {w, "write", windows.FILE_WRITE_DATA}} {
		rc, err := end.f.SyscallConn()
		if err != nil {
			return err
		}
		var access uint32
		var number uintptr
		var aerr error
		err = rc.Control(func(fd uintptr) {
			number = fd
			access, aerr = grantedAccess(windows.Handle(fd))
		})
		if err == nil {
			err = aerr
		}
		if err != nil {
			return fmt.Errorf("handle %d (the link's %s end): %w", number, end.name, err)
		}
		if access&end.mode == 0 {
			return fmt.Errorf("handle %d (the link's %s end) is a pipe that is not open to %s: were the two handles swapped on the way from the parent?",
				number, end.name, end.name)
		}
	}
	return nil
}

// grantedAccess returns what a handle is open for.
func grantedAccess(h windows.Handle) (uint32, error) {
	var info struct { // PUBLIC_OBJECT_BASIC_INFORMATION
		attributes, access, handles, pointers uint32
		reserved                              [10]uint32
	}
	const basic = 0
	status, _, _ := procNtQueryObject.Call(uintptr(h), basic, uintptr(unsafe.Pointer(&info)), unsafe.Sizeof(info), 0)
	if status != 0 {
		return 0, errors.Join(errAccessUndefined, windows.NTStatus(status))
	}
	return info.access, nil
}

// readPipe reads from the pipe f. An empty write of the other side ends a read, too, which package
// os takes for the end of the pipe.
func readPipe(f *os.File, p []byte) (int, error) {
	for {
		n, err := f.Read(p)
		if err != io.EOF || hasEnded(f) {
			return n, err
		}
	}
}

// hasEnded reports whether nothing will come out of the pipe f any more.
func hasEnded(f *os.File) (ended bool) {
	rc, err := f.SyscallConn()
	if err != nil {
		return true
	}
	err = rc.Control(func(fd uintptr) {
		_, perr := peek(windows.Handle(fd))
		ended = perr != nil
	})
	return err != nil || ended
}

// peek returns how many bytes lie in a pipe.
func peek(h windows.Handle) (int, error) {
	var there uint32
	ok, _, err := procPeekNamedPipe.Call(uintptr(h), 0, 0, 0, uintptr(unsafe.Pointer(&there)), 0)
	if ok == 0 {
		return 0, err
	}
	return int(there), nil
}

// writeNow would write what fits into the pipe f. A pipe of Windows takes all of a write or makes
// it wait.
func writeNow(f *os.File, p []byte) (n int, err error) { return 0, ErrNoWriteNow }

// readNow reads what lies in the pipe f, past any deadline; 0 bytes and no error if it is empty.
// Control is the one way in that ignores deadlines.
func readNow(f *os.File, p []byte) (n int, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rerr error
	err = rc.Control(func(fd uintptr) { n, rerr = readThere(windows.Handle(fd), p) })
	if err == nil {
		err = rerr
	}
	if IsBroken(err) {
		err = io.EOF
	}
	return n, err
}

// readThere reads what lies in an overlapped pipe.
func readThere(h windows.Handle, p []byte) (int, error) {
	there, err := peek(h)
	if err != nil {
		return 0, err
	}
	if p = p[:min(len(p), there)]; len(p) == 0 {
		return 0, nil
	}
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	if err != nil {
		return 0, err
	}
	defer windows.CloseHandle(event)
	var pins runtime.Pinner
	defer pins.Unpin()
	o := &windows.Overlapped{HEvent: event | 1} // the bit keeps the end of this from the poller
	pins.Pin(o)
	pins.Pin(&p[0])
	var n uint32
	err = windows.ReadFile(h, p, &n, o)
	if err == windows.ERROR_IO_PENDING { // somebody else has read it
		windows.CancelIoEx(h, o)
		err = windows.GetOverlappedResult(h, o, &n, true)
	}
	if err == windows.ERROR_OPERATION_ABORTED {
		err = nil
	}
	return int(n), err
}

// awaitHangup waits until nobody has the other end of the pipe that c reads open any more, and
// returns true; or until stopWaiting or Close of c.
//
// Here only a read that waits is told of the end, and not before it has read all that was written.
// So this reads the other side's hello, and keeps it for Read. If much more than a hello comes, it
// gives up watching.
func awaitHangup(c *Conn) bool {
	buf := make([]byte, 1024)
	for len(c.kept) < pipeSize {
		n, err := readPipe(c.r.f, buf)
		c.kept = append(c.kept, buf[:n]...)
		if err != nil {
			return err == io.EOF || IsBroken(err)
		}
	}
	return false
}

// TellsHangup says that HungUp cannot tell: there is no way to ask without reading.
const TellsHangup = false

// HungUp would report whether nobody has the other end of the pipe open.
func (*Conn) HungUp() bool { return false }

// stopWaiting ends awaitHangup of c, and returns when ended is closed.
func stopWaiting(c *Conn, ended <-chan struct{}) {
	if c.r.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-ended
		c.r.SetReadDeadline(time.Time{})
		return
	}
	if h, err := duplicate(c.r.f); err == nil {
		defer windows.CloseHandle(h)
		keepCancelling(h, ended)
	}
}

// closePipe closes f and releases who reads or writes there.
//
// File.Close of a synchronous handle, such as a child's standard input, cancels once what is going
// on. A read that is about to begin at that moment would hold it up for ever.
func closePipe(f *os.File) (err error) {
	if f.SetDeadline(time.Time{}) == nil {
		return f.Close()
	}
	h, err := duplicate(f)
	if err != nil {
		return f.Close()
	}
	defer windows.CloseHandle(h)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		err = f.Close()
	}()
	keepCancelling(h, closed)
	return err
}

// duplicate returns another handle of the pipe f, which stays open when f is closed.
func duplicate(f *os.File) (h windows.Handle, err error) {
	rc, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	self := windows.CurrentProcess()
	var derr error
	err = rc.Control(func(fd uintptr) {
		derr = windows.DuplicateHandle(self, windows.Handle(fd), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	})
	return h, errors.Join(err, derr)
}

// keepCancelling cancels what waits in a synchronous pipe, again and again until done is closed, as
// there is no way to cancel what is about to begin.
func keepCancelling(h windows.Handle, done <-chan struct{}) {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for {
		windows.CancelIoEx(h, nil)
		select {
		case <-done:
			return
		case <-t.C:
		}
	}
}

// IsBroken reports whether a pipe failed because the other end is closed.
func IsBroken(err error) bool {
	return errors.Is(err, windows.ERROR_BROKEN_PIPE) || errors.Is(err, windows.ERROR_NO_DATA) || errors.Is(err, windows.ERROR_PIPE_NOT_CONNECTED)
}
