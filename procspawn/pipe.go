package procspawn

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pipeConn is one side's ends of a pipe pair. Both are on the poller, so that
// Close and deadlines release who is blocked. Fd would take them off it again:
// use SyscallConn.
type pipeConn struct {
	r, w *os.File
	late lateReader // only after expire

	// kept is what was read when the pipe was only watched for its end, where
	// the system has no other way. Owned by the watcher, then by who reads.
	kept []byte

	// writing is held across a write, so that WriteNow can tell that it would
	// have to wait.
	writing sync.Mutex
}

func (c *pipeConn) Read(p []byte) (int, error) {
	if len(c.kept) > 0 {
		n := copy(p, c.kept)
		c.kept = c.kept[n:]
		return n, nil
	}
	n, err := readPipe(c.r, p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return c.late.read(c.r, p, err)
	}
	return n, err
}

func (c *pipeConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.w.Write(p)
}

// WriteNow is one write(2) that takes what fits.
func (c *pipeConn) WriteNow(p []byte) (int, error) {
	if !c.writing.TryLock() {
		return 0, nil
	}
	defer c.writing.Unlock()
	return writeNow(c.w, p)
}

func (c *pipeConn) Close() error {
	return errors.Join(closePipe(c.w), closePipe(c.r))
}

// expire is for when the process at the other end has exited: who is blocked
// in Write is released now, who is blocked in Read at the deadline, even if a
// grandchild has kept the other ends.
func (c *pipeConn) expire(deadline time.Time) {
	c.w.SetWriteDeadline(time.Unix(1, 0))
	c.r.SetReadDeadline(deadline)
}

// lateReader reads what lies in a pipe whose read deadline has passed. On a
// busy machine the deadline can be over before anybody has read what the
// process left behind.
type lateReader struct{ taken atomic.Int64 }

// lateLimit is as much as a pipe can hold, so that a grandchild which goes on
// writing cannot make it go on for ever.
const lateLimit = 1 << 20

// read returns late if there is nothing (more) to read.
func (l *lateReader) read(f *os.File, p []byte, late error) (int, error) {
	if l.taken.Load() >= lateLimit {
		return 0, late
	}
	n, err := readNow(f, p)
	if n == 0 && err == nil {
		err = late
	}
	l.taken.Add(int64(n))
	return n, err
}

// closeAll closes those files that are not nil.
func closeAll(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
