package serve

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/fault"
)

// A Hook is called before a call, in the goroutine that makes or serves it, and what it returns
// behind it: see rpcpipe.Hook.
type Hook func(ctx context.Context, call CallInfo) (context.Context, func(CallResult))

// CallInfo says what call a Hook is about.
type CallInfo struct {
	Method       string
	Notification bool
	Args         any
	Refusal      *Refusal // until the hook returns
}

// CallResult says how a call has ended.
type CallResult struct {
	Err            error
	Request, Reply int // sizes of the messages
}

// A Refusal is where a hook says that a call must not be. It belongs to the goroutine that the hook
// runs in.
type Refusal struct{ err error }

// Refuse has the call fail with err; nil takes that back. A nil Refusal is of no call.
func (r *Refusal) Refuse(err error) {
	if r != nil {
		r.err = err
	}
}

// Begin calls h, if there is one. The error is that of a call which h has refused, and an
// ErrNotBegun; done is to be called all the same.
func (h Hook) Begin(ctx context.Context, call CallInfo) (_ context.Context, done func(CallResult), refused error) {
	if h == nil {
		return ctx, nil, nil
	}
	r := new(Refusal)
	call.Refusal = r
	changed, done := h(ctx, call)
	if changed != nil {
		ctx = changed
	}
	if refused = r.err; refused != nil && refused.Error() == "" { // net/rpc would take it for success
		refused = &withText{refused}
	}
	return ctx, done, fault.Refused(refused)
}
