package procspawn

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

// errLinkClosed is what a Link closed on this side returns.
var errLinkClosed = fmt.Errorf("procspawn: the link is closed: %w", os.ErrClosed)

// Link is a connection whose two ends have shaken hands. Its methods may be called from different
// goroutines at the same time.
type Link struct {
	conn io.ReadWriteCloser

	// explainEnd turns an error of conn into what it means between a parent and its child. It is
	// nil on any other connection. Only if mayWait is set it may wait, some 100 ms, to learn more.
	explainEnd func(err error, mayWait bool) error

	// beforeHello keeps what comes before the hello of the other side; nil if nothing may.
	beforeHello *capture.Tail

	onClose func() // called by Close, once; may be nil
	onLose  func() // in a child, nil elsewhere: called by lose

	// Written before the Link is handed out.
	remote  Hello
	version int
	// The checksums of both hellos, with which those of what is said and heard begin.
	sumsOut, sumsIn uint32

	closing atomic.Bool   // Close has been called
	closed  chan struct{} // closed when conn has been
	ended   atomic.Int32  // which side ended the link first: endedNot and so on
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

// Version returns the version of the protocol that both sides speak.
func (l *Link) Version() int { return l.version }

// Read reads from the other side. When that is gone, the link between a parent and a child says so
// by an *Exit: how the child ended, or that the parent is gone. If a child has closed the link and
// lives on, it is io.EOF. After Close the error matches fs.ErrClosed.
func (l *Link) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if err == nil || n > 0 && l.explainEnd != nil {
		return n, nil // a pipe will return its error again
	}
	return n, l.explain(err, true)
}

// Write writes to the other side, and waits while the pipe is full. Its errors are those of Read
// where the cause is known at once, else those of the connection.
func (l *Link) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // on Windows the other side could take an empty one for the end
	}
	n, err := l.conn.Write(p)
	return n, l.explain(err, false)
}

// WriteNow writes what can be written without waiting and returns how many bytes that is: 0 and no
// error if the pipe is full or another Write is at work. Where the connection cannot do so, which
// is so on Windows, nothing is written and the error matches errors.ErrUnsupported: use Write.
func (l *Link) WriteNow(p []byte) (int, error) {
	c, ok := l.conn.(interface{ WriteNow([]byte) (int, error) })
	if !ok {
		return 0, pipes.ErrNoWriteNow
	}
	n, err := c.WriteNow(p)
	if err == pipes.ErrNoWriteNow {
		return 0, err
	}
	return n, l.explain(err, false)
}

// explain turns an error of conn into one of the Link.
func (l *Link) explain(err error, mayWait bool) error {
	switch {
	case err == nil:
		return nil
	case l.closing.Load():
		return errLinkClosed
	case l.explainEnd == nil:
		return err
	}
	return l.explainEnd(err, mayWait)
}

// lose closes a link that is of no more use although neither side has closed it: what came through
// it made no sense, say. In a child the exit timer then runs as if the parent were gone, which it
// does not after Close. It may be called after Close.
func (l *Link) lose() {
	if l.onLose != nil {
		l.onLose()
	}
	l.Close()
}

// Close closes the connection and releases whoever reads or writes. Each call returns when it is
// closed. The first returns the connection's error, the others nil.
func (l *Link) Close() error {
	if !l.closing.CompareAndSwap(false, true) {
		<-l.closed
		return nil
	}
	l.ended.CompareAndSwap(endedNot, endedHere)
	defer close(l.closed)
	if l.onClose != nil {
		l.onClose()
	}
	return l.conn.Close()
}
