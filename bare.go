package viaduct

import (
	"context"
	"io"
	"math"
	"net/rpc"
	"sync"
	"time"
)

const (
	// bareQueue is how many bytes wait to be written on a bare connection before
	// senders wait for room. Refusals get a quarter more.
	bareQueue = 256 << 10
	// bareSpare is the largest buffer that the writer keeps for the next batch.
	bareSpare = 32 << 10
	// flushTime bounds how long Close waits for what is queued to be written.
	flushTime = 50 * time.Millisecond
	// drainTime is how long reading goes on after a write has failed: replies
	// may be in the pipe already.
	drainTime = 50 * time.Millisecond
)

// bareLink carries messages on a bare connection: one goroutine reads, one
// writes. There is no flow control but the connection's own.
type bareLink struct {
	stream  *stream
	running *sync.WaitGroup
	turn    chan struct{} // one slot, held by the sender that is next: a large message is not overtaken for ever
	wake    chan struct{} // one slot: there is something to do for the writer
	room    chan struct{} // one slot: queue has been taken; for the sender that is next
	done    chan struct{} // closed when err is set
	flushed chan struct{} // closed by the writer when closing is set and queue has been written

	mu       sync.Mutex // guards what follows
	queue    []byte
	watchers []chan struct{} // each is closed when queue has been written
	closing  bool            // nothing is queued any more
	err      error
}

func newBareLink(conn io.ReadWriteCloser, max int, running *sync.WaitGroup) *bareLink {
	return &bareLink{
		stream:  newStream(conn, max),
		running: running,
		turn:    make(chan struct{}, 1),
		wake:    make(chan struct{}, 1),
		room:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		flushed: make(chan struct{}),
	}
}

// Receive starts reading and writing.
func (l *bareLink) Receive(deliver func(msg []byte, oneWay bool) bool, _ func([]byte), ended func(error)) {
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

func (l *bareLink) MaxSend() int { return l.stream.max }

// Send returns when msg is queued.
func (l *bareLink) Send(ctx context.Context, msg []byte, _ bool) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return l.err
	}
	defer func() { <-l.turn }()
	for {
		if queued, err := l.put(msg, bareQueue); queued || err != nil {
			return err
		}
		select {
		case <-l.room:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.done:
		}
	}
}

// TrySend queues msg if there is room, and nobody else waits for it.
func (l *bareLink) TrySend(msg []byte) (bool, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
		return l.put(msg, bareQueue)
	default:
		return false, nil
	}
}

// SendUrgent queues msg, a cancel, however much is queued: it is shorter than
// the request that it is about, which had to find room.
func (l *bareLink) SendUrgent(msg []byte) error {
	_, err := l.put(msg, math.MaxInt)
	return err
}

// sendNow queues msg if there is room. The reader uses it.
func (l *bareLink) sendNow(msg []byte) bool {
	queued, err := l.put(msg, bareQueue+bareQueue/4)
	return queued || err != nil
}

// put queues msg if that makes the queue no longer than limit, or alone.
func (l *bareLink) put(msg []byte, limit int) (queued bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return false, l.err
	case l.closing:
		return false, rpc.ErrShutdown
	case len(l.queue) > 0 && len(l.queue)+len(msg) > limit:
		return false, nil
	}
	l.queue = append(l.queue, msg...)
	signal(l.wake)
	return true, nil
}

// write is the writing goroutine. It returns the first error of writing.
func (l *bareLink) write() error {
	var batch []byte
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return nil
		}
		l.mu.Lock()
		batch, l.queue = l.queue, batch
		watchers := l.watchers
		l.watchers = nil
		l.mu.Unlock()
		signal(l.room)
		if len(batch) > 0 { // an empty write is the end of the stream to some kinds of pipe
			if _, err := l.stream.Write(batch); err != nil {
				return err
			}
		}
		for _, written := range watchers {
			close(written)
		}
		if batch = batch[:0]; cap(batch) > bareSpare {
			batch = nil
		}
		l.mu.Lock()
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
func (l *bareLink) end(err error) error {
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
func (l *bareLink) Release(int, bool) {}

// Working, Serving and Draining are for orderly ends, which bare connections have not.
func (l *bareLink) Working(int)      {}
func (l *bareLink) Serving(int) bool { return true }
func (l *bareLink) Draining() error  { return nil }

// Flush returns when what is queued has been written, or ctx has ended.
func (l *bareLink) Flush(ctx context.Context) {
	l.mu.Lock()
	if l.err != nil {
		l.mu.Unlock()
		return
	}
	written := make(chan struct{})
	l.watchers = append(l.watchers, written)
	signal(l.wake)
	l.mu.Unlock()
	select {
	case <-written:
	case <-l.done:
	case <-ctx.Done():
	}
}

// Fail ends the link at once.
func (l *bareLink) Fail(reason error) { l.end(reason) }

// Close ends the link when what is queued has been written, or after flushTime.
func (l *bareLink) Close() error {
	l.mu.Lock()
	l.closing = true
	l.mu.Unlock()
	signal(l.wake)
	select {
	case <-l.flushed:
	case <-l.done:
	case <-time.After(flushTime):
	}
	l.end(rpc.ErrShutdown)
	return nil
}

// signal puts a token into a channel of one slot, if there is none.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
