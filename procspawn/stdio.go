package procspawn

import (
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// grace is how long we stay with what an exited process has left behind
	// when a grandchild keeps the other end open; and with a link that has
	// ended, for the process's exit status.
	grace = 50 * time.Millisecond

	// writerGrace is how long the end of a process waits for a caller's
	// writer that is at work when everything else is done.
	writerGrace = time.Second
)

// stdio is our half of those standard streams of a child for which the caller
// gave no file. os/exec has copying goroutines of its own, but Wait waits for
// these until a grandchild that holds the stream is gone, too; and its
// remedy, Cmd.WaitDelay, would change what the end of the command's context
// means.
type stdio struct {
	stderr *drain // nil if the caller's file took it
	drains []*drain
	feed   *feed      // stdin; nil if there is nothing to feed
	theirs []*os.File // the child's ends, for the time of the start
}

// attach puts pipes into cmd's standard streams.
func attach(cmd *exec.Cmd) (*stdio, error) {
	s := new(stdio)
	err := s.attachOut(cmd)
	if err == nil {
		err = s.attachIn(cmd)
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

func (s *stdio) attachOut(cmd *exec.Cmd) error {
	out, err := cmd.Stdout, cmd.Stderr
	if !isFile(err) {
		w, e := s.drainTo(err, new(tail))
		if e != nil {
			return e
		}
		cmd.Stderr = w
		s.stderr = s.drains[0]
		// As os/exec promises: a writer given for both is called by one
		// goroutine at a time.
		if out != nil && sameWriter(out, err) {
			cmd.Stdout = w
			return nil
		}
	}
	if out == nil || isFile(out) {
		return nil
	}
	w, e := s.drainTo(out, nil)
	if e != nil {
		return e
	}
	cmd.Stdout = w
	return nil
}

func (s *stdio) attachIn(cmd *exec.Cmd) error {
	if _, ok := cmd.Stdin.(*os.File); ok || cmd.Stdin == nil {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	s.theirs = append(s.theirs, r)
	s.feed = &feed{w: w, from: cmd.Stdin, done: make(chan struct{})}
	cmd.Stdin = r
	return nil
}

func (s *stdio) drainTo(to io.Writer, t *tail) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs = append(s.theirs, w)
	s.drains = append(s.drains, &drain{r: r, to: to, tail: t, done: make(chan struct{})})
	return w, nil
}

func isFile(w io.Writer) bool {
	_, ok := w.(*os.File)
	return ok
}

// sameWriter is a == b, false where they cannot be compared.
func sameWriter(a, b io.Writer) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// abandon closes everything: the start has failed.
func (s *stdio) abandon() {
	closeAll(s.theirs...)
	for _, d := range s.drains {
		d.r.Close()
	}
	if s.feed != nil {
		s.feed.w.Close()
	}
}

// run begins to copy; the child has its ends.
func (s *stdio) run() {
	closeAll(s.theirs...)
	s.theirs = nil
	for _, d := range s.drains {
		go d.run()
	}
	if s.feed != nil {
		go s.feed.run()
	}
}

// finish is called when the process has exited. It returns when the streams
// have been read to their end, or at the deadline. (When a writer is at work
// then, what it has not been given yet is not in the report.)
func (s *stdio) finish(deadline time.Time) {
	if s.feed != nil {
		s.feed.w.Close() // releases a blocked Write; nobody can release from.Read
	}
	for _, d := range s.drains {
		d.r.SetReadDeadline(deadline)
	}
	s.wait(time.Until(deadline))
	// Only a caller's writer may keep us from the rest now. Without one a
	// drain that has not ended just waits for its turn, on a busy machine.
	if s.stderr != nil && !s.stderr.writing.Load() {
		t := time.NewTimer(writerGrace)
		defer t.Stop()
		select {
		case <-s.stderr.done:
		case <-t.C:
		}
	}
}

// wait waits for the copying goroutines, at most for d.
func (s *stdio) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for _, d := range s.drains {
		select {
		case <-d.done:
		case <-t.C:
			return
		}
	}
}

// release waits a little more for a caller's writer or reader that is at work,
// and sees to it that no writer is called any more.
func (s *stdio) release() {
	if s.feed != nil {
		short := time.NewTimer(grace)
		defer short.Stop()
		select {
		case <-s.feed.done:
		case <-short.C: // blocked in the caller's Read, perhaps for ever
		}
	}
	s.wait(writerGrace)
	for _, d := range s.drains {
		d.gone.Store(true)
		d.r.Close()
	}
}

// drain empties a stream of the child, whatever becomes of the writer.
type drain struct {
	r    *os.File
	to   io.Writer     // nil: nobody
	tail *tail         // nil: not kept
	gone atomic.Bool   // the writer is not to be called any more
	done chan struct{} // closed by run
	late lateReader    // owned by run

	failed  atomic.Pointer[error] // of to
	writing atomic.Bool           // run is in the caller's writer
}

func (d *drain) run() {
	defer close(d.done)
	defer d.r.Close()
	buf := make([]byte, 16<<10)
	for {
		n, err := d.r.Read(buf)
		if os.IsTimeout(err) {
			n, err = d.late.read(d.r, buf, err)
		}
		d.tail.add(buf[:n])
		if n > 0 && d.to != nil && !d.gone.Load() {
			d.writing.Store(true)
			if _, err := d.to.Write(buf[:n]); err != nil {
				d.to = nil // the child must not block because a log is full
				d.failed.Store(&err)
			}
			d.writing.Store(false)
		}
		if err != nil {
			return
		}
	}
}

// feed copies the caller's reader to the child's stdin.
type feed struct {
	w    *os.File
	from io.Reader
	done chan struct{} // closed by run
}

func (f *feed) run() {
	defer close(f.done)
	defer f.w.Close()
	io.Copy(f.w, f.from) // a child need not read it all
}

// tailSize is how much of a child's stderr is kept.
const tailSize = 64 << 10

// tail keeps the end of a stream. A nil tail keeps nothing.
type tail struct {
	mu  sync.Mutex
	buf []byte // at most 2 * tailSize, so that moving is rare
}

func (t *tail) add(p []byte) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.buf)+len(p) > 2*tailSize {
		keep := max(0, tailSize-len(p))
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-min(keep, len(t.buf)):]...)
	}
	t.buf = append(t.buf, p[max(0, len(p)-tailSize):]...)
}

func (t *tail) bytes() []byte {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.buf[max(0, len(t.buf)-tailSize):]...)
}
