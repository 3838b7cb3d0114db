package viaduct

import (
	"errors"
	"io"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// messageConn carries whole messages. A lane of package duplex is one, and
// every other connection is made one by newStream. Each message read is the
// caller's to keep.
type messageConn interface {
	ReadMessage() ([]byte, error)
	WriteMessage([]byte) error
	Close() error
}

func messagesOf(conn io.ReadWriteCloser, opts *Options) messageConn {
	if m, ok := conn.(messageConn); ok {
		return m
	}
	return newStream(conn, opts.maxMessage())
}

// stream finds messages on a bare connection. Reading is for one goroutine,
// writing for one at a time.
type stream struct {
	io.ReadWriteCloser
	max int

	// Owned by the reading goroutine.
	buf    []byte // read and not returned yet
	finder mpack.Finder
}

func newStream(conn io.ReadWriteCloser, max int) *stream {
	return &stream{ReadWriteCloser: conn, max: max}
}

// streamBuffer is what is asked of a bare connection at once.
const streamBuffer = 4 << 10

// ReadMessage returns io.EOF only between messages. No byte is looked at twice,
// however slowly a long message comes in.
func (s *stream) ReadMessage() ([]byte, error) {
	for {
		n, err := s.finder.Find(s.buf, s.max)
		if err != nil {
			return nil, &ProtocolError{"unreadable message", err}
		}
		if n > 0 {
			s.finder.Reset()
			msg := s.buf[:n:n]
			// What is behind it moves to a buffer of its own: msg is the caller's.
			s.buf = append(make([]byte, 0, max(streamBuffer, len(s.buf)-n)), s.buf[n:]...)
			return msg, nil
		}
		if len(s.buf) == cap(s.buf) {
			s.buf = append(make([]byte, 0, max(streamBuffer, 2*cap(s.buf))), s.buf...)
		}
		m, err := s.Read(s.buf[len(s.buf):cap(s.buf)])
		s.buf = s.buf[:len(s.buf)+m]
		if m > 0 {
			continue // an error comes again
		}
		if err == io.EOF && len(s.buf) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
}

// WriteMessage writes msg in one call.
func (s *stream) WriteMessage(msg []byte) error {
	if len(msg) > s.max {
		return &SizeError{Size: len(msg), Limit: s.max}
	}
	_, err := s.Write(msg)
	if err != nil {
		return &writeError{err}
	}
	return nil
}

// writeError marks errors after which part of a message may have left: the
// connection is of no use any more.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func isWriteError(err error) bool {
	var w *writeError
	return errors.As(err, &w)
}
