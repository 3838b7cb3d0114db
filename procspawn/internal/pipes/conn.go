package pipes

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is one side's ends of the two pipes of a link. Both are on the poller, so that Close and
// deadlines release who is blocked. (File.Fd would take them off it: use SyscallConn.)
type Conn struct {
	r    Reader
	spin spinReader
	w    *os.File

	// kept is what a watch had to read to see the end, where the system has no other way. Owned by
	// the watch, then by who calls Read.
	kept []byte

	watch chan struct{} // closed when the watch has ended; nil: there was none

	turns atomic.Uint64 // odd while a Read or a watch is at work: see Reading

	writing sync.Mutex // held across a write: WriteNow would have to wait then

	capacity capacity
}

// ErrNoWriteNow is what WriteNow returns where a pipe takes a write whole or makes it wait.
var ErrNoWriteNow = fmt.Errorf("procspawn: this connection cannot write without waiting: %w", errors.ErrUnsupported)

// Inherited returns the link whose ends a child was given. It is an error, which names the end, if
// one of them is not open in its direction.
func Inherited(r, w *os.File) (*Conn, error) {
	if err := checkAccess(r, w); err != nil {
		return nil, err
	}
	c := newConn(r, w)
	c.capacity.init(true)
	return c, nil
}

func newConn(r, w *os.File) *Conn {
	c := &Conn{r: Reader{f: r}, w: w}
	c.capacity.init(false)
	return c
}

func (c *Conn) Read(p []byte) (int, error) {
	c.turns.Add(1)
	defer c.turns.Add(1)
	if len(c.kept) > 0 {
		n := copy(p, c.kept)
		c.kept = c.kept[n:]
		return n, nil
	}
	if !c.spin.TryLock() { // another Read has it
		return c.r.Read(p)
	}
	defer c.spin.Unlock()
	if n := c.spin.read(c.r.f, p); n > 0 {
		return n, nil
	}
	defer c.spin.over()
	return c.r.Read(p)
}

func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.w.Write(p)
}

// WriteNow writes what the pipe takes at once, by one system call. It returns 0 and no error if the
// pipe is full or a Write is at work, and ErrNoWriteNow where there is no such call.
func (c *Conn) WriteNow(p []byte) (int, error) {
	if !c.writing.TryLock() {
		return 0, nil
	}
	defer c.writing.Unlock()
	return writeNow(c.w, p)
}

// Close closes both ends and releases whoever reads, writes or watches.
func (c *Conn) Close() error {
	c.capacity.close()
	return errors.Join(closePipe(c.w), c.r.Close())
}

// Expire is for when the process at the other end has exited. Who is blocked in Write is released
// now, and who is blocked in Read at the deadline, even if another process has kept the other ends.
func (c *Conn) Expire(deadline time.Time) {
	c.w.SetWriteDeadline(time.Unix(1, 0))
	c.r.SetReadDeadline(deadline)
}

// Watch calls gone, in a goroutine, as soon as nobody has the other end open any more. It can be
// called once, and nobody may Read before Unwatch has returned.
func (c *Conn) Watch(gone func()) {
	c.watch = make(chan struct{})
	c.turns.Add(1)
	go func() {
		defer close(c.watch)
		defer c.turns.Add(1)
		if awaitHangup(c) {
			gone()
		}
	}()
}

// Reading reports whether a Read, or the watch, is at work, and which one: the number is another one
// for the next. Only one may be at work at a time.
func (c *Conn) Reading() (turn uint64, ok bool) {
	turn = c.turns.Load()
	return turn, turn%2 == 1
}

// Unwatch ends the watch and returns when it has ended, gone included.
func (c *Conn) Unwatch() { stopWaiting(c, c.watch) }
