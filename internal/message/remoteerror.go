package message

import (
	"cmp"
	"errors"
	"fmt"
	"net/rpc"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// RemoteError is what the other side has said of a call that failed, if that was more than a text.
type RemoteError struct {
	text  string
	parts []error
}

func (e *RemoteError) Error() string   { return e.text }
func (e *RemoteError) Unwrap() []error { return e.parts }

// As makes it the rpc.ServerError that errors of the other side are.
func (e *RemoteError) As(target any) bool {
	if t, ok := target.(*rpc.ServerError); ok {
		*t = rpc.ServerError(e.text)
		return true
	}
	return false
}

// Error returns the error that a response is, nil if it is none: an rpc.ServerError or a
// *RemoteError.
func (c *Codec) Error(m *Message) error {
	if m.Err == nil {
		return nil
	}
	b := m.checkedError()
	if c.Extended {
		if e := c.readError(b); e != nil {
			return e
		}
	}
	return rpc.ServerError(textOf(b))
}

// ErrorText returns the text of the error that a response is, "" if it is none.
func (c *Codec) ErrorText(m *Message) string {
	if err := c.Error(m); err != nil {
		return cmp.Or(err.Error(), fault.Unknown)
	}
	return ""
}

// textOf writes out an error: peers other than viaduct send any type.
func textOf(b []byte) string {
	text, err := mpack.Text(b)
	if err != nil || text == "" {
		return fault.Unknown
	}
	return text
}

const (
	maxNames = 64           // of an error that are looked at
	maxParts = maxNames + 8 // of one
)

// readError returns nil if b, of which only the structure was checked, is no map with a text.
func (c *Codec) readError(b []byte) *RemoteError {
	e, known := &RemoteError{}, false
	_, err := mpack.EachPair(b, body.MostDepth, func(key, value []byte) error {
		switch string(key) {
		case keyText:
			text, _, err := mpack.ReadString(value)
			e.text, known = string(text), true
			return err
		case keyIs:
			for _, name := range mpack.ReadStrings(value, min(maxNames, maxParts-len(e.parts))) {
				if err := fault.Named(name); err != nil {
					e.parts = append(e.parts, err)
				}
			}
		default:
			if len(e.parts) == maxParts {
				break
			}
			if part := c.readPart(string(key), value); part != nil {
				e.parts = append(e.parts, part)
			}
		}
		return nil
	})
	if err != nil || !known {
		return nil
	}
	return e
}

// readPart returns nil for what this side does not know or understand.
func (c *Codec) readPart(key string, b []byte) error {
	switch key {
	case keyPanic:
		if s := mpack.ReadStrings(b, 2); len(s) >= 2 {
			return &fault.PanicError{Value: s[0], Stack: s[1], Ends: endsTrue(b)}
		}
	case keyBody:
		if s := mpack.ReadStrings(b, 5); len(s) >= 5 {
			return &fault.BodyError{Op: s[0], What: s[1], Method: s[2], Type: s[3], Err: errors.New(s[4])}
		}
	case keyOver:
		if e := readSizeError(b); e != nil {
			return e
		}
	case keyError:
		if e := c.readUserError(b); e != nil {
			return e
		}
	}
	return nil
}

func readSizeError(b []byte) *fault.SizeError {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 2 {
		return nil
	}
	size, b, err := mpack.ReadInt(b)
	if err != nil {
		return nil
	}
	limit, _, err := mpack.ReadInt(b)
	if err != nil {
		return nil
	}
	return &fault.SizeError{Size: size, Limit: limit}
}

func (c *Codec) readUserError(b []byte) *fault.Error {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 3 {
		return nil
	}
	code, b, err := mpack.ReadInt(b)
	if err != nil {
		return nil
	}
	message, b, err := mpack.ReadString(b)
	if err != nil {
		return nil
	}
	e := &fault.Error{Code: code, Message: string(message)}
	size, err := mpack.Skip(b, body.MostDepth)
	if err == nil {
		err = c.Body.Plain().Decode(b[:size:size], &e.Data)
	}
	if err != nil {
		e.Data = fmt.Errorf("viaduct: cannot decode the data of an error: %w", err)
	}
	return e
}

// endsTrue reports whether the array b has a true as its third element, which older peers do not send.
func endsTrue(b []byte) bool {
	n, b, err := mpack.ReadArray(b)
	for i := 0; err == nil && i < 2; i++ {
		_, b, err = mpack.ReadString(b)
	}
	if err != nil || n < 3 {
		return false
	}
	h, err := mpack.ReadHead(b)
	return err == nil && h.Kind == mpack.Bool && h.Num == 1
}
