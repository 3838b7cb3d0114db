package viaduct

import "context"

// A Hook is called before a call, in the goroutine that makes or serves it, and what it returns behind it. It is what logging and
// tracing need; for limits and access a method itself, or its argument, has its [Caller].
//
// On the side that calls, ctx is the caller's, context.Background() for calls without one; on the side that serves it is that of the
// call, from which [Metadata] has what the caller attached. The context returned takes its place, if it is not nil: so a hook may attach metadata,
// or bring something to the method. The function returned is called once, if it is not nil, before
// the caller has its result, or when the reply is on its way. Hooks are called from many goroutines at once. They must not panic:
// that ends the process, or the caller's goroutine, whatever Options.RecoverPanics says.
//
// A context returned must derive from ctx, or [Fail] and rpcpipe.FromContext do not know it. Its end does not end calls by Go or of a standard client.
type Hook func(ctx context.Context, call CallInfo) (context.Context, func(CallResult))

// CallInfo says what call a [Hook] is about.
type CallInfo struct {
	Method string
	OneWay bool // by Notify
}

// CallResult says how a call has ended.
type CallResult struct {
	// Err is what the caller gets. On the side that serves it is what the method passed to Fail, or what the library
	// says, or otherwise an [rpc.ServerError]; of a one-way call it is what nobody else hears.
	Err error

	// Request and Reply are the sizes of the two messages in bytes, 0 for one that could not be encoded or has not come.
	Request, Reply int
}

// begin calls h, if there is one.
func (h Hook) begin(ctx context.Context, method string, oneWay bool) (context.Context, func(CallResult)) {
	if h == nil {
		return ctx, nil
	}
	changed, done := h(ctx, CallInfo{method, oneWay})
	if changed != nil {
		ctx = changed
	}
	return ctx, done
}

func (o *Options) callHook() Hook {
	if o == nil {
		return nil
	}
	return o.CallHook
}

func (o *Options) serveHook() Hook {
	if o == nil {
		return nil
	}
	return o.ServeHook
}
