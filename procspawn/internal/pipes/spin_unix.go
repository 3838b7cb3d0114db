//go:build unix

package pipes

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// spinReader reads a pipe without waiting, and spins. It belongs to the Read that holds the lock, also
// while that is parked.
type spinReader struct {
	sync.Mutex // guards what follows
	spin
	rc   syscall.RawConn       // nil: not asked for yet
	try  func(fd uintptr) bool // reads into p
	look func() bool
	p    []byte
	n    int
	err  error // of the system
}

// over is called when what read has not found was waited for.
func (s *spinReader) over() {
	if s.rc != nil {
		s.spin.over()
	}
}

// read reads what is in the pipe, or comes within a short while. It returns 0 if that is nothing, or
// cannot be told: then a Read that waits says.
func (s *spinReader) read(f *os.File, p []byte) int {
	if !tuning.Spin || len(p) == 0 {
		return 0
	}
	if s.rc == nil && !s.begin(f) {
		return 0
	}
	s.p = p
	found := s.spin.read(s.look)
	s.p = nil
	if !found {
		return 0
	}
	return max(s.n, 0)
}

func (s *spinReader) begin(f *os.File) bool {
	rc, err := f.SyscallConn()
	if err != nil {
		return false
	}
	s.rc = rc
	s.try = func(fd uintptr) bool {
		s.n, s.err = retry(unix.Read, int(fd), s.p)
		return true // do not wait
	}
	s.look = func() bool {
		s.n = 0
		// It fails when the file is closed or its deadline is over.
		return s.rc.Read(s.try) != nil || s.err != unix.EAGAIN
	}
	return true
}
