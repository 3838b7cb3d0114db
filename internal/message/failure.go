package message

import (
	"context"
	"errors"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// Failure is an error that a call is answered with.
//
// Those of methods carry what the user's error is made of. Those of the library itself (Own) also
// carry the library's types, which, coming from a method, would be about another call.
type Failure struct {
	Err  error
	Text string // by which net/rpc knows it
	Own  bool
}

// OwnFailure is the failure that the library itself answers a call with.
func OwnFailure(err error) *Failure { return &Failure{Err: err, Text: err.Error(), Own: true} }

// Refused is the failure of a call whose method a hook does not let begin. Its err is the user's, and
// an ErrNotBegun.
func Refused(err error) *Failure { return &Failure{Err: &refusal{err}, Text: err.Error()} }

// refusal is an error of a hook. Unlike other errors of users it says that the method was not begun.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// Within is f of an error that wraps f's and has this text.
func (f *Failure) Within(text string) *Failure {
	return &Failure{Err: &outerError{text, f.Err}, Text: text, Own: f.Own}
}

// outerError is an error of which the text is known, and an error that it wraps.
type outerError struct {
	text string
	err  error
}

func (e *outerError) Error() string { return e.text }
func (e *outerError) Unwrap() error { return e.err }

// ownError is an error of the library that crosses as another one.
type ownError struct {
	text string
	is   error // registered, or a type that crosses
}

func (e *ownError) Error() string { return e.text }
func (e *ownError) Unwrap() error { return e.is }

// Overload is the error of a call that is refused as too many are in flight.
func Overload(text string) error { return &ownError{text, fault.ErrOverload} }

// NotBegun is the error of a call whose method was not begun, for which net/rpc has this text.
func NotBegun(text string) error { return &ownError{text, fault.ErrNotBegun} }

// ErrCancelled is what a call is answered with that was given up.
var ErrCancelled error = &ownError{"viaduct: call cancelled", context.Canceled}

// The keys of an error that is more than a text.
const (
	keyText  = "text"
	keyIs    = "is"    // names of the errors that it wraps
	keyError = "error" // an *Error: code, message, data
	keyPanic = "panic" // a *PanicError: value, stack
	keyBody  = "body"  // a *BodyError: its fields
	keyOver  = "size"  // a *SizeError: its fields
)

// AppendFailure appends a response that is f, or its text where that is all there is to it, or all
// that the other side understands. Data that does not fit into limit bytes is left out.
func (c *Codec) AppendFailure(b []byte, id uint32, f *Failure, limit int) []byte {
	if !c.Extended {
		return AppendErrorText(b, id, f.Text)
	}
	p := partsOf(f)
	if p.pairs() == 1 {
		return AppendErrorText(b, id, f.Text)
	}
	start := len(b)
	b = appendHead(b, Response, id)
	b, err := c.appendParts(b, p, start+limit)
	if err != nil {
		p.note = dataLost(err)
		b, _ = c.appendParts(appendHead(b[:start], Response, id), p, body.NoLimit)
	}
	return mpack.AppendNil(b)
}

// AppendShort is AppendFailure of an error that makes a message too large, as size says: first its
// data is left out, then the ends of its texts are.
func (c *Codec) AppendShort(b []byte, id uint32, f *Failure, size *fault.SizeError) []byte {
	if !c.Extended {
		return AppendErrorText(b, id, Brief(f.Text)+tooLong(size))
	}
	p := partsOf(f)
	start := len(b)
	if p.err != nil && p.err.Data != nil {
		p.note = dataLost(size)
		b, _ = c.appendParts(appendHead(b, Response, id), p, body.NoLimit)
		if b = mpack.AppendNil(b); len(b)-start <= size.Limit {
			return b
		}
	}
	p.shorten()
	p.note += tooLong(size)
	b, _ = c.appendParts(appendHead(b[:start], Response, id), p, body.NoLimit)
	return mpack.AppendNil(b)
}

func dataLost(why error) string { return fmt.Sprintf(" (its data cannot be sent: %v)", why) }

func tooLong(size *fault.SizeError) string { return fmt.Sprintf(" (shortened: %v)", size) }

// failureParts is what crosses of an error.
type failureParts struct {
	text string
	is   []string
	err  *fault.Error
	trap *fault.PanicError
	body *fault.BodyError
	size *fault.SizeError
	note string // why the data of err does not cross
}

func partsOf(f *Failure) *failureParts {
	p := &failureParts{text: f.Err.Error()}
	if f.Own {
		errors.As(f.Err, &p.trap)
		errors.As(f.Err, &p.body)
		errors.As(f.Err, &p.size)
		if p.body != nil {
			return p // what that wraps is about its encoding
		}
		for _, own := range fault.Own {
			if errors.Is(f.Err, own.Err) {
				p.is = append(p.is, own.Name)
				break // it is the others itself
			}
		}
	}
	if _, ok := f.Err.(*refusal); ok {
		p.is = append(p.is, fault.NameOfNotBegun)
	}
	p.is = append(p.is, fault.Names(f.Err)...)
	errors.As(f.Err, &p.err)
	return p
}

// shorten leaves little enough for any limit that is worth having.
func (p *failureParts) shorten() {
	p.text = Brief(p.text)
	if p.err != nil {
		p.err = &fault.Error{Code: p.err.Code, Message: Brief(p.err.Message)}
	}
	if p.trap != nil {
		p.trap = &fault.PanicError{Value: Brief(p.trap.Value), Stack: Brief(p.trap.Stack), Ends: p.trap.Ends}
	}
	if b := p.body; b != nil {
		p.body = &fault.BodyError{
			Op: b.Op, What: b.What,
			Method: Brief(b.Method), Type: Brief(b.Type), Err: errors.New(Brief(b.Err.Error())),
		}
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

func (c *Codec) appendParts(b []byte, p *failureParts, limit int) (_ []byte, err error) {
	b = mpack.AppendMap(b, p.pairs())
	b = mpack.AppendStrings(b, keyText, p.text+p.note)
	if p.is != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyIs), len(p.is))
		b = mpack.AppendStrings(b, p.is...)
	}
	if p.trap != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyPanic), 3)
		b = mpack.AppendBool(mpack.AppendStrings(b, p.trap.Value, p.trap.Stack), p.trap.Ends)
	}
	if p.body != nil {
		b = mpack.AppendArray(mpack.AppendString(b, keyBody), 5)
		b = mpack.AppendStrings(b, p.body.Op, p.body.What, p.body.Method, p.body.Type, p.body.Err.Error())
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
	return c.Body.Plain().AppendWithin(b, &p.err.Data, limit) // by way of the interface, so that its type crosses, too
}

// Brief cuts off what a peer, or a user, has made long.
func Brief(s string) string {
	if len(s) > maxBrief {
		return s[:maxBrief] + "..."
	}
	return s
}

const maxBrief = 400
