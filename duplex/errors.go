package duplex

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrClosed is why a Conn ended, and what operations on it return, after Close
// on this side. It wraps [fs.ErrClosed].
var ErrClosed = fmt.Errorf("duplex: link closed: %w", fs.ErrClosed)

// ErrPeerClosed is why a Conn ended, in the sense of errors.Is, when the other
// side closed it in order.
var ErrPeerClosed = errors.New("duplex: the other side closed the link")

// errEmpty: an empty message has no meaning, and an empty write is the end of
// the stream to some kinds of pipe.
var errEmpty = errors.New("duplex: empty message")

// A ProtocolError reports that the other side broke the rules of the wire.
// The Conn ends with it.
type ProtocolError struct {
	Reason string // what came and what was expected
}

func (e *ProtocolError) Error() string { return "duplex: protocol error: " + e.Reason }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// A SizeError reports a message over the limit of the side it was meant for.
// No byte of it has been sent.
type SizeError struct {
	Size, Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("duplex: message of %d bytes is over the limit of %d that the other side set", e.Size, e.Limit)
}
