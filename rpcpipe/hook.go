package rpcpipe

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/serve"
)

// A Hook is called before a call, in the goroutine that makes or serves it, and what it returns
// behind it. It is what logging and tracing need; for limits and access a method itself, or its
// argument, has its [viaduct.Caller].
//
// On the side that calls, ctx is the caller's, context.Background() for calls without one. On the
// side that serves it is that of the call, from which [viaduct.Metadata] has what the caller
// attached. The context returned takes its place, if it is not nil: so a hook may attach metadata,
// or bring something to the method. It must derive from ctx, or [viaduct.Fail] and [FromContext] do
// not know it. Its end does not end calls by Go or of a standard client.
//
// The function returned is called once, if it is not nil, before the caller has its result, or when
// the reply is on its way. Hooks are called from many goroutines at once. They must not panic: that
// ends the process, or the caller's goroutine, whatever Options.RecoverPanics says.
type Hook func(ctx context.Context, call CallInfo) (context.Context, func(CallResult))

// CallInfo says what call a [Hook] is about.
type CallInfo struct {
	Method       string
	Notification bool // by Notify
}

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
		ctx, done := h(ctx, CallInfo(call))
		if done == nil {
			return ctx, nil
		}
		return ctx, func(r serve.CallResult) { done(CallResult(r)) }
	}
}
