//go:build unix

package duplex

import "syscall"

// WriteNow makes one write call, which takes what fits.
func (f *files) WriteNow(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	raw, err := f.w.SyscallConn()
	if err != nil {
		return 0, err
	}
	var werr error
	err = raw.Write(func(fd uintptr) bool {
		n, werr = syscall.Write(int(fd), p)
		return true
	})
	if werr == syscall.EAGAIN || werr == syscall.EINTR {
		return 0, nil
	}
	if err == nil {
		err = werr
	}
	return max(n, 0), err
}
