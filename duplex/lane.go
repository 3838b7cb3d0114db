package duplex

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

// errEnded is replaced by the reason of the Conn's end.
var errEnded = errors.New("duplex: link has ended")

func (c *Conn) endErr(err error) error {
	if err == errEnded {
		return c.err
	}
	return err
}

// A Lane is one direction of calls on a Conn. The client lane sends calls and notifications and
// receives replies, the server lane the other way round.
//
// Messages are read from a lane in one of three ways, not to be mixed: Receive, ReadMessage, or
// Read. ReadMessage and Read are for one goroutine at a time. All other methods may be called from
// any goroutine.
type Lane struct {
	c       *Conn
	out, in class // of the messages that are sent and received, notifications apart
	many    int64 // senders at once; beyond that they leave the writing to the writer goroutine

	mu       sync.Mutex    // guards what follows; not held while a function of the receiver runs
	receiver *receiver     // set once, by Receive
	giving   bool          // somebody is in give, and will look again
	queue    []inbound     // what nobody has taken, bounded by the credit
	urgents  int           // how many of them are urgent
	ended    bool          // nothing is queued any more
	told     bool          // the receiver knows
	more     chan struct{} // one slot: queue or ended has changed

	head []byte // the rest of the message that Read is at; owned by its caller
}

// maxUrgents is how many more urgent messages than calls without a reply may be in the queue of a
// lane: no credit bounds them, but each is about a call.
const maxUrgents = 64 << 10

type inbound struct {
	class class
	msg   []byte
}

type receiver struct {
	deliver func(msg []byte, isNotification bool) (roomFree bool)
	urgent  func(msg []byte)
	ended   func(error)
}

func newLane(c *Conn, out, in class) *Lane {
	return &Lane{c: c, out: out, in: in, many: many(), more: make(chan struct{}, 1)}
}

// many is Lane.many. Between two processors the other side has something to do sooner if each
// sender writes for itself, until they are that many; on one it has to wait anyway.
func many() int64 {
	if runtime.NumCPU() == 1 {
		return 1
	}
	return 16
}

// Send sends msg. On a client lane it goes as a notification if isNotification is set, otherwise as
// a call; on a server lane it is a reply. Send waits for room, until ctx or the link ends, and
// returns nil when the last byte of msg is on its way: what is sent afterwards arrives afterwards.
// Of a notification it returns nil when all of it is with the operating system: it arrives although
// this process ends right then. It does not keep msg, which has at least one byte.
//
// If it returns an error, the other side does not get msg, unless the last byte of a notification
// was on its way already.
//
// The error is a [*SizeError], ctx.Err(), or why the link has ended. While the link is shutting
// down, and nothing of the other side is being served, calls and notifications fail with
// [ErrShutdown].
func (l *Lane) Send(ctx context.Context, msg []byte, isNotification bool) error {
	_, err := l.send(ctx, msg, isNotification, handles.Sending{})
	return err
}

// send is Send. s is told when it waits. batch is as that of writer.send.
func (l *Lane) send(ctx context.Context, msg []byte, isNotification bool, s handles.Sending) (batch uint64, err error) {
	w, k := &l.c.writer, &l.c.work
	switch {
	case l.out == reply:
		othersSend := k.served.Load() > l.many
		if batch, err = w.send(ctx, reply, msg, othersSend, s); err == nil {
			k.served.Add(-1) // not before: what is being sent is still to be waited for
			l.c.settle()
		}
	case isNotification:
		othersSend := k.notifying.Add(1) > l.many
		batch, err = w.send(ctx, notification, msg, othersSend, s)
		k.notifying.Add(-1)
	default:
		othersSend := k.calls.Add(1) > l.many
		w.waits.begun()
		if batch, err = w.send(ctx, call, msg, othersSend, s); err != nil {
			k.calls.Add(-1)
			l.c.settle()
		}
	}
	return batch, l.c.endErr(err)
}

// TrySend is Send of a notification, on a client lane, if that need not wait for credit, for room,
// or for other notifications. If it had to, TrySend returns false and nil, and nothing of msg is
// sent. It does not wait for the operating system either: when it returns true, msg is there or
// queued. What is longer than 32 KiB is copied.
func (l *Lane) TrySend(msg []byte) (sent bool, err error) {
	sent, err = l.c.writer.trySend(notification, msg)
	return sent, l.c.endErr(err)
}

// SendUrgent sends msg, on a client lane, without waiting for credit: it is queued behind what has
// been sent. It has from 1 to 64 bytes; with more SendUrgent returns a [*SizeError]. It is meant
// for messages about calls that have been sent, one for each: nothing else bounds how many are
// queued.
func (l *Lane) SendUrgent(msg []byte) error {
	return l.c.endErr(l.c.writer.sendUrgent(msg))
}

// Flush waits until all that has been sent so far on this link, on either lane, is with the
// operating system, what still waits in Send included. What is sent meanwhile does not hold it up.
// It returns nil then, ctx.Err(), or why the link has ended.
func (l *Lane) Flush(ctx context.Context) error { return l.c.endErr(l.c.writer.flushAll(ctx)) }

// WriteMessage is Send without a context, for messages that expect a reply or are one.
func (l *Lane) WriteMessage(msg []byte) error {
	return l.Send(context.Background(), msg, false)
}

// Receive sets who gets what comes in on this lane, what has come already included. deliver is
// called with each message, in order, and urgent with each that SendUrgent has sent, in order with
// the rest. Behind the last, ended is called once, with why the link has ended. These are called
// one at a time, mostly by the goroutine that reads the connection: they must not block.
//
// A message is deliver's own to keep. deliver returns true if msg takes no room here any more. If
// it returns false, Release has to say so later: until then the other side may send less.
func (l *Lane) Receive(
	deliver func(msg []byte, isNotification bool) (roomFree bool), urgent func(msg []byte), ended func(error),
) {
	l.mu.Lock()
	l.receiver = &receiver{deliver, urgent, ended}
	waiting := len(l.queue) > 0
	l.mu.Unlock()
	if waiting {
		// Not here: under a flood it may take for ever to catch up with the reader.
		l.c.goes(l.give)
		return
	}
	l.give()
}

// Release says that a message of n bytes, for which deliver returned false, takes no room any more.
func (l *Lane) Release(n int, isNotification bool) {
	if isNotification {
		l.c.taken(notification, n)
		return
	}
	l.c.taken(l.in, n)
}

// deliver is called by the reader. It reports false if too many urgent messages wait.
func (l *Lane) deliver(in inbound) bool {
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return true
	}
	if r := l.receiver; r != nil && !l.giving && len(l.queue) == 0 && tuning.Direct {
		l.giving = true
		l.mu.Unlock()
		l.hand(r, in)
		l.mu.Lock()
		l.giveQueue(r)
		return true
	}
	if in.class == urgent {
		if int64(l.urgents) >= maxUrgents+l.c.work.served.Load() {
			l.mu.Unlock()
			return false
		}
		l.urgents++
	}
	l.queue = append(l.queue, in)
	signal(l.more)
	l.mu.Unlock()
	l.give()
	return true
}

func (l *Lane) end() {
	l.mu.Lock()
	l.ended = true
	signal(l.more)
	l.mu.Unlock()
	l.give()
}

// give gives the receiver, if there is one, what is queued, and the end behind it. Whoever finds
// another at it leaves it to that one: the functions of the receiver run one at a time, and may
// themselves end the link.
func (l *Lane) give() {
	l.mu.Lock()
	r := l.receiver
	if r == nil || l.giving {
		l.mu.Unlock()
		return
	}
	l.giving = true
	l.giveQueue(r)
}

// giveQueue gives r what is queued, and the end behind it. mu is held, and giving set; it releases
// both.
func (l *Lane) giveQueue(r *receiver) {
	for len(l.queue) > 0 {
		in := l.take()
		l.mu.Unlock()
		l.hand(r, in)
		l.mu.Lock()
	}
	l.giving = false
	tell := l.ended && !l.told
	l.told = l.ended
	l.mu.Unlock()
	if tell {
		r.ended(l.c.err)
	}
}

// hand gives r one message. mu is not held.
func (l *Lane) hand(r *receiver, in inbound) {
	if in.class == urgent {
		r.urgent(in.msg)
		return
	}
	n := len(in.msg)
	if r.deliver(in.msg, in.class == notification) {
		l.c.taken(in.class, n)
	}
}

// keepQueue is how many places an empty queue may keep.
const keepQueue = 64

// take takes the first message out of the queue. mu is held.
func (l *Lane) take() inbound {
	in := l.queue[0]
	l.queue[0] = inbound{}
	if in.class == urgent {
		l.urgents--
	}
	switch {
	case len(l.queue) > 1:
		l.queue = l.queue[1:]
	case cap(l.queue) <= keepQueue:
		l.queue = l.queue[:0]
	default:
		l.queue = nil
	}
	return in
}

// ReadMessage returns the next message, which the caller may keep. It waits until there is one, and
// drops urgent ones. Behind the last message before the link's end it returns io.EOF if the other
// side ended it in order, [io.ErrUnexpectedEOF] if the connection ended without that, and otherwise
// why the link has ended.
func (l *Lane) ReadMessage() ([]byte, error) {
	for {
		l.mu.Lock()
		if len(l.queue) > 0 {
			in := l.take()
			l.mu.Unlock()
			if in.class == urgent {
				continue
			}
			l.c.taken(in.class, len(in.msg))
			return in.msg, nil
		}
		ended := l.ended
		l.mu.Unlock()
		switch {
		case !ended:
			<-l.more
		case errors.Is(l.c.err, ErrPeerClosed):
			return nil, io.EOF
		case errors.Is(l.c.err, io.EOF):
			return nil, cutOff(l.c.err)
		default:
			return nil, l.c.err
		}
	}
}

// Read makes the lane a plain byte stream, for codecs that want one. Its errors are those of
// ReadMessage. Its io.EOF is the link's end in order, which may have come within a Write of the other
// side, that failed then: who has to know that all has come uses a [Stream].
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
		l.uncount(-1)
	}
	n := copy(p, l.head)
	l.head = l.head[n:]
	return n, nil
}

// Write makes the lane a plain byte stream, for codecs that want one. It waits for room. What two
// Writes bring at the same time may be mixed. Its errors are those of Send.
func (l *Lane) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		part := p[written:min(len(p), written+maxPayload)]
		if err := l.WriteMessage(part); err != nil {
			return written, err
		}
		l.uncount(1)
		written += len(part)
	}
	return written, nil
}

// uncount takes back how Send (delta 1) or deliver (-1) has counted a part of a byte stream, which
// is no call and no reply.
func (l *Lane) uncount(delta int64) {
	if l.out == call {
		l.c.work.calls.Add(-delta)
	} else {
		l.c.work.served.Add(delta)
	}
	l.c.settle()
}

// Fail ends the whole link at once, for the given reason, without telling the other side that it
// ends in order: for when what comes from there makes no sense.
func (l *Lane) Fail(reason error) { l.c.end(reason) }

// Close closes the whole link, both lanes: see [Conn.Close].
func (l *Lane) Close() error { return l.c.Close() }

// MaxSend returns the largest message the other side accepts, in bytes.
func (l *Lane) MaxSend() int { return l.c.writer.maxSend }
