package viaduct

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// panicTime is how long the process lives on to tell the caller.
	panicTime = 100 * time.Millisecond
	maxStack  = 64 << 10
	maxPanic  = 4 << 10
)

// abrupt answers s, whose method has not returned but panicked with r, or ended its goroutine if that is nil.
// It is called by a deferred function: the frames of the panic are still there.
func (w *worker) abrupt(s *served, r any) {
	if r == nil {
		w.codec.answer(&failed{ErrGoexit, ErrGoexit.Error(), true}, nil)
		return
	}
	p := &PanicError{Value: cut(fmt.Sprint(r), maxPanic), Stack: cut(string(debug.Stack()), maxStack)}
	f := &failed{p, p.Error(), true}
	if w.d.e.opts.recoverPanics() {
		w.d.e.reporter.warn("viaduct: a method panicked", "method", brief(w.codec.method), "panic", p.Value, "stack", p.Stack)
		w.codec.answer(f, nil)
		return
	}
	w.lastAnswer(s, f)
	panic(r) // the runtime prints the frames of the first panic, too
}

// lastAnswer answers s and tells the hook, if that can be done before long: the process ends behind it.
func (w *worker) lastAnswer(s *served, f *failed) {
	e := w.d.e
	ctx, cancel := context.WithTimeout(context.Background(), panicTime)
	defer cancel()
	done := make(chan struct{})
	go func() { // even encoding may take its time: the process must end
		defer close(done)
		if s.kind == typeRequest && e.dispatcher.claim(s, 0) {
			msg := e.opts.appendFailure(nil, s.id, f)
			e.fit(&msg, s.id, f)
			if e.answer(ctx, s, msg) == nil {
				e.in.Flush(ctx)
			}
		}
		w.codec.result.Err = f.err
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

func (o *Options) recoverPanics() bool { return o != nil && o.RecoverPanics }
