package duplex

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/capacity"
)

const (
	// drainTime is how long a Conn waits for more to read after a write has failed: replies may be
	// in the pipe, and the reader may be told why the link has ended. A link to a process waits up
	// to 50 ms for that, and a busy machine for its turn, so this must be longer. Only a peer that
	// has closed one half of the connection and keeps the other makes anybody wait for so long, or,
	// if it goes on sending, for drainMost. It is looked for drainLooks times: a machine that lets
	// so many looks happen has let the reader have its turn as well.
	drainTime  = 500 * time.Millisecond
	drainLooks = 4
	drainMost  = 10 * drainTime
	// flushTime bounds how long Close waits for what was accepted for sending, while the connection
	// takes nothing. turnTime is for a machine so busy that who writes has no turn.
	flushTime = 50 * time.Millisecond
	turnTime  = 500 * time.Millisecond
	// byeTime is how long the other side may take to close after it said so.
	byeTime = time.Second
	// closeTime bounds how long Close waits for the connection below to close.
	closeTime = time.Second
)

// A Conn is one end of a link. Its methods may be called from any goroutine.
type Conn struct {
	// Set by New.
	conn       io.Closer
	maxMessage int
	client     *Lane
	server     *Lane
	routes     [numClasses]route // of messages that come in
	noStreams  bool              // the other side does not know streams
	sizing     sizing

	credits credits // of messages that come in
	grants  grants  // of their rests
	streams streams
	writer  writer

	work     work          // what is going on
	shutting atomic.Bool   // Shutdown has been called
	quiet    chan struct{} // closed when nothing is going on any more after that
	reads    atomic.Uint32 // reads that have brought something
	bytesIn  atomic.Uint64

	credited [numClasses]bool // what credit has come for; owned by the reader
	ready    chan struct{}    // closed when it has for all

	// The end, see the method end.
	running sync.WaitGroup // reader and writer, and what goes has started
	ending  atomic.Bool
	done    chan struct{} // closed when err is set
	closed  chan struct{} // closed when conn is
	err     error         // why the link ended

	// Guards what follows. While the writer's is held it may be locked, not the other way round.
	mu        sync.Mutex
	timers    []*time.Timer // stopped at the end
	peerBye   bool          // the other side has said that it closes
	pings     []*ping       // without an answer, in the order they were sent
	nextPing  uint32
	roundTrip time.Duration // of the latest ping that was answered
	measuring bool          // Stats has sent one that was not
}

// New makes conn a link and starts it. The other end must do the same. The Conn owns conn from then
// on, and closes it when the link ends, for whatever reason.
//
// If conn has a method WriteNow(p []byte) (int, error), which writes what it can of p without
// waiting, perhaps nothing, then small messages are written by who sends them. It may return
// [errors.ErrUnsupported].
func New(conn io.ReadWriteCloser, opts *Options) *Conn {
	c := &Conn{
		conn:       conn,
		maxMessage: opts.maxMessage(),
		noStreams:  opts.peerFrames().NoStreams,
		sizing:     sizing{eager: opts.peerFrames().Eager, sums: opts.checksum()},
		quiet:      make(chan struct{}),
		ready:      make(chan struct{}),
		done:       make(chan struct{}),
		closed:     make(chan struct{}),
	}
	c.client = newLane(c, call, reply)
	c.server = newLane(c, reply, call)
	c.initRoutes()
	c.grants.sizing = c.sizing
	c.grants.limit = max(int64(opts.maxMessage()), int64(opts.window()))
	c.credits.init(int64(opts.window()))
	c.streams.init(c, opts)
	c.initWriter(conn, opts)
	c.running.Go(c.writer.run)
	c.running.Go(func() {
		r := newReader(c, &counted{conn, &c.reads, &c.bytesIn})
		r.sums = opts.sums(opts.peerFrames().SumsIn)
		c.end(c.reason(r.run()))
	})
	if d := opts.keepalive(); d > 0 {
		(&keepalive{c: c, interval: d}).start()
	}
	return c
}

func (c *Conn) initWriter(conn io.Writer, opts *Options) {
	c.writer = writer{
		conn:     conn,
		maxSend:  opts.maxSend(),
		maxQueue: opts.sendQueue(),
		failed:   c.writeFailed,
		done:     c.done,
		work:     &c.work,
		wake:     make(chan struct{}, 1),
		queues:   queues{sizing: c.sizing},
		sums:     opts.sums(opts.peerFrames().SumsOut),
		pipe:     pipe{Control: capacity.New(opts.peerFrames().SetLarge), c: c},
		owed: owed{
			takeCredit: c.credits.takeOwed,
			credit:     true, // the first windows
			answers:    make(map[uint32]*outStream),
		},
		end: ending{
			drained:  make(chan struct{}),
			farewell: farewell{peerKnowsNoShutdown: opts.peerFrames().NoShutdown, quiet: c.quiet},
		},
	}
	if now, ok := conn.(interface{ WriteNow([]byte) (int, error) }); ok {
		if _, err := now.WriteNow(nil); err == nil {
			c.writer.writeNow = now.WriteNow
		}
	}
	signal(c.writer.wake)
}

// Ready returns a channel that is closed when the other side has first said how much it takes. What
// is sent before has to wait for that, and is lost if this process ends meanwhile. It stays open if
// the link ends before that: look at Done as well.
func (c *Conn) Ready() <-chan struct{} { return c.ready }

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

// Err returns nil while the link is up, and then why it ended: [ErrClosed], [ErrPeerClosed],
// [ErrUnresponsive], a [*ProtocolError], a [*ChecksumError], or what the connection below returned,
// all in the sense of errors.Is and errors.As.
func (c *Conn) Err() error {
	if isClosed(c.done) {
		return c.err
	}
	return nil
}

// Close ends the link. Messages accepted for sending before are written if the other side takes
// them within 50 ms (500 ms on a machine so busy that this process has no turn to write); those
// still waiting for credit are not sent. The other side is told, and ends with [ErrPeerClosed].
// Close returns nil, within about a second even if the connection below does not close.
func (c *Conn) Close() error {
	if !isClosed(c.done) { // a link that has ended otherwise does not end in order any more
		c.writer.close()
		c.writer.awaitMoment(c.writer.end.drained)
		c.end(ErrClosed)
	}
	select {
	case <-c.closed:
	case <-time.After(closeTime):
	}
	return nil
}

// Wait waits until the link has ended and everything it runs has, too, and returns Err. A
// connection below whose Close does not wake its Read holds it up.
func (c *Conn) Wait() error {
	<-c.done
	c.goes(func() {}) // those that saw done open have added to running before
	c.running.Wait()
	<-c.closed
	return c.err
}

// end ends the link once. The order matters: senders are released first, then whoever waits in the
// kernel, then those who wait for messages. It does not wait for an end that is under way (as
// sync.Once would): a receiver that is being told of it may call Close.
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

// writeFailed is called when a write has failed. The reader is likely to learn why, and reads on
// until nothing has come for drainTime.
func (c *Conn) writeFailed(err error) {
	c.goes(func() {
		const between = drainTime / drainLooks
		look := time.NewTicker(between)
		defer look.Stop()
		reads, without := c.reads.Load(), 0
		for range drainMost / between {
			select {
			case <-c.done:
				return
			case <-look.C:
			}
			if now := c.reads.Load(); now != reads {
				reads, without = now, 0
			} else if without++; without == drainLooks {
				break
			}
		}
		c.end(c.reason(err))
	})
}

// peerCloses is called when the other side has said that it closes. Reading goes on to the end, for
// what the connection below has to say.
func (c *Conn) peerCloses() {
	c.mu.Lock()
	c.peerBye = true
	c.mu.Unlock()
	c.writer.update(func() { c.writer.end.peerBye = true })
	c.endAfter(byeTime, ErrPeerClosed)
}

// reason says why the link has ended, given what the connection below returned.
func (c *Conn) reason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peerBye {
		return &peerClosed{cause: err}
	}
	return err
}

// peerClosed is ErrPeerClosed together with what the connection returned then.
type peerClosed struct{ cause error }

func (e *peerClosed) Error() string   { return ErrPeerClosed.Error() }
func (e *peerClosed) Unwrap() []error { return []error{ErrPeerClosed, e.cause} }

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

// Stats says what a [Conn] has moved and what waits.
type Stats struct {
	BytesIn, BytesOut uint64 // with all overhead, since the Conn began

	SendQueue int // bytes of messages that are in frames and not with the system yet
	Senders   int // messages that wait for credit, for room, or for the grant of their rest
	Streams   int // that have not ended, or of which not all was read

	// How many bytes of each class may be sent before the other side has to grant more; below 0 if
	// the last message was larger than what was left.
	CallCredit, ReplyCredit, NotificationCredit int64

	// RoundTrip is how long the latest ping that was answered took, 0 if none was: one of Ping, or
	// one that Stats itself has sent before.
	RoundTrip time.Duration
}

// Stats returns the numbers as they are now, and pings the other side for the next time. It does
// not block.
func (c *Conn) Stats() Stats {
	s := Stats{
		BytesIn:  c.bytesIn.Load(),
		BytesOut: c.writer.bytes.Load(),
		Streams:  int(c.work.streams.Load()),
	}
	w := &c.writer
	w.mu.Lock()
	s.SendQueue = len(w.queues.frames) + len(w.owner.rest) - w.owner.written
	for i := range w.queues.classes {
		oc := &w.queues.classes[i]
		s.Senders += len(oc.waiting) + len(oc.unfinished)
		*[...]*int64{call: &s.CallCredit, reply: &s.ReplyCredit, notification: &s.NotificationCredit}[i] = oc.credit
	}
	w.mu.Unlock()

	c.mu.Lock()
	s.RoundTrip = c.roundTrip
	measure := !c.measuring && !isClosed(c.done)
	c.measuring = c.measuring || measure
	c.mu.Unlock()
	if measure {
		c.sendPing(&ping{own: true, answered: make(chan struct{})})
	}
	return s
}
