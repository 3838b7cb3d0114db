package duplex

import (
	"context"
	"net"
	"sync"
)

// maxUnanswered is how many streams one side may have opened without an
// answer, so that refusals take no more room than that.
const maxUnanswered = 256

type streamKey struct {
	id   uint32
	mine bool // this side has opened it
}

// streams is the table of the streams of a Conn.
//
// Its mutex may be held when that of an inStream or of the writer is taken, not the other way round.
type streams struct {
	c       *Conn
	window  int64         // the most a stream may send before it is read
	backlog int           // how many may wait for Accept
	opening chan struct{} // a slot for each stream that this side has opened and that is not answered
	arrived chan struct{} // one slot: waiting has grown

	mu        sync.Mutex // guards what follows
	table     map[streamKey]*Stream
	nextID    uint32
	lastID    uint32    // the latest id that the other side has opened
	waiting   []*Stream // for Accept
	listeners int
	deaf      bool // the last listener was closed, and nobody has called Accept since
	offers    map[uint32]*Stream
	nextOffer uint32
	ended     bool
}

func (ss *streams) init(c *Conn, opts *Options) {
	ss.c = c
	ss.window = int64(opts.streamWindow())
	ss.backlog = opts.backlog()
	ss.opening = make(chan struct{}, maxUnanswered)
	ss.arrived = make(chan struct{}, 1)
	ss.lastID = ^uint32(0)
}

func (ss *streams) newStream(by kind) *Stream {
	s := &Stream{
		streams:  ss,
		reading:  make(chan struct{}, 1),
		writing:  make(chan struct{}, 1),
		closed:   make(chan struct{}),
		answered: make(chan struct{}, 1),
	}
	s.in.more = make(chan struct{}, 1)
	s.in.window, s.in.limit = min(firstWindow, ss.window), ss.window
	s.out.w = &ss.c.writer
	s.out.wrote = make(chan struct{}, 1)
	s.out.by = by
	return s
}

// Open opens a stream and waits until the other side has taken it, by Accept
// or a [Conn.Listener]. The error is ctx.Err(), one that is [ErrRefused], [ErrShutdown] or [ErrNoStreams], or the link's,
// in a [*net.OpError]. The net.Conn is a [*Stream].
func (c *Conn) Open(ctx context.Context) (net.Conn, error) { return c.streams.open(ctx, 0) }

// OpenOffer opens the stream that the other side has offered by this name. It is as Open, but
// the other side need not take it. An offer is there until it is opened or closed.
func (c *Conn) OpenOffer(ctx context.Context, name uint32) (net.Conn, error) {
	if name == 0 {
		return nil, openError(refused(resetNoOffer))
	}
	return c.streams.open(ctx, name)
}

func openError(err error) error { return &net.OpError{Op: "open", Net: "viaduct", Err: err} }

func (ss *streams) open(ctx context.Context, name uint32) (net.Conn, error) {
	s, err := ss.start(ctx, name)
	if err != nil {
		return nil, openError(err)
	}
	select {
	case <-s.answered:
	case <-ctx.Done():
		err = ctx.Err()
		ss.reset(s, resetByUser, err)
	case <-ss.c.done:
		err = ss.endErr(errEnded)
	}
	<-ss.opening
	if err == nil {
		ss.mu.Lock()
		err = s.refused
		ss.mu.Unlock()
	}
	if err != nil {
		return nil, openError(err)
	}
	return s, nil
}

// start has a stream opened, once it has a place among those without an answer.
func (ss *streams) start(ctx context.Context, name uint32) (*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if ss.c.noStreams {
		return nil, ErrNoStreams
	}
	select {
	case ss.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-ss.c.done:
		return nil, ss.endErr(errEnded)
	}
	s := ss.newStream(byOpener)
	window := s.in.open()
	if err := ss.number(s, window, name); err != nil {
		<-ss.opening
		return nil, ss.endErr(err)
	}
	ss.c.writer.flush()
	return s, nil
}

// endErr replaces what the writer says of the link's end by what users of streams are told.
func (ss *streams) endErr(err error) error {
	switch err {
	case errEnded:
		return cutOff(ss.c.streamsErr())
	case ErrClosed:
		return errStreamsClosed
	}
	return err
}

// number gives s an id and has it opened. The ids go out in order.
func (ss *streams) number(s *Stream, window, name uint32) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w := &ss.c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.maySend(); err != nil {
		return err
	}
	if name == 0 && w.work.draining.Load() {
		return ErrShutdown // the other side would refuse it
	}
	for ss.table[streamKey{ss.nextID, true}] != nil {
		ss.nextID++
	}
	s.key = streamKey{ss.nextID, true}
	ss.nextID++
	ss.put(s)
	s.out.id, s.out.opened = s.key.id, true
	s.out.window, s.out.name = window, name
	s.out.owe(dueOpen)
	return nil
}

func (ss *streams) put(s *Stream) {
	if ss.table == nil {
		ss.table = make(map[streamKey]*Stream)
	}
	ss.table[s.key] = s
	ss.count(s)
}

// Accept waits for the next stream that the other side opens and takes it. It
// fails when the link has ended. The net.Conn is a [*Stream].
func (c *Conn) Accept() (net.Conn, error) {
	c.streams.listen(1)
	defer c.streams.listen(-1)
	return c.streams.accept(nil)
}

// listen counts those who accept streams: the listeners, and the calls of Conn.Accept.
func (ss *streams) listen(delta int) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.listeners += delta
}

// accept is Accept until stop is closed.
func (ss *streams) accept(stop <-chan struct{}) (net.Conn, error) {
	for {
		switch {
		case isClosed(ss.c.done):
			return nil, acceptError(ss.endErr(errEnded))
		case isClosed(stop):
			ss.pass()
			return nil, acceptError(net.ErrClosed)
		}
		if s := ss.next(stop); s != nil {
			ss.c.writer.flush()
			return s, nil
		}
		select {
		case <-ss.arrived:
		case <-stop:
		case <-ss.c.done:
		}
	}
}

func acceptError(err error) error { return &net.OpError{Op: "accept", Net: "viaduct", Err: err} }

// next takes the first stream that waits, or returns nil.
func (ss *streams) next(stop <-chan struct{}) *Stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if isClosed(stop) { // looked at under mu, or a listener that is closed would listen again
		return nil
	}
	ss.deaf = false
	if len(ss.waiting) == 0 {
		return nil
	}
	s := ss.waiting[0]
	ss.waiting[0] = nil
	ss.waiting = ss.waiting[1:]
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
	ss.take(s)
	return s
}

// pass passes on the signal that somebody may have taken who accepts no more.
func (ss *streams) pass() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if len(ss.waiting) > 0 {
		signal(ss.arrived)
	}
}

// take tells the other side that s is taken. mu is held.
func (ss *streams) take(s *Stream) {
	ss.c.writer.update(func() { s.out.owe(dueAccept) })
}

// Offer returns a stream for the other side to open by OpenOffer, and the name
// by which it does, which is to be sent there in a message: so a call can be given
// a stream, and a reply can. The stream does not go through Accept. What is written
// waits until then, and CloseWrite may be called before. Close and Reset take the offer back. If the other side does not know streams the name
// is 0, and Read and Write fail with [ErrNoStreams]. The net.Conn is a [*Stream].
func (c *Conn) Offer() (name uint32, stream net.Conn) {
	ss := &c.streams
	s := ss.newStream(byAcceptor)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.gone = c.noStreams || ss.ended
	switch {
	case c.noStreams:
		s.in.fail(ErrNoStreams, true)
		s.out.failed = ErrNoStreams
		return 0, s
	case ss.ended:
		s.in.fail(errEnded, true)
		return 0, s
	}
	for ss.nextOffer++; ss.nextOffer == 0 || ss.offers[ss.nextOffer] != nil; {
		ss.nextOffer++
	}
	s.offer = ss.nextOffer
	if ss.offers == nil {
		ss.offers = make(map[uint32]*Stream)
	}
	ss.offers[s.offer] = s
	ss.count(s)
	return s.offer, s
}

// count has Shutdown wait for s. mu is held.
func (ss *streams) count(s *Stream) {
	if !s.counted {
		s.counted = true
		ss.c.work.streams.Add(1)
	}
}

// uncount ends that, if s has ended and all that came was read. mu is held.
func (ss *streams) uncount(s *Stream) {
	if s.counted && s.gone && s.allRead {
		s.counted = false
		ss.c.work.streams.Add(-1)
		ss.c.settle()
	}
}

// hasRead is called when some of s has been read.
func (ss *streams) hasRead(s *Stream) {
	if !s.in.last() {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.allRead = true
	ss.uncount(s)
}

// closeOnce closes s.closed. It reports false if that was done before.
func (ss *streams) closeOnce(s *Stream) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if isClosed(s.closed) {
		return false
	}
	close(s.closed)
	return true
}

// closeOut ends the half of s that this side sends, for its user. It does not block. A Write at work
// fails, and what it has sent must not pass for all there was: then it ends both halves, and reports true.
func (ss *streams) closeOut(s *Stream) (cut bool) {
	first := false
	ss.c.writer.update(func() {
		if cut = s.out.halfWritten(); cut {
			s.out.stop(net.ErrClosed)
		} else {
			first = s.out.end(net.ErrClosed)
		}
	})
	switch {
	case cut:
		ss.reset(s, resetCut, net.ErrClosed)
	case first:
		ss.halfEnded(s)
	}
	return cut
}

// endOut ends the half of s that this side sends, as the other side reads no more. It does not block.
func (ss *streams) endOut(s *Stream) {
	first := false
	ss.c.writer.update(func() { first = s.out.end(ErrStopped) })
	if first {
		ss.halfEnded(s)
	}
}

// endIn ends the half of s that this side receives, of which nothing is wanted any more.
func (ss *streams) endIn(s *Stream) {
	tell := s.in.close()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.allRead = true
	switch {
	case s.gone:
		ss.uncount(s)
	case s.offer != 0:
		ss.forget(s)
	case tell:
		ss.c.writer.update(func() { s.out.owe(dueStop) })
	}
}

// halfEnded counts. A stream whose halves have both ended is forgotten: no
// frame for it need be looked at any more.
func (ss *streams) halfEnded(s *Stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.halves++; s.halves == 2 {
		s.allRead = s.allRead || s.in.empty()
		ss.forget(s)
	}
}

// forget takes s out of wherever it is. mu is held.
func (ss *streams) forget(s *Stream) {
	if s.gone {
		return
	}
	s.gone = true
	if s.offer != 0 {
		delete(ss.offers, s.offer)
	} else {
		delete(ss.table, s.key)
		ss.waiting = remove(ss.waiting, s)
	}
	ss.uncount(s)
}

// reset ends s at once and tells the other side.
func (ss *streams) reset(s *Stream, code uint32, reason error) {
	s.in.fail(reason, true)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s.allRead = true
	if s.gone {
		ss.uncount(s)
		return
	}
	ss.forget(s)
	ss.c.writer.update(func() { s.out.reset(code, reason) })
}

// end fails all streams at the end of the link.
func (ss *streams) end() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.ended = true
	for _, s := range ss.table {
		s.in.fail(errEnded, false)
		s.gone = true
	}
	for _, s := range ss.offers {
		s.in.fail(errEnded, false)
		s.gone = true
	}
	ss.table, ss.offers, ss.waiting = nil, nil, nil
}
