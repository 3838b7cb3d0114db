package duplex

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// drainTime is how long a Conn reads on after a write has failed: replies
	// may be in the pipe, and the reader may be told why the link has ended. A
	// link to a process waits up to 50 ms for that, and a busy machine for its
	// turn, so this must be longer. Only a peer that has closed one half of the
	// connection and keeps the other makes anybody wait for so long.
	drainTime = 500 * time.Millisecond
	// flushTime bounds how long Close waits for what was accepted for sending.
	flushTime = 50 * time.Millisecond
	// byeTime is how long the other side may take to close after it said so.
	byeTime = time.Second
	// closeTime bounds how long Close waits for the connection below to close.
	closeTime = time.Second
)

// A Conn is one end of a link. Its methods may be called from any goroutine.
type Conn struct {
	conn       io.Closer
	maxMessage int
	client     *Lane
	server     *Lane
	credits    credits
	grants     grants
	writer     writer

	streams    streams
	noStreams  bool // the other side does not know streams,
	noShutdown bool // nor how to end in order

	work     work
	reads    atomic.Uint32 // reads that have brought something
	bytesIn  atomic.Uint64
	shutting atomic.Bool   // Shutdown has been called
	quiet    chan struct{} // closed when nothing is going on any more after Shutdown

	opening [numClasses]bool // what credit has come for; owned by the reader
	ready   chan struct{}    // closed when it has for all

	running sync.WaitGroup // reader and writer
	ending  atomic.Bool
	done    chan struct{} // closed when err is set
	closed  chan struct{} // closed when conn is
	err     error         // why the link ended

	mu        sync.Mutex    // guards what follows; locked with the writer's held, not the other way round
	timers    []*time.Timer // stopped at the end
	peerBy    bool          // the other side has said that it closes
	pings     []*ping       // without an answer, in the order they were sent
	nextPing  uint32
	roundTrip time.Duration // of the latest ping that was answered
	measuring bool          // Stats has sent one that was not
}

// New makes conn a link and starts it. The other end must do the same. Closing
// the Conn closes conn; so does its end for any other reason.
//
// If conn has a method WriteNow(p []byte) (int, error), which writes what it
// can of p without waiting, perhaps nothing, then small messages are written by
// who sends them. It may return [errors.ErrUnsupported].
func New(conn io.ReadWriteCloser, opts *Options) *Conn {
	c := &Conn{
		conn:       conn,
		maxMessage: opts.maxMessage(),
		noStreams:  opts.peerFrames().NoStreams,
		noShutdown: opts.peerFrames().NoShutdown,
		quiet:      make(chan struct{}),
		ready:      make(chan struct{}),
		done:       make(chan struct{}),
		closed:     make(chan struct{}),
	}
	c.streams.init(c, opts)
	c.client = newLane(c, call)
	c.server = newLane(c, reply)
	c.grants.limit = max(int64(opts.maxMessage()), int64(opts.window()))
	c.credits.window = int64(opts.window())
	for i := range c.credits.classes {
		c.credits.classes[i].owed.Store(c.credits.window)
	}
	c.writer = writer{
		conn:     conn,
		maxSend:  opts.maxSend(),
		maxQueue: opts.sendQueue(),
		owed:     c.credits.takeOwed,
		failed:   c.writeFailed,
		done:     c.done,
		wake:     make(chan struct{}, 1),
		drained:  make(chan struct{}),
		work:     &c.work,
		answers:  make(map[uint32]*outStream),
		lonely:   c.noShutdown,
		quiet:    c.quiet,
		credit:   true,
	}
	if now, ok := conn.(interface{ WriteNow([]byte) (int, error) }); ok {
		if _, err := now.WriteNow(nil); err == nil {
			c.writer.writeNow = now.WriteNow
		}
	}
	c.writer.wake <- struct{}{}
	c.running.Go(c.writer.run)
	c.running.Go(func() {
		r := &reader{c: c, src: &counted{conn, &c.reads, &c.bytesIn}, buf: make([]byte, readSize)}
		c.end(c.reason(r.run()))
	})
	if d := opts.keepalive(); d > 0 {
		(&keepalive{c: c, interval: d}).start()
	}
	return c
}

// Ready returns a channel that is closed when the other side has first said how much it takes. What is sent
// before has to wait for that, and is lost if this process ends meanwhile.
func (c *Conn) Ready() <-chan struct{} { return c.ready }

// opened is called by the reader when credit of class cl has come.
func (c *Conn) opened(cl class) {
	if c.opening[cl] {
		return
	}
	c.opening[cl] = true
	if c.opening == [numClasses]bool{true, true, true} {
		close(c.ready)
	}
}

// ClientLane returns the lane of the calls that this side makes.
func (c *Conn) ClientLane() *Lane { return c.client }

// ServerLane returns the lane of the calls that this side answers.
func (c *Conn) ServerLane() *Lane { return c.server }

// streamsErr is Err for streams, once the link has ended.
func (c *Conn) streamsErr() error {
	if c.err == ErrClosed {
		return errStreamsClosed
	}
	return c.err
}

// Done returns a channel that is closed when the link has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns nil while the link is up, and then why it ended: [ErrClosed],
// [ErrPeerClosed], [ErrUnresponsive], a [*ProtocolError], or what the connection below returned.
func (c *Conn) Err() error {
	if isClosed(c.done) {
		return c.err
	}
	return nil
}

// Close ends the link. Messages accepted for sending before are written if
// the other side takes them within 50 ms; those still waiting for credit are not sent. The other
// side is told, and ends with [ErrPeerClosed]. Close returns nil,
// within about a second even if the connection below does not close.
func (c *Conn) Close() error {
	if !isClosed(c.done) { // a link that has ended otherwise does not end in order any more
		c.writer.close()
		select {
		case <-c.writer.drained:
		case <-c.done:
		case <-time.After(flushTime):
		}
		c.end(ErrClosed)
	}
	select {
	case <-c.closed:
	case <-time.After(closeTime):
	}
	return nil
}

// Wait waits until the link has ended and everything it runs has too, and
// returns Err. A connection whose Close does not wake its Read holds it up.
func (c *Conn) Wait() error {
	<-c.done
	c.goes(func() {}) // those that saw done open have added to running before
	c.running.Wait()
	<-c.closed
	return c.err
}

// end ends the link once. The order matters: senders are released first, then
// whoever waits in the kernel, then those who wait for messages. It does not
// wait for an end that is under way (as sync.Once would): a receiver that is
// being told of it may call Close.
func (c *Conn) end(err error) {
	if !c.ending.CompareAndSwap(false, true) {
		return
	}
	c.err = err
	close(c.done)
	go func() {
		c.conn.Close()
		close(c.closed)
	}()
	c.mu.Lock()
	for _, t := range c.timers {
		t.Stop()
	}
	c.mu.Unlock()
	c.streams.end()
	c.client.end()
	c.server.end()
}

// goes runs f on a goroutine that Wait waits for, or, if the link has ended, now.
func (c *Conn) goes(f func()) {
	c.mu.Lock()
	if isClosed(c.done) {
		c.mu.Unlock()
		f()
		return
	}
	c.running.Go(f)
	c.mu.Unlock()
}

// endAfter ends the link after d unless it ends before.
func (c *Conn) endAfter(d time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isClosed(c.done) {
		c.timers = append(c.timers, time.AfterFunc(d, func() { c.end(c.reason(err)) }))
	}
}

// writeFailed is called when a write has failed. The reader is likely to
// learn why: it has drainTime to do so.
func (c *Conn) writeFailed(err error) { c.endAfter(drainTime, err) }

// peerCloses is called when the other side has said that it closes. Reading
// goes on to the end of the stream, for what the connection below has to say.
func (c *Conn) peerCloses() {
	c.mu.Lock()
	c.peerBy = true
	c.mu.Unlock()
	c.writer.update(func() { c.writer.peerBye = true })
	c.endAfter(byeTime, ErrPeerClosed)
}

// reason says why the link has ended, given what the connection below returned.
func (c *Conn) reason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peerBy {
		return &peerClosed{cause: err}
	}
	return err
}

// peerClosed is ErrPeerClosed together with what the connection returned then.
type peerClosed struct{ cause error }

func (e *peerClosed) Error() string   { return ErrPeerClosed.Error() }
func (e *peerClosed) Unwrap() []error { return []error{ErrPeerClosed, e.cause} }

// deliver hands a message to its lane. The reader calls it.
func (c *Conn) deliver(cl class, msg []byte) {
	switch cl {
	case reply:
		c.client.deliver(inbound{cl, msg})
		c.work.calls.Add(-1) // behind that: Shutdown may close the link once there are none
	case call:
		c.work.served.Add(1)
		c.server.deliver(inbound{cl, msg})
	case oneWay:
		c.work.notes.Add(1)
		c.server.deliver(inbound{cl, msg})
	}
	c.arrived()
}

// arrived counts a message that has come, or will never: it was aborted.
func (c *Conn) arrived() {
	c.work.received.Add(1)
	if c.work.draining.Load() {
		c.writer.update(func() { c.writer.farewell.heard = false })
	}
}

// taken says that a message of n bytes of class cl takes no room here any
// more: the other side may send as much again.
func (c *Conn) taken(cl class, n int) {
	if n > maxPayload {
		c.grant(c.grants.release(cl, n))
	}
	c.owe(cl, cost(n))
	if cl == oneWay {
		c.work.notes.Add(-1)
		c.settle()
	}
}

func (c *Conn) owe(cl class, n int64) {
	if c.credits.owe(cl, n) {
		c.writer.update(func() { c.writer.credit = true })
	}
}

// grant lets the other side send the rest of the messages in list.
func (c *Conn) grant(list []*inMsg) {
	if len(list) == 0 {
		return
	}
	w := &c.writer
	w.update(func() {
		for _, m := range list {
			w.control = appendHeader(w.control, kindGrant+kind(m.class), 0, m.id)
		}
	})
}

// addCredit is called when the other side has granted n bytes of class cl.
func (c *Conn) addCredit(cl class, n int64) (err error) {
	oc := &c.writer.classes[cl]
	c.writer.update(func() {
		if oc.credit += n; n == 0 || oc.credit > maxWindow {
			err = protocolErrorf("%v credit of %d bytes makes %d, limit is %d", cl, n, oc.credit, maxWindow)
		}
	})
	return err
}

// beGranted is called when the other side has granted the rest of a message. A
// grant may cross the message's abort: it is then for nothing.
func (c *Conn) beGranted(cl class, id uint32) {
	w := &c.writer
	w.update(func() {
		if m := w.classes[cl].open[id]; m != nil && m.state == msgBegun {
			m.state = msgGranted
			w.ready = append(w.ready, m)
		}
	})
}

// signal puts a token into a channel of one slot, if there is none.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
