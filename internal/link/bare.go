package link

import (
	"context"
	"io"
	"math"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/handles"
)

const (
	// bareQueue is how many bytes wait to be written on a bare connection before
	// senders wait for room. Refusals get a quarter more.
	bareQueue = 256 << 10
	// bareSpare is the largest buffer that the writer keeps for the next batch.
	bareSpare = 32 << 10
	// drainTime is how long reading goes on after a write has failed: replies
	// may be in the pipe already.
	drainTime = 50 * time.Millisecond
)

// Bare carries messages on a bare connection: one goroutine reads, one writes. There is no flow
// control but the connection's own.
type Bare struct {
	stream   *Stream
	running  *sync.WaitGroup
	turn     chan struct{}         // one slot, held by the sender that is next: a large message is not overtaken for ever
	wake     chan struct{}         // one slot: there is something to do for the writer
	room     chan struct{}         // one slot: queue has been taken; for the sender that is next
	done     chan struct{}         // closed when err is set
	flushed  chan struct{}         // closed by the writer when closing is set and queue has been written
	draining atomic.Pointer[error] // see Drain

	mu      sync.Mutex // guards what follows
	queue   []byte
	batch   uint64        // the number of what is in queue; batches are numbered from 1
	touched uint64        // the latest of which the system has taken something, or may have
	written uint64        // the latest that it has taken whole
	next    chan struct{} // closed when queue has been written; nil if nobody waits
	closing bool          // nothing is queued any more
	err     error
}

// NewBare makes conn a link. max is the largest message either way, in bytes. running counts its
// goroutines, from Receive on.
func NewBare(conn io.ReadWriteCloser, max int, running *sync.WaitGroup) *Bare {
	return &Bare{
		stream:  NewStream(conn, max),
		running: running,
		turn:    make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
		room:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		flushed: make(chan struct{}),
		batch:   1,
	}
}

// Receive starts reading and writing.
func (l *Bare) Receive(deliver func(msg []byte, isNotification bool) bool, _ func([]byte), ended func(error)) {
	var once sync.Once
	end := func(err error) {
		err = l.end(err)
		once.Do(func() { ended(err) })
	}
	l.running.Go(func() {
		if err := l.write(); err != nil {
			select {
			case <-l.done:
			case <-time.After(drainTime):
			}
			// The reader does the same, unless closing does not wake it.
			end(err)
		}
	})
	l.running.Go(func() {
		for {
			msg, err := l.stream.ReadMessage()
			if err != nil {
				end(err)
				return
			}
			deliver(msg, false)
		}
	})
}

func (l *Bare) MaxSend() int { return l.stream.max }

// Send returns when msg is queued, and, if it is a notification, when it has been written.
func (l *Bare) Send(ctx context.Context, msg []byte, isNotification bool, s Sending) (ticket uint64, err error) {
	if ticket, err = l.putNow(msg); ticket == 0 && err == nil {
		waiting := s.Begin(waitsForRoom)
		ticket, err = l.queueUp(ctx, msg)
		waiting.Over()
	}
	if err == nil && isNotification {
		defer s.Begin(waitsForRoom).Over()
		err = l.await(ctx, ticket)
	}
	return ticket, err
}

func waitsForRoom() string { return handles.Room }

// queueUp queues msg when it has the turn and there is room.
func (l *Bare) queueUp(ctx context.Context, msg []byte) (ticket uint64, err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-l.done:
		return 0, l.err
	}
	defer func() { <-l.turn }()
	for {
		if ticket, err := l.put(msg, bareQueue); ticket != 0 || err != nil {
			return ticket, err
		}
		select {
		case <-l.room:
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-l.done:
		}
	}
}

// await waits until what ticket stands for has been written.
func (l *Bare) await(ctx context.Context, ticket uint64) error {
	for {
		l.mu.Lock()
		isWritten := ticket <= l.written
		if l.next == nil {
			l.next = make(chan struct{})
		}
		next := l.next
		l.mu.Unlock()
		if isWritten {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.done:
			return l.err
		}
	}
}

// HasLeft reports whether anything of the batch that ticket stands for may be with the system.
func (l *Bare) HasLeft(ticket uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return ticket <= l.touched
}

// TrySend queues msg if there is room, and nobody else waits for it.
func (l *Bare) TrySend(msg []byte) (bool, error) {
	ticket, err := l.putNow(msg)
	return ticket != 0, err
}

// putNow queues msg if there is room, and nobody else waits for it. Otherwise ticket is 0.
func (l *Bare) putNow(msg []byte) (ticket uint64, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return l.put(msg, bareQueue)
	default:
		return 0, nil
	}
}

// SendUrgent queues msg, a cancel, however much is queued: it is shorter than
// the request that it is about, which had to find room.
func (l *Bare) SendUrgent(msg []byte) error {
	_, err := l.put(msg, math.MaxInt)
	return err
}

// SendNow queues msg if there is room, without waiting. The reader uses it.
func (l *Bare) SendNow(msg []byte) bool {
	ticket, err := l.put(msg, bareQueue+bareQueue/4)
	return ticket != 0 || err != nil
}

// put queues msg if that makes the queue no longer than limit, or alone. ticket is 0 if it does not.
func (l *Bare) put(msg []byte, limit int) (ticket uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return 0, l.err
	case l.closing:
		return 0, rpc.ErrShutdown
	case len(l.queue) > 0 && len(l.queue)+len(msg) > limit:
		return 0, nil
	}
	l.queue = append(l.queue, msg...)
	Signal(l.wake)
	return l.batch, nil
}

// write is the writing goroutine. It returns the first error of writing.
func (l *Bare) write() error {
	var batch []byte
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return nil
		}
		l.mu.Lock()
		batch, l.queue = l.queue, batch
		if len(batch) > 0 {
			l.touched = l.batch
			l.batch++
		}
		l.mu.Unlock()
		Signal(l.room)
		if len(batch) > 0 { // an empty write is the end of the stream to some kinds of pipe
			if n, err := l.stream.Write(batch); err != nil {
				if n == 0 {
					l.mu.Lock()
					l.touched--
					l.mu.Unlock()
				}
				return err
			}
		}
		if batch = batch[:0]; cap(batch) > bareSpare {
			batch = nil
		}
		l.mu.Lock()
		l.written = l.touched
		if l.next != nil {
			close(l.next)
			l.next = nil
		}
		flushed := l.closing && len(l.queue) == 0
		l.mu.Unlock()
		if flushed {
			close(l.flushed)
			return nil
		}
	}
}

// end ends the link once and returns why it has ended. Closing the connection
// may take time, so nobody is to wait for mu meanwhile.
func (l *Bare) end(err error) error {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return l.err
	}
	l.err = err
	close(l.done)
	l.mu.Unlock()
	l.stream.Close()
	return err
}

// Release does nothing: a bare connection has no credit to give.
func (l *Bare) Release(int, bool) {}

// Waiting and OnWaiting do nothing: there is no credit to give back.
func (l *Bare) Waiting() bool    { return false }
func (l *Bare) OnWaiting(func()) {}

// Working and Serving do nothing: nobody at the other side waits for an orderly end.
func (l *Bare) Working(int)      {}
func (l *Bare) Serving(int) bool { return true }

// Drain has Draining return reason from now on: nothing more is to be begun.
func (l *Bare) Drain(reason error) { l.draining.Store(&reason) }

// Draining returns why nothing may be begun, until the link has ended.
func (l *Bare) Draining() error {
	reason := l.draining.Load()
	if reason == nil {
		return nil
	}
	select {
	case <-l.done:
		return nil
	default:
		return *reason
	}
}

// Ending reports whether the link has ended, or Drain was called.
func (l *Bare) Ending() bool {
	select {
	case <-l.done:
		return true
	default:
		return l.draining.Load() != nil
	}
}

// Flush returns when what is queued has been written, or ctx or the link has ended. It waits for those
// who wait for room, too, as it takes a turn behind them.
func (l *Bare) Flush(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		<-l.turn
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return l.err
	}
	l.mu.Lock()
	last := l.batch
	if len(l.queue) == 0 {
		last-- // it is being written, or has been
	}
	l.mu.Unlock()
	return l.await(ctx, last)
}

// Fail ends the link at once.
func (l *Bare) Fail(reason error) { l.end(reason) }

// Close ends the link when what is queued has been written, or after FlushTime.
func (l *Bare) Close() error {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	Signal(l.wake)
	select {
	case <-l.flushed:
	case <-l.done:
	case <-time.After(FlushTime):
	}
	l.end(rpc.ErrShutdown)
	return nil
}
