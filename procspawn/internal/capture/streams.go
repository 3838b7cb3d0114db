package capture

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

const (
	// writerGrace is how long at least the end of a process waits for a caller's writer that is at
	// work when everything else is done.
	writerGrace = time.Second

	// turnGrace is how long it waits for what lies in a pipe to be read, which takes no time but on a
	// machine that has none.
	turnGrace = 10 * time.Second

	// readerGrace is how long it waits for a caller's reader, which may be blocked for ever.
	readerGrace = 50 * time.Millisecond
)

// Streams are our ends of those standard streams of a child for which the caller gave no file, and
// of the pipe for its crash output. The calls come in this order: Attach and AttachCrash; Run, or
// Abandon if nothing was started; when the process has exited Finish, Report and Release.
//
// Package os/exec has copying goroutines of its own. But its Wait waits for them until the last
// process that holds the stream is gone, and its remedy for that, Cmd.WaitDelay, would change what
// the end of the command's context means.
type Streams struct {
	drains    []*drain
	feed      *feed       // stdin; nil if there is nothing to feed
	childEnds []io.Closer // open until the child has been started

	// What is kept for the report. Each is nil if the caller's file took it, or nothing asks for
	// it.
	stderr, stdout *Tail
	scan           *crashScan
	crash          *head
}

// Report is what was kept of what a child has printed.
type Report struct {
	Stderr, Stdout                 []byte // the last TailSize bytes
	StderrCaptured, StdoutCaptured bool   // they are known, and not the caller's file's
	Crash                          []byte // nil: it has not crashed, or that is not known
	WriteErr                       error  // of a writer of the caller
}

// Attach puts pipes into those of cmd's standard streams that are no files.
func (s *Streams) Attach(cmd *exec.Cmd) error {
	err := s.attachErr(cmd)
	if err == nil {
		err = s.attachOut(cmd)
	}
	if err == nil {
		err = s.attachIn(cmd)
	}
	return err
}

func (s *Streams) attachErr(cmd *exec.Cmd) error {
	if isFile(cmd.Stderr) {
		return nil
	}
	s.stderr, s.scan = new(Tail), new(crashScan)
	w, err := s.drainTo(cmd.Stderr, s.stderr, s.scan)
	if err != nil {
		return err
	}
	// As os/exec promises: a writer given for both is called by one goroutine at a time.
	if cmd.Stdout != nil && sameWriter(cmd.Stdout, cmd.Stderr) {
		cmd.Stdout = w
	}
	cmd.Stderr = w
	return nil
}

func (s *Streams) attachOut(cmd *exec.Cmd) (err error) {
	switch {
	case cmd.Stdout == nil:
		s.stdout = new(Tail)
		cmd.Stdout, err = s.drainTo(nil, s.stdout)
	case !isFile(cmd.Stdout):
		cmd.Stdout, err = s.drainTo(cmd.Stdout)
	}
	return err
}

func (s *Streams) attachIn(cmd *exec.Cmd) error {
	if _, ok := cmd.Stdin.(*os.File); ok || cmd.Stdin == nil {
		return nil
	}
	w, r, err := pipes.NewIn()
	if err != nil {
		return err
	}
	s.childEnds = append(s.childEnds, r)
	s.feed = &feed{w: w, from: cmd.Stdin, done: make(chan struct{})}
	cmd.Stdin = r
	return nil
}

// KeepStdout returns what will stand for stdout in the report, for who reads that himself.
func (s *Streams) KeepStdout() *Tail {
	s.stdout = new(Tail)
	return s.stdout
}

// AttachCrash makes the pipe for crash output and returns the child's end, which Run closes.
func (s *Streams) AttachCrash() (pipes.ChildEnd, error) {
	r, w, err := pipes.NewCrash()
	if err != nil {
		return w, err
	}
	s.crash = new(head)
	s.drain(r, w, nil, s.crash)
	return w, nil
}

// drainTo makes a pipe, whose child's end it returns. What comes goes to a writer, if it is not
// nil, and to keepers.
func (s *Streams) drainTo(to io.Writer, keep ...keeper) (*os.File, error) {
	r, w, err := pipes.NewOut()
	if err != nil {
		return nil, err
	}
	s.drain(r, w, to, keep...)
	return w, nil
}

// drain prepares the draining of a pipe. Run begins it.
func (s *Streams) drain(r *pipes.Reader, childEnd io.Closer, to io.Writer, keep ...keeper) {
	s.childEnds = append(s.childEnds, childEnd)
	d := &drain{r: r, keep: keep, done: make(chan struct{})}
	if to != nil {
		d.out = newOutlet(to)
	}
	s.drains = append(s.drains, d)
}

// Report returns what has been kept of a process that has ended with an exit code, or by a signal.
// If a stream has not been read to its end, it is what has come so far.
func (s *Streams) Report(code int, sig os.Signal) (r Report) {
	r.Stderr, r.StderrCaptured = s.stderr.Bytes()
	r.Stdout, r.StdoutCaptured = s.stdout.Bytes()
	crashed := code == crashCode || sig != nil && sig != os.Kill
	if s.crash == nil {
		// A program that runs the child for us may exit with a code of its own.
		crashed = crashed || code > 0
	}
	r.Crash = wholeCrash(s.crash.bytes(), s.scan.bytes(), crashed)
	for _, d := range s.drains {
		if d.out != nil && r.WriteErr == nil {
			r.WriteErr = d.out.err()
		}
	}
	return r
}

func isFile(w io.Writer) bool {
	_, ok := w.(*os.File)
	return ok
}

// sameWriter is a == b, false where they cannot be compared.
func sameWriter(a, b io.Writer) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

// Abandon closes everything: the start has failed.
func (s *Streams) Abandon() {
	s.closeChildEnds()
	for _, d := range s.drains {
		d.r.Close()
	}
	if s.feed != nil {
		s.feed.w.Close()
	}
}

// closeChildEnds is called when the child has them, or there is none.
func (s *Streams) closeChildEnds() {
	for _, end := range s.childEnds {
		end.Close()
	}
	s.childEnds = nil
}

// Run begins to copy: the child has been started, and has its ends.
func (s *Streams) Run() {
	s.closeChildEnds()
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

// Finish is called when the process has exited. It returns when the streams have been read to their
// end and written to the caller's writers, or at the deadline and, if something still lies in a pipe
// then, turnGrace later at the latest, writerGrace if a caller's writer is what holds it up.
func (s *Streams) Finish(deadline time.Time) {
	if s.feed != nil {
		// It releases a blocked Write. Nobody can release a blocked Read of the caller's reader.
		s.feed.w.Close()
	}
	for _, d := range s.drains {
		d.r.SetReadDeadline(deadline)
		if d.out != nil {
			close(d.out.exited)
		}
	}
	s.wait(time.Until(deadline))
	// A drain that has not ended waits for its turn, on a busy machine, or for a caller's writer
	// that has fallen far behind.
	turns, cancel := context.WithTimeout(context.Background(), turnGrace)
	defer cancel()
	writers, cancel := context.WithTimeout(turns, writerGrace)
	defer cancel()
	for _, d := range s.drains {
		select {
		case <-d.done:
			continue
		case <-writers.Done():
		}
		if d.out != nil && d.out.isFull() { // and who knows when its writer returns
			continue
		}
		select {
		case <-d.done:
		case <-turns.Done():
		}
	}
}

// wait waits until all was read and written, at most for d.
func (s *Streams) wait(d time.Duration) {
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

// Release waits for a caller's writer or reader that is at work, for writerGrace, or for delay if
// that is more, and sees to it that no writer is called any more.
func (s *Streams) Release(delay time.Duration) {
	if s.feed != nil {
		short := time.NewTimer(readerGrace)
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
	from io.Reader     // the caller's
	done chan struct{} // closed by run
}

func (f *feed) run() {
	defer close(f.done)
	defer f.w.Close()
	io.Copy(f.w, f.from) // its error is none of ours: a child need not read it all
}
