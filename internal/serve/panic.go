package serve

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
)

const (
	// panicTime is how long the process lives on to tell the caller.
	panicTime = 100 * time.Millisecond
	maxStack  = 64 << 10
	maxPanic  = 4 << 10
)

// answerPanicOrGoexit answers r, whose method has not returned but panicked with p, or ended its
// goroutine if that is nil. It is called by a deferred function: the frames of the panic are still
// there.
func (w *worker) answerPanicOrGoexit(r *request, p any) {
	if p == nil {
		w.codec.answer(message.OwnFailure(fault.ErrGoexit), nil)
		return
	}
	err := &fault.PanicError{
		Value: cut(fmt.Sprint(p), maxPanic), Stack: cut(string(debug.Stack()), maxStack),
		Ends: !w.d.cfg.RecoverPanics || w.codec.inHook,
	}
	if !err.Ends {
		w.d.host.Reporter.Warn("viaduct: a method panicked",
			"method", message.Brief(w.codec.method), "panic", err.Value, "stack", err.Stack)
		w.codec.answer(message.OwnFailure(err), nil)
		return
	}
	w.lastAnswer(r, message.OwnFailure(err))
	panic(p) // the runtime prints the frames of the first panic, too
}

// lastAnswer answers r and tells the hook, if that can be done before long: the process ends behind
// it.
func (w *worker) lastAnswer(r *request, f *message.Failure) {
	d := w.d
	ctx, cancel := context.WithTimeout(context.Background(), panicTime)
	defer cancel()
	done := make(chan struct{})
	go func() { // even encoding may take its time: the process must end
		defer close(done)
		d.host.Dying() // before the answer: what its caller does next would be lost
		if r.Kind == message.Request && d.claim(r, 0) {
			msg := d.cfg.Message.AppendFailure(nil, r.ID, f, d.host.Link.MaxSend())
			d.shrinkToLimit(&msg, r.ID, f)
			if d.sendAnswer(ctx, r, string(r.Method), msg) == nil {
				d.host.Link.Flush(ctx)
			}
		}
		w.codec.result.Err = f.Err
		w.codec.end()
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit] + "..."
	}
	return s
}
