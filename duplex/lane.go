package duplex

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
)

// errEnded is replaced by the reason of the Conn's end.
var errEnded = errors.New("duplex: link has ended")

// A Lane is one direction of calls on a Conn. Messages are read from it in one
// of three ways, not to be mixed: Receive, ReadMessage, or Read.
//
// Sending methods may be called from any goroutine. ReadMessage and Read are for one goroutine at a time.
type Lane struct {
	c   *Conn
	out class

	receiver atomic.Pointer[receiver] // set once, by Receive

	mu    sync.Mutex // guards what follows
	queue []inbound  // what nobody has taken, bounded by the credit
	ended bool
	more  chan struct{} // one slot: queue or ended has changed

	head []byte // the rest of the message that Read is at; owned by its caller
}

type inbound struct {
	class class
	msg   []byte
}

type receiver struct {
	deliver func(msg []byte) (taken bool)
	ended   func(error)
}

func newLane(c *Conn, out class) *Lane {
	return &Lane{c: c, out: out, more: make(chan struct{}, 1)}
}

// Send sends msg, on a client lane as a one-way message if oneWay is set. It
// waits for room, until ctx or the link ends, and returns nil when the last
// byte of msg is on its way: what is sent afterwards arrives afterwards. If it
// returns an error the other side does not get msg. It does not keep msg.
//
// The error is a [*SizeError], ctx.Err(), or that of the link's end.
func (l *Lane) Send(ctx context.Context, msg []byte, isOneWay bool) error {
	cl, busy := l.out, false
	switch {
	case isOneWay && cl == call:
		cl, busy = oneWay, true
	case cl == call:
		busy = l.c.calls.Add(1) > 1
	default:
		busy = l.c.served.Add(-1) > 0
	}
	err := l.c.writer.send(ctx, cl, msg, busy)
	if err != nil && cl == call {
		l.c.calls.Add(-1)
	}
	if err == errEnded {
		err = l.c.err
	}
	return err
}

// WriteMessage is Send without a context, for messages that expect a reply or are one.
func (l *Lane) WriteMessage(msg []byte) error {
	return l.Send(context.Background(), msg, false)
}

// Receive has deliver called with each message that comes in on this lane, in
// order, including those that have come already, and ended once, behind the last. Both are called from the goroutine that
// reads the connection: they must not block. A message is deliver's own to keep. If it
// returns false, the room that msg takes counts as taken until Release.
func (l *Lane) Receive(deliver func(msg []byte) (taken bool), ended func(error)) {
	r := &receiver{deliver, ended}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.queue {
		l.give(r, in)
	}
	l.queue = nil
	l.receiver.Store(r)
	if l.ended {
		ended(l.c.err)
	}
}

// Release says that a message of n bytes which deliver did not take is taken now.
func (l *Lane) Release(n int, isOneWay bool) {
	cl := reply
	if isOneWay {
		cl = oneWay
	} else if l.out == reply {
		cl = call
	}
	l.c.taken(cl, n)
}

func (l *Lane) give(r *receiver, in inbound) {
	n := len(in.msg)
	if r.deliver(in.msg) {
		l.c.taken(in.class, n)
	}
}

// deliver is called by the reader.
func (l *Lane) deliver(in inbound) {
	if r := l.receiver.Load(); r != nil {
		l.give(r, in)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.receiver.Load(); r != nil {
		l.give(r, in)
		return
	}
	l.queue = append(l.queue, in)
	l.changed()
}

func (l *Lane) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.changed()
	if r := l.receiver.Load(); r != nil {
		r.ended(err)
	}
}

func (l *Lane) changed() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// ReadMessage returns the next message, which the caller may keep. It waits
// until there is one. Behind the last message before the link's end it returns
// io.EOF if the other side ended it in order, and otherwise the link's error.
func (l *Lane) ReadMessage() ([]byte, error) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			in := l.queue[0]
			l.queue[0] = inbound{}
			l.queue = l.queue[1:]
			l.mu.Unlock()
			l.c.taken(in.class, len(in.msg))
			return in.msg, nil
		}
		ended := l.ended
		l.mu.Unlock()
		if ended {
			if errors.Is(l.c.err, ErrPeerClosed) {
				return nil, io.EOF
			}
			return nil, l.c.err
		}
		<-l.more
	}
}

// Read makes the lane a plain byte stream, for codecs that want one.
func (l *Lane) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.head) == 0 {
		msg, err := l.ReadMessage()
		if err != nil {
			return 0, err
		}
		l.head = msg
	}
	n := copy(p, l.head)
	l.head = l.head[n:]
	return n, nil
}

// Write makes the lane a plain byte stream, for codecs that want one. It
// waits for room.
func (l *Lane) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(len(p), written+maxPayload)]
		if err := l.WriteMessage(part); err != nil {
			return written, err
		}
		written += len(part)
	}
	return written, nil
}

// Close closes the whole link, both lanes: see [Conn.Close].
func (l *Lane) Close() error { return l.c.Close() }
