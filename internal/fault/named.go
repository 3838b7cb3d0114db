package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"sync"
)

// An Error is an error that crosses with its parts. A method returns one, or any error that wraps
// one, by Caller.Fail or Fail; the caller finds it with [errors.As].
type Error struct {
	Code    int
	Message string
	Data    any // what an argument's interface field can hold
}

// Error returns the message, or, without one, the code.
func (e *Error) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("error %d", e.Code)
	}
	return e.Message
}

// ErrNotBegun is each error after which it is certain that the method was not begun: see
// viaduct.ErrNotBegun.
var ErrNotBegun = errors.New("viaduct: the method was not begun")

// NotBegun returns err as an error that is ErrNotBegun, too. A nil err stays nil.
func NotBegun(err error) error {
	if err == nil || errors.Is(err, ErrNotBegun) {
		return err
	}
	return &notBegun{err}
}

// A Refusal is why a hook of this side lets a call not be made. It is never taken for the error of a
// link that has ended, whatever it wraps.
type Refusal struct{ err error }

// Refused returns err as a Refusal, which is ErrNotBegun. A nil err stays nil.
func Refused(err error) error {
	if err == nil {
		return nil
	}
	return NotBegun(&Refusal{err})
}

func (r *Refusal) Error() string { return r.err.Error() }
func (r *Refusal) Unwrap() error { return r.err }

type notBegun struct{ err error }

func (e *notBegun) Error() string   { return e.err.Error() }
func (e *notBegun) Unwrap() []error { return []error{e.err, ErrNotBegun} }

// Timeout and Temporary are those of the error within: some ask for them without errors.As.
func (e *notBegun) Timeout() bool {
	t, ok := e.err.(interface{ Timeout() bool })
	return ok && t.Timeout()
}

func (e *notBegun) Temporary() bool {
	t, ok := e.err.(interface{ Temporary() bool })
	return ok && t.Temporary()
}

// Plain returns what NotBegun or Refused has made an error of, for those who compare with ==.
func Plain(err error) error {
	if e, ok := err.(*notBegun); ok {
		err = e.err
	}
	if r, ok := err.(*Refusal); ok {
		err = r.err
	}
	return err
}

// kind is an error of the library that is other ones, too.
type kind struct {
	text string
	is   []error
}

func (e *kind) Error() string   { return e.text }
func (e *kind) Unwrap() []error { return e.is }

// What the library of the other side says of a call, in the sense of [errors.Is].
var (
	// ErrOverload: the call was refused, and its method not begun. See MaxHandlers in
	// rpcpipe.Options.
	ErrOverload error = &kind{"viaduct: too many calls are in flight", []error{ErrNotBegun}}

	// ErrTooLate: the deadline of the call was over before its method began.
	ErrTooLate error = &kind{
		"viaduct: the deadline of the call was over before its method began",
		[]error{context.DeadlineExceeded, ErrNotBegun},
	}

	// ErrGoexit: the method has ended its goroutine with [runtime.Goexit].
	ErrGoexit = errors.New("viaduct: handler ended its goroutine with runtime.Goexit")
)

// A PanicError is what the caller of a method that panicked gets.
type PanicError struct {
	Value string // what was passed to panic, printed
	Stack string // of the goroutine, its end cut off beyond 64 KiB
	Ends  bool   // its process ends with it: new calls to it fail as not begun
}

func (e *PanicError) Error() string { return "viaduct: panic in the method: " + e.Value }

// registered has the errors that cross by name. Guarded by mu.
var registered = struct {
	mu     sync.RWMutex
	byName map[string]error
	names  []string // in the order in which they came
}{byName: make(map[string]error)}

// Register has err cross under a name. It panics if err cannot be compared, or if the name stands
// for another error: see viaduct.RegisterError.
func Register(name string, err error) {
	switch {
	case err == nil:
		panic("viaduct: RegisterError of nil, an error was expected")
	case !reflect.TypeOf(err).Comparable():
		panic(fmt.Sprintf("viaduct: RegisterError of a %T, which cannot be compared: a pointer was expected", err))
	case name == "" || len(name) > maxErrorName:
		panic(fmt.Sprintf("viaduct: RegisterError with a name of %d bytes, 1 to %d were expected", len(name), maxErrorName))
	}
	r := &registered
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.byName[name]; ok {
		if old != err {
			panic(fmt.Sprintf("viaduct: RegisterError of %q for two errors: %v and %v", name, old, err))
		}
		return
	}
	r.byName[name] = err
	r.names = append(r.names, name)
}

const maxErrorName = 100

func init() {
	for _, e := range []struct {
		name string
		err  error
	}{
		{"context.Canceled", context.Canceled},
		{"context.DeadlineExceeded", context.DeadlineExceeded},
		{"errors.ErrUnsupported", errors.ErrUnsupported},
		{"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
		{"io.EOF", io.EOF},
		{"io.ErrClosedPipe", io.ErrClosedPipe},
		{"io.ErrNoProgress", io.ErrNoProgress},
		{"io.ErrShortBuffer", io.ErrShortBuffer},
		{"io.ErrShortWrite", io.ErrShortWrite},
		{"io.ErrUnexpectedEOF", io.ErrUnexpectedEOF},
		{"fs.ErrInvalid", fs.ErrInvalid},
		{"fs.ErrPermission", fs.ErrPermission},
		{"fs.ErrExist", fs.ErrExist},
		{"fs.ErrNotExist", fs.ErrNotExist},
		{"fs.ErrClosed", fs.ErrClosed},
	} {
		Register(e.name, e.err)
	}
	for _, own := range Own { // only the library says these
		registered.byName[own.Name] = own.Err
	}
}

// NameOfNotBegun is how ErrNotBegun crosses.
const NameOfNotBegun = "viaduct.ErrNotBegun"

// Own are those that the library alone says of a call, each before those that it is as well. The other
// side knows them by name.
var Own = []struct {
	Name string
	Err  error
}{
	{"viaduct.ErrOverload", ErrOverload},
	{"viaduct.ErrTooLate", ErrTooLate},
	{"viaduct.ErrGoexit", ErrGoexit},
	{NameOfNotBegun, ErrNotBegun},
}

// Unknown is the text of an error without one: net/rpc would take an empty text for no error.
const Unknown = "unknown error"

// Names returns the names of what err wraps.
func Names(err error) (names []string) {
	r := &registered
	r.mu.RLock()
	all := r.names[:len(r.names):len(r.names)]
	r.mu.RUnlock()
	for _, name := range all { // errors.Is calls methods of err, which may register others
		known := Named(name)
		aboutAnotherCall := errors.Is(known, ErrNotBegun) // which the method has made
		if !aboutAnotherCall && errors.Is(err, known) {
			names = append(names, name)
		}
	}
	return names
}

// Named returns nil if there is none.
func Named(name string) error {
	r := &registered
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.byName[name]
}
