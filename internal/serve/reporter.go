package serve

import (
	"context"
	"log/slog"
	"sync"
)

// reportQueue is how many reports wait for a slow Logger; more are counted.
const reportQueue = 64

// Reporter tells a Logger of what would otherwise vanish, without waiting for
// it: a handler that blocks must not stop who reports, be it the goroutine that reads the link.
type Reporter struct {
	Log *slog.Logger // nil: nobody is told; set before anything is reported

	mu      sync.Mutex // guards what follows
	queue   []report
	dropped int
	writing chan struct{} // not nil while a goroutine is at the queue; closed at its end
}

type report struct {
	text string
	args []any
}

// Warn reports text, with attributes as those of slog. It does not block.
func (r *Reporter) Warn(text string, args ...any) {
	if r.Log == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == reportQueue {
		r.dropped++
		return
	}
	r.queue = append(r.queue, report{text, args})
	if r.writing == nil {
		r.writing = make(chan struct{})
		go r.write()
	}
}

func (r *Reporter) write() {
	for {
		r.mu.Lock()
		queue, dropped := r.queue, r.dropped
		r.queue, r.dropped = nil, 0
		if len(queue) == 0 && dropped == 0 {
			close(r.writing)
			r.writing = nil
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		for _, rep := range queue {
			r.Log.Warn(rep.text, rep.args...)
		}
		if dropped > 0 {
			r.Log.Warn("viaduct: reports dropped: the logger is too slow", "count", dropped)
		}
	}
}

// Wait waits until everything reported so far has been told, or ctx has ended.
func (r *Reporter) Wait(ctx context.Context) {
	r.mu.Lock()
	writing := r.writing
	r.mu.Unlock()
	if writing != nil {
		select {
		case <-writing:
		case <-ctx.Done():
		}
	}
}
