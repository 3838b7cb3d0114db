package procspawn

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"time"
)

const (
	// grace is how long we stay with what an exited process has left behind
	// when a grandchild keeps the other end open; and with a link that has
	// ended, for the process's exit status.
	grace = 50 * time.Millisecond

	// writerGrace is how long at least the end of a process waits for a caller's
	// writer that is at work when everything else is done: Cmd.WaitDelay may be more.
	writerGrace = time.Second
)

// stdio is our half of those standard streams of a child for which the caller
// gave no file, and of the pipe for its crash output. os/exec has copying goroutines of its own, but Wait waits for
// these until a grandchild that holds the stream is gone, too; and its
// remedy, Cmd.WaitDelay, would change what the end of the command's context
// means.
type stdio struct {
	drains []*drain
	feed   *feed       // stdin; nil if there is nothing to feed
	theirs []io.Closer // the child's ends, for the time of the start

	// What is kept for the report, each nil if the caller's file took it, or nothing asks for it.
	stderr, stdout *tail
	scan           *crashScan
	crash          *head
}

// attach puts pipes into those of cmd's standard streams that are no files.
func (s *stdio) attach(cmd *exec.Cmd) error {
	err := s.attachErr(cmd)
	if err == nil {
		err = s.attachOut(cmd)
	}
	if err == nil {
		err = s.attachIn(cmd)
	}
	return err
}

func (s *stdio) attachErr(cmd *exec.Cmd) error {
	if isFile(cmd.Stderr) {
		return nil
	}
	s.stderr, s.scan = new(tail), new(crashScan)
	w, err := s.drainTo(cmd.Stderr, s.stderr, s.scan)
	if err != nil {
		return err
	}
	// As os/exec promises: a writer given for both is called by one
	// goroutine at a time.
	if cmd.Stdout != nil && sameWriter(cmd.Stdout, cmd.Stderr) {
		cmd.Stdout = w
	}
	cmd.Stderr = w
	return nil
}

func (s *stdio) attachOut(cmd *exec.Cmd) (err error) {
	switch {
	case cmd.Stdout == nil:
		s.stdout = new(tail)
		cmd.Stdout, err = s.drainTo(nil, s.stdout)
	case !isFile(cmd.Stdout):
		cmd.Stdout, err = s.drainTo(cmd.Stdout)
	}
	return err
}

func (s *stdio) attachIn(cmd *exec.Cmd) error {
	if _, ok := cmd.Stdin.(*os.File); ok || cmd.Stdin == nil {
		return nil
	}
	w, r, err := newInPipe()
	if err != nil {
		return err
	}
	s.theirs = append(s.theirs, r)
	s.feed = &feed{w: w, from: cmd.Stdin, done: make(chan struct{})}
	cmd.Stdin = r
	return nil
}

// attachCrash makes the pipe for crash output and returns the child's end.
func (s *stdio) attachCrash() (childEnd, error) {
	r, w, err := newCrashPipe()
	if err != nil {
		return w, err
	}
	s.crash = new(head)
	s.drain(r, w, nil, s.crash)
	return w, nil
}

// drainTo makes a pipe whose content goes to a writer, if there is one, and to keepers.
func (s *stdio) drainTo(to io.Writer, keep ...keeper) (*os.File, error) {
	r, w, err := newOutPipe()
	if err != nil {
		return nil, err
	}
	s.drain(r, w, to, keep...)
	return w, nil
}

func (s *stdio) drain(ours *os.File, theirs io.Closer, to io.Writer, keep ...keeper) {
	s.theirs = append(s.theirs, theirs)
	d := &drain{r: ours, keep: keep, done: make(chan struct{})}
	if to != nil {
		d.out = newOutlet(to)
	}
	s.drains = append(s.drains, d)
}

// report fills in what has been kept. When a drain is not done it is what has come so far.
func (s *stdio) report(e *Exit) {
	e.Stderr, e.StderrCaptured = s.stderr.bytes()
	e.Stdout, e.StdoutCaptured = s.stdout.bytes()
	crashed := e.Code == crashCode || e.Signal != nil && e.Signal != os.Kill
	if s.crash == nil { // what runs the child may exit with a code of its own
		crashed = crashed || e.Code > 0
	}
	e.Crash = crash(s.crash.bytes(), s.scan.bytes(), crashed)
	for _, d := range s.drains {
		if d.out == nil || e.Cause != nil {
			continue
		}
		if err := d.out.err(); err != nil {
			e.Cause = fmt.Errorf("its output could not be written: %w", err)
		}
	}
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
	s.handedOver()
	for _, d := range s.drains {
		d.r.Close()
	}
	if s.feed != nil {
		s.feed.w.Close()
	}
}

// handedOver closes the child's ends: it has them, or there is no child.
func (s *stdio) handedOver() {
	for _, end := range s.theirs {
		end.Close()
	}
	s.theirs = nil
}

// run begins to copy; the child has its ends.
func (s *stdio) run() {
	s.handedOver()
	for _, d := range s.drains {
		if d.out != nil {
			go d.out.run()
		}
		go d.run()
	}
	if s.feed != nil {
		go s.feed.run()
	}
}

// finish is called when the process has exited. It returns when the streams
// have been read to their end, and written to the caller's writers, or at the deadline.
func (s *stdio) finish(deadline time.Time) {
	if s.feed != nil {
		s.feed.w.Close() // releases a blocked Write; nobody can release from.Read
	}
	for _, d := range s.drains {
		d.r.SetReadDeadline(deadline)
		if d.out != nil {
			close(d.out.hurry)
		}
	}
	s.wait(time.Until(deadline))
	// A drain that has not ended just waits for its turn, on a busy machine, or for a caller's writer that has fallen far behind.
	t := time.NewTimer(writerGrace)
	defer t.Stop()
	for _, d := range s.drains {
		select {
		case <-d.done:
		case <-t.C:
			return
		}
	}
}

// wait waits until all was read and written, at most for d.
func (s *stdio) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for _, d := range s.drains {
		ends := []<-chan struct{}{d.done}
		if d.out != nil {
			ends = append(ends, d.out.done)
		}
		for _, end := range ends {
			select {
			case <-end:
			case <-t.C:
				return
			}
		}
	}
}

// release waits a little more, or as long as the caller says, for a caller's writer or reader that is at work,
// and sees to it that no writer is called any more.
func (s *stdio) release(delay time.Duration) {
	if s.feed != nil {
		short := time.NewTimer(grace)
		defer short.Stop()
		select {
		case <-s.feed.done:
		case <-short.C: // blocked in the caller's Read, perhaps for ever
		}
	}
	s.wait(max(writerGrace, delay))
	for _, d := range s.drains {
		if d.out != nil {
			d.out.stop()
		}
		d.r.Close()
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
