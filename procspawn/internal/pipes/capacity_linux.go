package pipes

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// All pipes of a user may hold 64 MiB together; beyond that new ones hold next to nothing
// (pipe-user-pages-soft, in pipe(7)). So a process has few large pipes at the same time, and a
// child, which knows nothing of its siblings, one that is not as large.
const (
	// largeCapacity is what a large pipe holds: what anybody may ask for, unless the system was
	// told otherwise (/proc/sys/fs/pipe-max-size).
	largeCapacity = 1 << 20

	// childCapacity is what a child makes its pipe hold.
	childCapacity = 256 << 10

	// maxLarge is how many pipes of a process are large.
	maxLarge = 16
)

var largePipes atomic.Int32

// capacity is what the pipe holds that a Conn writes to.
type capacity struct {
	most int // of a large one

	mu     sync.Mutex // guards what follows
	usual  int        // in bytes, while it is large
	large  bool
	closed bool
}

// SetLarge has the pipe that c writes to hold 1 MiB, in a child 256 KiB, or again what it held
// before. It reports whether it does now: what lies in a pipe may be too much, and the system has
// limits, as has a process. It may wait for who reads the pipe just now.
func (c *Conn) SetLarge(large bool) bool {
	p := &c.capacity
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return false
	case large == p.large:
		return true
	case large:
		p.large = c.enlargeLocked()
		return p.large
	}
	if n, err := c.fcntl(unix.F_SETPIPE_SZ, p.usual); err != nil || n > p.usual {
		return false
	}
	p.large = false
	largePipes.Add(-1)
	return true
}

// enlargeLocked reports whether it has made the pipe large.
func (c *Conn) enlargeLocked() bool {
	usual, err := c.fcntl(unix.F_GETPIPE_SZ, 0)
	if err != nil || usual >= c.capacity.most { // it is none, or somebody knows better
		return false
	}
	if largePipes.Add(1) <= maxLarge {
		if _, err := c.fcntl(unix.F_SETPIPE_SZ, c.capacity.most); err == nil {
			c.capacity.usual = usual
			return true
		}
	}
	largePipes.Add(-1)
	return false
}

func (c *Conn) fcntl(command, arg int) (n int, err error) {
	rc, err := c.w.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := rc.Control(func(fd uintptr) { n, err = unix.FcntlInt(fd, command, arg) }); cerr != nil {
		return 0, cerr
	}
	return n, err
}

// close is called when the Conn is closed.
func (p *capacity) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.large && !p.closed {
		largePipes.Add(-1)
	}
	p.closed = true
}

func (p *capacity) init(isChild bool) {
	p.most = largeCapacity
	if isChild {
		p.most = childCapacity
	}
}
