package serve

import (
	"context"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
)

// ContextTaker is an argument whose method wants to know who calls, and when nobody waits for it
// any more. The embedded viaduct.Caller makes an argument one.
type ContextTaker interface{ SetContext(context.Context) }

// GiveContext is SetContext. That may panic because of what was sent: it may be the method of an
// embedded pointer that the other side has left out.
func GiveContext(t ContextTaker, ctx context.Context, method string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &fault.BodyError{
				Op: "decode", What: "arguments", Method: method, Type: body.TypeName(t),
				Err: fmt.Errorf("panic in SetContext (embed viaduct.Caller, not a pointer to it): %v", r),
			}
		}
	}()
	t.SetContext(ctx)
	return nil
}

// callKey is the key under which a context has the call that it belongs to.
type callKey struct{}

// callContext is the context of a call that has come in.
type callContext struct {
	context.Context
	owner    any // see Host
	request  *request
	metadata map[string]string
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// callOf returns the call that ctx belongs to, nil if to none: an argument may not have been given
// one.
func callOf(ctx context.Context) *callContext {
	if ctx == nil {
		return nil
	}
	c, _ := ctx.Value(callKey{}).(*callContext)
	return c
}

// Within returns the msgid of the call that ctx belongs to, if that has come in at owner and waits
// for an answer.
func Within(ctx context.Context, owner any) (id uint32, ok bool) {
	c := callOf(ctx)
	if c == nil || c.owner != owner || c.request.Kind != message.Request {
		return 0, false
	}
	return c.request.ID, true
}

// Metadata is viaduct.Metadata.
func Metadata(ctx context.Context) map[string]string {
	if c := callOf(ctx); c != nil {
		return c.metadata
	}
	return nil
}

// Fail is viaduct.Fail.
func Fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	f := &message.Failure{Err: err, Text: err.Error()}
	if f.Text == "" { // net/rpc would take it for success
		f.Text = fault.Unknown
		err = &withText{err}
	}
	if c := callOf(ctx); c != nil {
		c.request.failed.Store(f)
	}
	return err
}

// withText gives an error without a text one.
type withText struct{ error }

func (e *withText) Error() string { return fault.Unknown }
func (e *withText) Unwrap() error { return e.error }

// contextOf returns the context of r. It ends when r is cancelled, at its deadline, when its method
// has returned, and when the link ends.
func (d *Dispatcher) contextOf(r *request, metadata map[string]string) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.ctx == nil {
		var ctx context.Context
		if r.info == nil || r.info.Deadline.IsZero() {
			ctx, r.stop = context.WithCancel(d.host.Up)
		} else {
			ctx, r.stop = context.WithDeadline(d.host.Up, r.info.Deadline)
		}
		r.ctx = &callContext{ctx, d.host.Owner, r, metadata}
		if r.cancelled.Load() {
			r.stop()
		}
	}
	return r.ctx
}

// endContext ends the context of r, if there is one, from any goroutine.
func (d *Dispatcher) endContext(r *request) {
	d.mu.Lock()
	stop := r.stop
	d.mu.Unlock()
	if stop != nil {
		stop()
	}
}
