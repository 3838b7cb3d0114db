package pipes

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Reader is this process's end of a pipe that another one writes to.
type Reader struct {
	f    *os.File
	late atomic.Int64 // bytes read past the deadline
}

// MaxCapacity is at least what a pipe can hold.
const MaxCapacity = 1 << 20

// Read reads what comes until the deadline, and past it what lies in the pipe already: on a busy
// machine the deadline can be over before anybody has read what an exited process left behind. Past
// the deadline it takes no more than MaxCapacity, or another process that goes on writing could
// make it go on for ever. Then, or if the pipe is empty, the error is os.ErrDeadlineExceeded.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := readPipe(r.f, p)
	if !errors.Is(err, os.ErrDeadlineExceeded) || r.late.Load() >= MaxCapacity {
		return n, err
	}
	late := err
	n, err = readNow(r.f, p)
	if n == 0 && err == nil {
		err = late
	}
	r.late.Add(int64(n))
	return n, err
}

// SetReadDeadline sets when a Read that waits is released. Zero: never.
func (r *Reader) SetReadDeadline(t time.Time) error { return r.f.SetReadDeadline(t) }

// Close closes the end and releases whoever reads.
func (r *Reader) Close() error { return closePipe(r.f) }
