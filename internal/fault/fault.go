// Package fault has the errors that a call can end with, and those that cross to the other side by
// name. The root package shows them to users.
package fault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/rpc"
)

// A BodyError reports arguments or a reply that could not be encoded or
// decoded. It concerns one call; the link is as before.
type BodyError struct {
	Op     string // "encode" or "decode"
	What   string // "arguments" or "reply"
	Method string // the method called
	Type   string // the Go type of the value
	Err    error  // what was wrong
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("viaduct: cannot %s %s of %s, type %s: %v", e.Op, e.What, e.Method, e.Type, e.Err)
}

func (e *BodyError) Unwrap() error { return e.Err }

// Is makes every BodyError that is not about a reply an ErrNotBegun.
func (e *BodyError) Is(target error) bool { return target == ErrNotBegun && e.What != "reply" }

// A SizeError reports a message over the limit of the link. No byte of it has been
// sent. (A standard client or server on a lane of its own gets the lane's error instead.)
type SizeError struct {
	Size, Limit int // bytes; the size is a lower bound: no more than the limit was encoded
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("viaduct: message of %d bytes is over the limit of %d bytes (MaxMessage of the side that takes it)", e.Size, e.Limit)
}

// A ProtocolError reports a message that is no MessagePack-RPC, or that has no
// place where it came. It ends the connection.
type ProtocolError struct {
	Reason string // what came and what was expected
	Err    error  // perhaps nil
}

func (e *ProtocolError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("viaduct: protocol error: %s: %v", e.Reason, e.Err)
	}
	return "viaduct: protocol error: " + e.Reason
}

func (e *ProtocolError) Unwrap() error { return e.Err }

// A DownError is what calls fail with when the link they need has ended other
// than by Close on this side, which is [rpc.ErrShutdown] itself. It unwraps to what ended it.
// errors.Is(err, rpc.ErrShutdown) is true of it.
type DownError struct {
	Err error // for instance io.ErrUnexpectedEOF, *ProtocolError, *procspawn.Exit
}

func (e *DownError) Error() string { return "viaduct: link is down: " + e.Err.Error() }

func (e *DownError) Unwrap() error { return e.Err }

// Is makes every DownError an rpc.ErrShutdown, which is what existing code looks for.
func (e *DownError) Is(target error) bool { return target == rpc.ErrShutdown }

// A ShutdownError is what a call fails with that was not begun, as one of the sides is shutting the
// link down. It unwraps to the link's error for that. errors.Is(err, rpc.ErrShutdown) is true of
// it.
type ShutdownError struct{ Err error }

func (e *ShutdownError) Error() string { return "viaduct: call refused: " + e.Err.Error() }

func (e *ShutdownError) Unwrap() error { return e.Err }

// Is makes every ShutdownError an rpc.ErrShutdown, which is what existing code looks for, and an
// ErrNotBegun.
func (e *ShutdownError) Is(target error) bool {
	return target == rpc.ErrShutdown || target == ErrNotBegun
}

// Down says what calls fail with when a link has ended with err.
func Down(err error) error {
	var down *DownError
	switch {
	case err == nil, err == rpc.ErrShutdown, closedHere(err):
		return rpc.ErrShutdown
	case errors.As(err, &down):
		return err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return &DownError{Err: err}
}

// closedHere reports whether err says that this side has closed the connection.
// It does not look into errors that wrap several: there the other side may
// have closed it first.
func closedHere(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err == fs.ErrClosed || err == net.ErrClosed || err == io.ErrClosedPipe {
			return true
		}
	}
	return false
}
