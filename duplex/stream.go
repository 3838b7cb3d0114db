package duplex

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// A Stream is one end of a byte stream on a Conn: a [net.Conn] with half-close and reset. Its
// methods may be called from any goroutine.
//
// Bytes that nobody reads take their window (64 KiB, growing to [Options].StreamWindow while both
// sides keep up), and hold up nothing else.
//
// Its errors are a [*net.OpError], but for io.EOF. That wraps [net.ErrClosed] after Close on this
// side, [os.ErrDeadlineExceeded], [ErrReset], [ErrStopped], or why the link has ended.
type Stream struct {
	streams *streams
	out     outStream
	in      inStream

	reading, writing chan struct{} // one slot: held by the Read, and the Write, that is at work
	closed           chan struct{} // closed by Close and Reset
	answered         chan struct{} // one slot: the other side has answered the open; of the opener
	readBy, writeBy  deadline

	// Guarded by streams.mu.
	state   streamState
	key     streamKey // while it is in the table
	offer   uint32    // its name while it is offered, otherwise 0
	refused error     // why it was not accepted; of the opener
}

// Read reads what has come. It waits until there is something, the other side has ended the stream
// (io.EOF), or the deadline passes.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.read(p)
	return n, s.opError("read", err)
}

func (s *Stream) read(p []byte) (int, error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-s.readBy.wait():
		return 0, s.orClosed(os.ErrDeadlineExceeded)
	case <-s.closed:
		return 0, net.ErrClosed
	}
	for {
		late := s.readBy.wait()
		n, grant, err := s.readNow(p, late)
		if grant > 0 {
			s.out.grant(grant)
		}
		switch {
		case n > 0:
			s.streams.hasRead(s)
			return n, nil
		case err != nil || len(p) == 0:
			return 0, err
		}
		select {
		case <-s.in.changed:
		case <-late:
		}
	}
}

// readNow takes what is there. If it returns neither bytes nor an error, there is nothing yet.
func (s *Stream) readNow(p []byte, late <-chan struct{}) (n int, grant int64, err error) {
	switch {
	case isClosed(s.closed):
		s.in.stopWaiting() // before p is the caller's again
		return 0, 0, net.ErrClosed
	case isClosed(late):
		n, grant = s.in.stopWaiting()
		return n, grant, os.ErrDeadlineExceeded
	case len(p) == 0:
		return 0, 0, nil
	}
	return s.in.take(p)
}

// Write writes p. It waits for credit, and returns nil when all of p is with the operating system:
// it arrives although this process ends right then. The deadline ends the waiting. If Write returns
// an error, the other side gets no more than the first n bytes.
func (s *Stream) Write(p []byte) (int, error) {
	n, err := s.write(p)
	return n, s.opError("write", err)
}

func (s *Stream) write(p []byte) (int, error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-s.writeBy.wait():
		return 0, s.orClosed(os.ErrDeadlineExceeded)
	case <-s.closed:
		return 0, net.ErrClosed
	}
	late := s.writeBy.wait()
	switch {
	case isClosed(s.closed): // whatever happened before
		return 0, net.ErrClosed
	case isClosed(late):
		return 0, os.ErrDeadlineExceeded
	}
	batch, err := s.out.write(p)
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if batch != 0 {
		return len(p), s.awaitWritten(batch, late)
	}
	s.out.w.waits.begin()
	defer s.out.w.waits.end()
	for giveUp := false; ; {
		select {
		case <-s.out.wrote:
		case <-late:
			giveUp = true
		case <-s.out.w.done:
		}
		n, batch, err := s.out.progress(len(p), giveUp)
		switch {
		case err != nil:
			return n, err
		case n == len(p):
			return n, s.awaitWritten(batch, late)
		}
	}
}

// awaitWritten waits until the last byte of a Write, which is in this batch, is with the system.
func (s *Stream) awaitWritten(batch uint64, late <-chan struct{}) error {
	w := s.out.w
	written := w.written(batch)
	if written == nil {
		return nil
	}
	select {
	case <-written:
		return nil
	case <-late:
		return w.unlessWritten(batch, os.ErrDeadlineExceeded)
	case <-s.closed:
		return w.unlessWritten(batch, net.ErrClosed)
	case <-w.done:
		return w.unlessWritten(batch, errEnded)
	}
}

// awaitEnd waits until the end of this side's half is with the system, for a moment.
func (s *Stream) awaitEnd() error {
	w := s.out.w
	batch, written, err := s.out.endSent()
	if written == nil {
		return err
	}
	if err := w.awaitMoment(written); err != nil {
		return w.unlessWritten(batch, err)
	}
	return nil
}

// orClosed returns net.ErrClosed if this side has closed the stream, and err otherwise.
func (s *Stream) orClosed(err error) error {
	if isClosed(s.closed) {
		return net.ErrClosed
	}
	return err
}

// CloseWrite ends this side's half: the other side reads io.EOF behind what has been written.
// Reading goes on. It waits until the end is with the operating system, 50 ms at most (500 ms on a
// machine so busy that this process has no turn to write), and not for credit. If that is not so by
// then, or the link has begun to end, it returns an error. (The end of an offer that nobody has
// opened waits for that by itself; if the link ends first nobody misses it, and it is no error.)
//
// A Write that waits for another to end has not begun, and fails. If one is at work, it fails, and
// the stream ends for reading, too. The other side then reads what was sent and, as that is not
// all, [ErrReset]. Once the link has begun to end, the other side reads why that ended, and no
// io.EOF.
func (s *Stream) CloseWrite() error {
	if isClosed(s.closed) {
		return s.opError("close", net.ErrClosed)
	}
	s.streams.closeOut(s)
	s.out.w.flush()
	return s.opError("close", s.awaitEnd())
}

// Close ends both halves: the other side reads what has been written and then io.EOF, and its
// writes fail with [ErrStopped]. For how long it waits, for its errors, for a Write at work, and
// for a link that has begun to end, see [Stream.CloseWrite]. The stream is closed whatever Close
// returns.
func (s *Stream) Close() error {
	if !s.streams.closeOnce(s) {
		return nil
	}
	s.readBy.close()
	s.writeBy.close()
	if cut := s.streams.closeOut(s); !cut {
		s.streams.endIn(s)
	}
	s.out.w.flush()
	return s.opError("close", s.awaitEnd())
}

// Reset ends the stream at once: what has come, or is on its way, is dropped on both sides. There
// Read and Write fail with [ErrReset]. It does not block, and returns nil.
func (s *Stream) Reset() error {
	if !s.streams.closeOnce(s) {
		return nil
	}
	s.readBy.close()
	s.writeBy.close()
	s.streams.reset(s, resetByUser, net.ErrClosed)
	s.out.w.flush()
	return nil
}

// SetDeadline sets the deadlines of Read and Write, of those at work, too. A zero t is none.
func (s *Stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.setDeadline(&s.readBy, t) }

// SetWriteDeadline sets the deadline of Write. A Write that it ends returns how much was sent.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.setDeadline(&s.writeBy, t) }

func (s *Stream) setDeadline(d *deadline, t time.Time) error {
	if isClosed(s.closed) {
		return s.opError("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}

// LocalAddr returns an address that names the stream within its link.
func (s *Stream) LocalAddr() net.Addr { return s.addr(true) }

// RemoteAddr returns an address that names the stream within its link.
func (s *Stream) RemoteAddr() net.Addr { return s.addr(false) }

func (s *Stream) addr(local bool) net.Addr {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	switch {
	case s.offer != 0:
		return Addr(fmt.Sprintf("offer-%d", s.offer))
	case s.key.mine == local:
		return Addr(fmt.Sprintf("opener-%d", s.key.id))
	default:
		return Addr(fmt.Sprintf("acceptor-%d", s.key.id))
	}
}

// String names the stream within its link.
func (s *Stream) String() string {
	return fmt.Sprintf("viaduct %v->%v", s.LocalAddr(), s.RemoteAddr())
}

// Addr is an end of a stream: who it is, and the number of the stream.
type Addr string

// Network returns "viaduct".
func (Addr) Network() string  { return "viaduct" }
func (a Addr) String() string { return string(a) }

// opError wraps what went wrong as package net does.
func (s *Stream) opError(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "viaduct", Source: s.LocalAddr(), Addr: s.RemoteAddr(), Err: s.streams.endErr(err)}
}
