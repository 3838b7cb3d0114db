package duplex

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
)

// ErrClosed is why a Conn ended, and what operations on it return, after Close on this side. It
// wraps [fs.ErrClosed].
var ErrClosed = fmt.Errorf("duplex: link closed: %w", fs.ErrClosed)

// ErrPeerClosed is why a Conn ended, in the sense of errors.Is, when the other side closed it in
// order.
var ErrPeerClosed = errors.New("duplex: the other side closed the link")

// errEmpty is why an empty message is not sent: it has no meaning, and an empty write is the end of
// the stream to some kinds of pipe.
var errEmpty = errors.New("duplex: empty message")

// A ProtocolError reports that the other side broke the rules of the wire. The Conn ends with it.
type ProtocolError struct {
	Reason string // what came and what was expected
}

func (e *ProtocolError) Error() string { return "duplex: protocol error: " + e.Reason }

func protocolErrorf(format string, args ...any) error {
	return &ProtocolError{Reason: fmt.Sprintf(format, args...)}
}

// A ChecksumError reports that what has come is not what the other side has sent, or not in its order:
// see Options.Checksum. The Conn ends with it. It wraps a [*ProtocolError].
type ChecksumError struct {
	Frame           uint64 // of those that the other side has sent, counted from 0
	Offset          uint64 // bytes that have come ahead of it, those of a hello not counted
	Found, Expected uint32 // the checksum that it has, and that of what has come and its number
}

func (e *ChecksumError) Error() string { return e.Unwrap().Error() }

// Unwrap returns a [*ProtocolError].
func (e *ChecksumError) Unwrap() error {
	return protocolErrorf("frame %d from the other side, at byte %d, has the checksum %08x, %08x was expected: bytes were changed, lost, doubled or put in on the way",
		e.Frame, e.Offset, e.Found, e.Expected)
}

// A SizeError reports a message over the limit of the side it was meant for. No byte of it has been
// sent.
type SizeError struct {
	Size, Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("duplex: message of %d bytes is over the limit of %d that the other side set", e.Size, e.Limit)
}

var (
	// ErrReset is what Read and Write of a stream return, in the sense of errors.Is, when the other
	// side has called Reset, or has ended it within a Write.
	ErrReset = errors.New("duplex: the other side has reset the stream")

	// ErrStopped is what Write of a stream returns, in the sense of errors.Is, when the other side
	// has closed it: nobody will read what is written.
	ErrStopped = errors.New("duplex: the other side reads the stream no more")

	// ErrRefused is what Open returns, in the sense of errors.Is, when the other side does not take
	// the stream. The text says why.
	ErrRefused = errors.New("duplex: the other side refused the stream")

	// ErrNoStreams is what Open returns, in the sense of errors.Is, when the other side does not
	// know streams.
	ErrNoStreams = errors.New("duplex: the other side knows no streams")
)

// Codes of a reset.
const (
	resetByUser      = iota // or the opener waits for the answer no more
	resetBacklogFull        // too many streams wait for Accept
	resetNoListener         // the last listener has been closed
	resetNoOffer            // there is no such offer any more
	resetShutdown           // the side that was to accept is shutting down
	resetCut                // it ends within what was being written: what has come is still read
)

// refused returns the error for a code with which an open was answered.
func refused(code uint32) error {
	switch code {
	case resetBacklogFull:
		return fmt.Errorf("%w: too many streams wait there to be accepted", ErrRefused)
	case resetNoListener:
		return fmt.Errorf("%w: its listener is closed", ErrRefused)
	case resetNoOffer:
		return fmt.Errorf("%w: what it offered is not there any more", ErrRefused)
	case resetShutdown:
		return fmt.Errorf("%w: %w", ErrRefused, ErrShutdown)
	case resetByUser:
		return ErrRefused
	default:
		return fmt.Errorf("%w, with code %d", ErrRefused, code)
	}
}

// errEndWaits is what CloseWrite and Close of a stream return when its end is not written before long.
var errEndWaits = fmt.Errorf("duplex: the end of the stream was not written before long, as the other side does not read: %w",
	os.ErrDeadlineExceeded)

// errStreamsClosed is ErrClosed for streams, whose users look for net.ErrClosed.
var errStreamsClosed = fmt.Errorf("%w (%w)", ErrClosed, net.ErrClosed)

// cutOff returns the error for a stream whose link has ended for a reason.
func cutOff(reason error) error {
	if reason == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return &cutOffError{reason}
}

// cutOffError is why a link has ended, as a stream says it. It hides two things that the connection
// below may have said: io.EOF there is not the end of a stream, and a deadline there is not that of
// a stream, after which one may go on. (So package net, too, finds no timeout in this error.)
type cutOffError struct{ reason error }

func (e *cutOffError) Error() string      { return e.reason.Error() }
func (e *cutOffError) As(target any) bool { return errors.As(e.reason, target) }
func (e *cutOffError) Is(target error) bool {
	return target != io.EOF && target != os.ErrDeadlineExceeded && errors.Is(e.reason, target)
}
