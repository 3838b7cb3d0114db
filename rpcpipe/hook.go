package rpcpipe

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/serve"
)

// A Hook is called before a call, in the goroutine that makes or serves it, and what it returns
// behind it. It is what logging, tracing and access control need: examples/otel has a pair of them
// for OpenTelemetry.
//
// On the side that calls, ctx is the caller's, context.Background() for calls without one. On the
// side that serves it is that of the call, from which [viaduct.Metadata] has what the caller
// attached. The context returned takes its place, if it is not nil: so a hook may attach metadata,
// or bring something to the method. It must derive from ctx, or [viaduct.Fail] and [FromContext] do
// not know it. Its end does not end calls by Go or of a standard client.
//
// On the side that serves, the hook is called when the argument has been decoded, and before the
// argument's [viaduct.Caller] has its context. Calls whose method cannot begin are shown as well,
// before they are answered: they have no argument then.
//
// A hook may refuse a call: see [CallInfo.Refuse].
//
// The function returned is called once, if it is not nil, before the caller has its result, or when
// the reply is on its way. Hooks are called from many goroutines at once. They must not panic: that
// ends the process, or the caller's goroutine, whatever Options.RecoverPanics says.
type Hook func(ctx context.Context, call CallInfo) (context.Context, func(CallResult))

// CallInfo says what call a [Hook] is about.
type CallInfo struct {
	Method       string
	Notification bool // by Notify

	// Args is the argument, which the hook must not change, nor keep when the call has ended.
	//
	// On the side that calls it is what the caller has passed, of whatever type, and nil for calls
	// of a [Supervisor] or [Pool] whose argument was encoded before, for every child that it may
	// go to. On the side that serves it is what the bytes were decoded into, always a pointer: *T
	// both for a method that takes a *T, which gets this one, and for one that takes a T. It is nil
	// where the method does not begin in any case: there is none of this name, the bytes do not
	// fit, the caller has given up, or it is too late. Its Caller has no context yet.
	Args any

	refusal *serve.Refusal
}

// Refuse has the call fail with err, and its method not begin: the caller's error is, besides err,
// a [viaduct.ErrNotBegun]. It is for the hook that was given c, before that returns: the last one
// counts, and a nil err lets the call go ahead. The function that the hook returns is called as ever.
//
// On the side that calls, nothing is sent, and err is returned. On the side that serves, err crosses
// as one that a method has passed to [viaduct.Fail], and the call counts as failed. Of a
// notification, Options.Logger is told. A call without Args that fails anyway keeps its error.
func (c CallInfo) Refuse(err error) { c.refusal.Refuse(err) }

// CallResult says how a call has ended.
type CallResult struct {
	// Err is what the caller gets. On the side that serves it is what the method passed to Fail, or
	// what the library says, or otherwise an [rpc.ServerError]; of a notification it is what nobody
	// else hears.
	Err error

	// Request and Reply are the sizes of the two messages in bytes, 0 for one that could not be
	// encoded or has not come.
	Request, Reply int
}

// inner is h as the layers below call it.
func (h Hook) inner() serve.Hook {
	if h == nil {
		return nil
	}
	return func(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
		ctx, done := h(ctx, CallInfo{call.Method, call.Notification, call.Args, call.Refusal})
		if done == nil {
			return ctx, nil
		}
		return ctx, func(r serve.CallResult) { done(CallResult(r)) }
	}
}
