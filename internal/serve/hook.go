package serve

import "context"

// A Hook is called before a call, in the goroutine that makes or serves it, and what it returns
// behind it: see rpcpipe.Hook.
type Hook func(ctx context.Context, call CallInfo) (context.Context, func(CallResult))

// CallInfo says what call a Hook is about.
type CallInfo struct {
	Method       string
	Notification bool
}

// CallResult says how a call has ended.
type CallResult struct {
	Err            error
	Request, Reply int // sizes of the messages
}

// Begin calls h, if there is one.
func (h Hook) Begin(ctx context.Context, method string, isNotification bool) (context.Context, func(CallResult)) {
	if h == nil {
		return ctx, nil
	}
	changed, done := h(ctx, CallInfo{method, isNotification})
	if changed != nil {
		ctx = changed
	}
	return ctx, done
}
