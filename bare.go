package viaduct

import (
	"context"
	"io"
	"sync"
)

// bareQueue is how many bytes wait to be written on a bare connection before
// senders wait for room. Refusals get a quarter more.
const bareQueue = 256 << 10

// bareLink carries messages on a bare connection: one goroutine reads, one
// writes. There is no flow control but the connection's own.
type bareLink struct {
	stream  *stream
	running *sync.WaitGroup
	wake    chan struct{} // one slot: queue has something
	done    chan struct{} // closed when err is set

	mu    sync.Mutex // guards what follows
	queue []byte
	room  chan struct{} // closed, and made anew, when queue has been taken
	err   error
}

func newBareLink(conn io.ReadWriteCloser, max int, running *sync.WaitGroup) *bareLink {
	return &bareLink{
		stream:  newStream(conn, max),
		running: running,
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		room:    make(chan struct{}),
	}
}

// Receive starts reading and writing.
func (l *bareLink) Receive(deliver func(msg []byte) bool, ended func(error)) {
	l.running.Go(l.write)
	l.running.Go(func() {
		for {
			msg, err := l.stream.ReadMessage()
			if err != nil {
				ended(l.end(err))
				return
			}
			deliver(msg)
		}
	})
}

func (l *bareLink) MaxSend() int { return l.stream.max }

// Send returns when msg is queued: it is then written in any case.
func (l *bareLink) Send(ctx context.Context, msg []byte, _ bool) error {
	for {
		l.mu.Lock()
		if l.err != nil {
			l.mu.Unlock()
			return l.err
		}
		if l.put(msg, bareQueue) {
			l.mu.Unlock()
			return nil
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.done:
		}
	}
}

// sendNow queues msg if there is room.
func (l *bareLink) sendNow(msg []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err != nil || l.put(msg, bareQueue+bareQueue/4)
}

func (l *bareLink) put(msg []byte, limit int) bool {
	if len(l.queue) > 0 && len(l.queue)+len(msg) > limit {
		return false
	}
	l.queue = append(l.queue, msg...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// write is the writing goroutine.
func (l *bareLink) write() {
	for {
		select {
		case <-l.wake:
		case <-l.done:
			return
		}
		l.mu.Lock()
		batch := l.queue
		l.queue = nil
		close(l.room)
		l.room = make(chan struct{})
		l.mu.Unlock()
		if _, err := l.stream.Write(batch); err != nil {
			l.end(err)
			return
		}
	}
}

// end ends the link once and returns why it has ended.
func (l *bareLink) end(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.done)
		l.stream.Close()
	}
	return l.err
}

// Release does nothing: a bare connection has no credit to give.
func (l *bareLink) Release(int, bool) {}

// Close ends the link at once.
func (l *bareLink) Close() error {
	l.end(io.ErrClosedPipe)
	return nil
}
