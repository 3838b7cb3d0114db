package procspawn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// errLinkClosed is what a Link closed on this side returns.
var errLinkClosed = fmt.Errorf("procspawn: the link is closed: %w", os.ErrClosed)

// Link is a connection whose two ends have shaken hands. Read, Write and Close
// may be called from different goroutines at the same time.
type Link struct {
	conn io.ReadWriteCloser

	// hangup turns an error of conn into what it means on this side of a
	// process pair; nil on any other connection. It may wait (see grace) only
	// if patient.
	hangup func(err error, patient bool) error

	// printed keeps what comes before the hello of the other side; nil if nothing may.
	printed *tail

	// unlinked, in a child, is called when the link has been closed on this side.
	unlinked func()

	// lost notes, in a child, that the link has ended other than by Close; nil elsewhere.
	lost func()

	// Written before the Link is handed out.
	remote  Hello
	version int

	closing atomic.Bool   // Close has been called
	closed  chan struct{} // closed when conn has been
	ended   atomic.Int32  // who ended the link first: nobody, here or there
}

const (
	endedNot = iota
	endedHere
	endedThere
)

func newLink(conn io.ReadWriteCloser) *Link {
	return &Link{conn: conn, closed: make(chan struct{})}
}

// Remote returns what the other side said about itself.
func (l *Link) Remote() Hello { return l.remote }

// Version returns the protocol version both sides speak.
func (l *Link) Version() int { return l.version }

// Read reads from the other side. When that side is gone, the link between a
// parent and a child says so by an *Exit: how the child ended, or that the
// parent is gone. A child that has closed the link and lives on reads as
// io.EOF. After Close the error matches fs.ErrClosed.
func (l *Link) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if err == nil || n > 0 && l.hangup != nil {
		return n, nil // a pipe will say it again
	}
	return n, l.explain(err, true)
}

// Write writes to the other side. Its errors are those of Read where the
// cause is known at once.
func (l *Link) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // some systems read an empty message as the end
	}
	n, err := l.conn.Write(p)
	return n, l.explain(err, false)
}

// WriteNow writes what can be written without waiting and returns how much
// that is: 0 and no error if the pipe is full or another Write is at work. It
// returns an error that matches errors.ErrUnsupported where the connection
// cannot do so; then nothing was written and Write must be used.
func (l *Link) WriteNow(p []byte) (int, error) {
	c, ok := l.conn.(interface{ WriteNow([]byte) (int, error) })
	if !ok {
		return 0, errNoWriteNow
	}
	n, err := c.WriteNow(p)
	if err == errNoWriteNow {
		return 0, err
	}
	return n, l.explain(err, false)
}

var errNoWriteNow = fmt.Errorf("procspawn: this connection cannot write without waiting: %w", errors.ErrUnsupported)

func (l *Link) explain(err error, patient bool) error {
	switch {
	case err == nil:
		return nil
	case l.closing.Load():
		return errLinkClosed
	case l.hangup == nil:
		return err
	}
	return l.hangup(err, patient)
}

// lose closes a link that is of no more use although neither side has closed it: what came through it
// made no sense, say. In a child the exit timer then runs as if the parent were gone, which it does
// not after Close. It may be called after Close.
func (l *Link) lose() {
	if l.lost != nil {
		l.lost()
	}
	l.Close()
}

// Close closes the connection and releases whoever reads or writes. Each call
// returns when it is closed; the first returns the connection's error.
func (l *Link) Close() error {
	if !l.closing.CompareAndSwap(false, true) {
		<-l.closed
		return nil
	}
	l.ended.CompareAndSwap(endedNot, endedHere)
	defer close(l.closed)
	if l.unlinked != nil {
		l.unlinked()
	}
	return l.conn.Close()
}
