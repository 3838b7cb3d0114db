package viaduct

import (
	"context"
	"errors"
	"fmt"
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
	keyOver  = "size"  // a *SizeError: its fields
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
		p.note = dataLost(err)
		b, _ = o.appendParts(appendErrorHead(b[:start], id), p)
	}
	return mpack.AppendNil(b)
}

// appendShort is appendFailure of an error that makes a message too large, as size says: first its data is left out, then
// the ends of its texts are.
func (o *Options) appendShort(b []byte, id uint32, f *failed, size *SizeError) []byte {
	if !o.extended() {
		return appendErrorReply(b, id, brief(f.text)+tooLong(size))
	}
	p := partsOf(f)
	start := len(b)
	if p.err != nil && p.err.Data != nil {
		p.note = dataLost(size)
		b, _ = o.appendParts(appendErrorHead(b, id), p)
		if b = mpack.AppendNil(b); len(b)-start <= size.Limit {
			return b
		}
	}
	p.shorten()
	p.note += tooLong(size)
	b, _ = o.appendParts(appendErrorHead(b[:start], id), p)
	return mpack.AppendNil(b)
}

func dataLost(why error) string { return fmt.Sprintf(" (its data cannot be sent: %v)", why) }

func tooLong(size *SizeError) string { return fmt.Sprintf(" (shortened: %v)", size) }

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

// shorten leaves little enough for any limit that is worth having.
func (p *failureParts) shorten() {
	p.text = brief(p.text)
	if p.err != nil {
		p.err = &Error{Code: p.err.Code, Message: brief(p.err.Message)}
	}
	if p.trap != nil {
		p.trap = &PanicError{brief(p.trap.Value), brief(p.trap.Stack)}
	}
	if b := p.body; b != nil {
		p.body = &BodyError{b.Op, b.What, brief(b.Method), brief(b.Type), errors.New(brief(b.Err.Error()))}
	}
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
		b = mpack.AppendArray(mpack.AppendString(b, keyOver), 2)
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
