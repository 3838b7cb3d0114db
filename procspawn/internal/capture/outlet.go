package capture

import (
	"io"
	"sync"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

// outlet hands what a drain has read to the caller's writer, in a goroutine of its own: a slow
// writer must not keep what the child has said last from the report.
type outlet struct {
	to     io.Writer     // the caller's
	done   chan struct{} // closed when the writer is not called any more
	more   chan struct{} // one slot: there is something to do for run
	room   chan struct{} // one slot: queue has become shorter
	exited chan struct{} // closed by Streams.Finish: the process needs no holding back any more

	mu       sync.Mutex // guards what follows
	queue    []byte
	complete bool  // nothing more comes
	stopped  bool  // the writer is not to be called any more
	failed   error // what the writer has returned
}

const (
	// outletQueue is how many bytes wait for a slow writer before the child is made to wait.
	outletQueue = 32 << 10
	// outletLast is how many may wait once the child has exited: more than its pipe can hold.
	outletLast = 2 * pipes.MaxCapacity
)

func newOutlet(to io.Writer) *outlet {
	return &outlet{
		to:     to,
		done:   make(chan struct{}),
		more:   make(chan struct{}, 1),
		room:   make(chan struct{}, 1),
		exited: make(chan struct{}),
	}
}

// put queues p and waits while too much is queued. It does not keep p.
func (o *outlet) put(p []byte) {
	o.mu.Lock()
	if o.failed == nil && !o.stopped {
		o.queue = append(o.queue, p...)
		wake(o.more)
	}
	o.mu.Unlock()
	exited := o.exited
	for limit := outletQueue; ; {
		o.mu.Lock()
		full := len(o.queue) > limit && !o.stopped
		o.mu.Unlock()
		if !full {
			return
		}
		select {
		case <-o.room:
		case <-exited:
			limit, exited = outletLast, nil // a nil channel is never ready
		}
	}
}

// isFull reports whether put waits for room although the process has exited.
func (o *outlet) isFull() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) > outletLast
}

// end says that nothing more comes.
func (o *outlet) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.complete = true
	wake(o.more)
}

// stop sees to it that the writer is not called again.
func (o *outlet) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stopped = true
	o.queue = nil
	wake(o.more)
	wake(o.room)
}

// run calls the writer until all was written, or stop.
func (o *outlet) run() {
	defer close(o.done)
	var batch []byte
	for {
		<-o.more
		for {
			o.mu.Lock()
			batch, o.queue = o.queue, batch[:0]
			over := o.stopped || o.complete && len(batch) == 0
			o.mu.Unlock()
			if over {
				return
			}
			wake(o.room)
			if len(batch) == 0 {
				break
			}
			if _, err := o.to.Write(batch); err != nil {
				o.mu.Lock()
				o.failed = err // the child must not block because a log is full
				o.queue = nil
				o.mu.Unlock()
			}
			if cap(batch) > outletQueue*2 {
				batch = nil
			}
		}
	}
}

// err returns why the writer failed, nil if it has not.
func (o *outlet) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// wake fills the slot of c, if it is empty.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
