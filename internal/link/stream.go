package link

import (
	"errors"
	"io"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Messages carries whole messages. A lane of package duplex is one, and
// every other connection is made one by NewStream. Each message read is the
// caller's to keep.
type Messages interface {
	ReadMessage() ([]byte, error)
	WriteMessage([]byte) error
	Close() error
}

// Of returns conn as what carries messages of up to max bytes.
func Of(conn io.ReadWriteCloser, max int) Messages {
	if m, ok := conn.(Messages); ok {
		return m
	}
	return NewStream(conn, max)
}

// Stream finds messages on a bare connection. Reading is for one goroutine,
// writing for one at a time.
type Stream struct {
	io.ReadWriteCloser
	max int

	// Owned by the reading goroutine.
	buf    []byte // what is in it was read and not returned yet
	base   []byte // all of the buffer, the start of which buf may have left behind
	finder mpack.Finder
}

// NewStream makes conn a Stream. max is the largest message either way, in bytes.
func NewStream(conn io.ReadWriteCloser, max int) *Stream {
	return &Stream{ReadWriteCloser: conn, max: max}
}

const (
	// streamBuffer is the size of an empty buffer.
	streamBuffer = 4 << 10
	// streamRead is the least that is asked of the connection at once.
	streamRead = 512
	// streamKeep is the largest buffer kept when there is nothing in it.
	streamKeep = 64 << 10
)

// ReadMessage returns io.EOF only between messages. No byte is looked at twice,
// however slowly a long message comes in.
func (s *Stream) ReadMessage() ([]byte, error) {
	for {
		n, err := s.finder.Find(s.buf, s.max)
		if err != nil {
			return nil, &fault.ProtocolError{Reason: "unreadable message", Err: err}
		}
		if n > 0 {
			s.finder.Reset()
			return s.take(n), nil
		}
		s.makeRoom()
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

// take returns the first n bytes, for the caller to keep. A message that fills
// most of the buffer takes it along, so that it is not copied; others are
// copied, so that they do not keep it from being used or freed.
func (s *Stream) take(n int) []byte {
	if n > cap(s.base)/2 {
		msg, rest := s.buf[:n:n], s.buf[n:]
		s.base = nil
		if s.buf = nil; len(rest) > 0 {
			s.replace(rest, max(streamBuffer, 2*len(rest)))
		}
		return msg
	}
	msg := append(make([]byte, 0, n), s.buf[:n]...)
	switch s.buf = s.buf[n:]; {
	case len(s.buf) > 0:
	case cap(s.base) > streamKeep:
		s.base, s.buf = nil, nil
	default:
		s.buf = s.base[:0]
	}
	return msg
}

// makeRoom makes room to read into: at the start of the buffer if half of it is free, otherwise by
// doubling it.
func (s *Stream) makeRoom() {
	switch {
	case cap(s.buf)-len(s.buf) >= streamRead:
	case s.base != nil && len(s.buf) <= cap(s.base)/2:
		s.buf = s.base[:copy(s.base[:cap(s.base)], s.buf)]
	default:
		s.replace(s.buf, max(streamBuffer, 2*cap(s.base)))
	}
}

func (s *Stream) replace(b []byte, size int) {
	s.base = make([]byte, 0, size)
	s.buf = append(s.base, b...)
}

// WriteMessage writes msg in one call.
func (s *Stream) WriteMessage(msg []byte) error {
	if len(msg) > s.max {
		return &fault.SizeError{Size: len(msg), Limit: s.max}
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

// IsWriteError reports whether err is of a write of which a part may have left.
func IsWriteError(err error) bool {
	var w *writeError
	return errors.As(err, &w)
}
