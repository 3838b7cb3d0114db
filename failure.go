package viaduct

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/rpc"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// failure is what the other side has said of a call that failed, if that was more than a text.
type failure struct {
	text  string
	parts []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.parts }

// As makes it the rpc.ServerError that errors of the other side are.
func (f *failure) As(target any) bool {
	if t, ok := target.(*rpc.ServerError); ok {
		*t = rpc.ServerError(f.text)
		return true
	}
	return false
}

// ownError is an error that the library itself answers a call with.
type ownError struct {
	text string
	is   error // registered, or a type that crosses
}

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return e.is }

var (
	errCancelled = &ownError{"viaduct: call cancelled", context.Canceled}
	errTooLate   = &ownError{"viaduct: the deadline of the call was over before its method began", context.DeadlineExceeded}
)

// The keys of an error that is more than a text.
const (
	keyText  = "text"
	keyIs    = "is"    // names of the errors that it wraps
	keyError = "error" // an *Error: code, message, data
	keyPanic = "panic" // a *PanicError: value, stack
	keyBody  = "body"  // a *BodyError: its fields
	keySize  = "size"  // a *SizeError: its fields
)

// failed is an error that a call is answered with. Those of methods carry what the user's error is made of; those
// of the library (own) also the library's types, which, coming from a method, would be about another call.
type failed struct {
	err  error
	text string // by which net/rpc knows it
	own  bool
}

// appendFailure appends a response that is f, or its text where that is all there is to it or the other side understands.
func (o *Options) appendFailure(b []byte, id uint32, f *failed) []byte {
	if !o.extended() {
		return appendErrorReply(b, id, f.text)
	}
	p := partsOf(f)
	if p.pairs() == 1 {
		return appendErrorReply(b, id, f.text)
	}
	start := len(b)
	b = appendErrorHead(b, id)
	b, err := o.appendParts(b, p)
	if err != nil {
		p.note = fmt.Sprintf(" (its data cannot be sent: %v)", err)
		b, _ = o.appendParts(appendErrorHead(b[:start], id), p)
	}
	return mpack.AppendNil(b)
}

// failureParts is what crosses of an error.
type failureParts struct {
	text string
	is   []string
	err  *Error
	trap *PanicError
	body *BodyError
	size *SizeError
	note string // why the data of err does not cross
}

func partsOf(f *failed) *failureParts {
	p := &failureParts{text: f.err.Error()}
	if f.own {
		errors.As(f.err, &p.trap)
		errors.As(f.err, &p.body)
		errors.As(f.err, &p.size)
		for name, err := range ownErrors {
			if errors.Is(f.err, err) {
				p.is = append(p.is, name)
			}
		}
		if p.body != nil {
			return p // what that wraps is about its encoding
		}
	}
	p.is = append(p.is, namesOf(f.err)...)
	errors.As(f.err, &p.err)
	return p
}

func (p *failureParts) pairs() int {
	n := 1
	for _, there := range []bool{p.is != nil, p.err != nil, p.trap != nil, p.body != nil, p.size != nil} {
		if there {
			n++
		}
	}
	return n
}

func (o *Options) appendParts(b []byte, p *failureParts) (_ []byte, err error) {
	b = mpack.AppendMap(b, p.pairs())
	b = appendStrings(b, keyText, p.text+p.note)
	if p.is != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyIs), len(p.is))
		b = appendStrings(b, p.is...)
	}
	if p.trap != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyPanic), 2)
		b = appendStrings(b, p.trap.Value, p.trap.Stack)
	}
	if p.body != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyBody), 5)
		b = appendStrings(b, p.body.Op, p.body.What, p.body.Method, p.body.Type, p.body.Err.Error())
	}
	if p.size != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keySize), 2)
		b = mpack.AppendInt(mpack.AppendInt(b, int64(p.size.Size)), int64(p.size.Limit))
	}
	if p.err == nil {
		return b, nil
	}
	b = mpack.AppendArray(mpack.AppendString(b, keyError), 3)
	b = mpack.AppendInt(b, int64(p.err.Code))
	b = mpack.AppendString(b, p.err.Message)
	if p.err.Data == nil || p.note != "" {
		return mpack.AppendNil(b), nil
	}
	return o.plain().appendBody(b, &p.err.Data) // by way of the interface, so that its type crosses, too
}

func appendStrings(b []byte, list ...string) []byte {
	for _, s := range list {
		b = mpack.AppendString(b, s)
	}
	return b
}

// failureOf returns the error that a response is, nil if it is none.
func (o *Options) failureOf(m *message) error {
	if m.err == nil {
		return nil
	}
	if f := o.decodeFailure(m.err); f != nil {
		return f
	}
	return rpc.ServerError(m.errorText())
}

// errorText is failureOf for who wants its text alone, empty if there is none.
func (o *Options) errorText(m *message) string {
	if err := o.failureOf(m); err != nil {
		if text := err.Error(); text != "" {
			return text
		}
		return unknownError
	}
	return ""
}

// decodeFailure returns nil if b, of which only the structure was checked, is no map with a text.
func (o *Options) decodeFailure(b []byte) *failure {
	if !o.extended() {
		return nil
	}
	n, b, err := mpack.ReadMap(b)
	if err != nil {
		return nil
	}
	f, known := &failure{}, false
	for range n {
		key, rest, err := mpack.ReadString(b)
		if err != nil {
			return nil
		}
		size, err := mpack.Skip(rest, o.maxDepth())
		if err != nil {
			return nil
		}
		value := rest[:size:size]
		b = rest[size:]
		switch string(key) {
		case keyText:
			text, _, err := mpack.ReadString(value)
			if err != nil {
				return nil
			}
			f.text, known = string(text), true
		case keyIs:
			for _, name := range readStrings(value) {
				if err := errorNamed(name); err != nil {
					f.parts = append(f.parts, err)
				}
			}
		default:
			if part := o.decodePart(string(key), value); part != nil {
				f.parts = append(f.parts, part)
			}
		}
	}
	if !known {
		return nil
	}
	return f
}

// decodePart returns nil for what this side does not know or understand.
func (o *Options) decodePart(key string, b []byte) error {
	switch key {
	case keyPanic:
		if s := readStrings(b); len(s) >= 2 {
			return &PanicError{Value: s[0], Stack: s[1]}
		}
	case keyBody:
		if s := readStrings(b); len(s) >= 5 {
			return &BodyError{s[0], s[1], s[2], s[3], errors.New(s[4])}
		}
	case keySize:
		if e := decodeSizeError(b); e != nil {
			return e
		}
	case keyError:
		if e := o.decodeError(b); e != nil {
			return e
		}
	}
	return nil
}

func decodeSizeError(b []byte) *SizeError {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 2 {
		return nil
	}
	size, b, err := readInt(b)
	if err != nil {
		return nil
	}
	limit, _, err := readInt(b)
	if err != nil {
		return nil
	}
	return &SizeError{Size: size, Limit: limit}
}

func (o *Options) decodeError(b []byte) *Error {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 3 {
		return nil
	}
	code, b, err := readInt(b)
	if err != nil {
		return nil
	}
	message, b, err := mpack.ReadString(b)
	if err != nil {
		return nil
	}
	e := &Error{Code: code, Message: string(message)}
	size, err := mpack.Skip(b, o.maxDepth())
	if err == nil {
		err = o.plain().decodeBody(b[:size:size], &e.Data)
	}
	if err != nil {
		e.Data = fmt.Errorf("viaduct: cannot decode the data of an error: %w", err)
	}
	return e
}

// readInt reads an integer that fits Go's.
func readInt(b []byte) (int, []byte, error) {
	h, err := mpack.ReadHead(b)
	if err != nil {
		return 0, nil, err
	}
	n := int64(h.Num)
	if h.Kind != mpack.Int && h.Kind != mpack.Uint || h.Kind == mpack.Uint && h.Num > math.MaxInt64 || int64(int(n)) != n {
		return 0, nil, fmt.Errorf("a %v that is no int of this machine", h.Kind)
	}
	return int(n), b[h.Size:], nil
}

// readStrings reads an array that begins with strings, up to what is none.
func readStrings(b []byte) (list []string) {
	n, b, err := mpack.ReadArray(b)
	if err != nil {
		return nil
	}
	for range n {
		s, rest, err := mpack.ReadString(b)
		if err != nil {
			return list
		}
		list = append(list, string(s))
		b = rest
	}
	return list
}
