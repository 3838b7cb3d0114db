package duplex

import (
	"net"
	"sync"
)

// maxUnanswered is how many streams one side may have opened without an answer, so that refusals
// take no more room than that.
const maxUnanswered = 256

type streamKey struct {
	id   uint32
	mine bool // this side has opened it
}

// streams is the table of the streams of a Conn.
//
// While its mutex is held, that of an inStream or of the writer may be taken, not the other way
// round.
type streams struct {
	c          *Conn
	window     int64         // the most a stream may send before it is read, in bytes
	backlog    int           // how many may wait for Accept
	unanswered chan struct{} // a slot for each stream that this side has opened, until the answer
	arrived    chan struct{} // one slot: waiting has grown

	mu         sync.Mutex // guards what follows, and Stream.state
	table      map[streamKey]*Stream
	nextID     uint64    // counted on where the ids, of 32 bits, begin again
	peerNextID uint64    // the one behind the latest that the other side has opened; likewise
	waiting    []*Stream // for Accept
	listeners  int       // and calls of Conn.Accept
	noListener bool      // the last listener was closed, and nobody has called Accept since
	offers     map[uint32]*Stream
	nextOffer  uint32
	ended      bool // the link has
}

func (ss *streams) init(c *Conn, opts *Options) {
	ss.c = c
	ss.window = int64(opts.streamWindow())
	ss.backlog = opts.backlog()
	ss.unanswered = make(chan struct{}, maxUnanswered)
	ss.arrived = make(chan struct{}, 1)
}

func (ss *streams) newStream(by kind) *Stream {
	s := &Stream{
		streams:  ss,
		state:    streamNew,
		reading:  make(chan struct{}, 1),
		writing:  make(chan struct{}, 1),
		closed:   make(chan struct{}),
		answered: make(chan struct{}, 1),
	}
	s.in.state = inOpen
	s.in.changed = make(chan struct{}, 1)
	s.in.window, s.in.limit = min(firstWindow, ss.window), ss.window
	s.out.state = outOffered
	s.out.w = &ss.c.writer
	s.out.wrote = make(chan struct{}, 1)
	s.out.by = by
	return s
}

// put enters s into the table. mu is held.
func (ss *streams) put(s *Stream, e streamEvent) {
	if ss.table == nil {
		ss.table = make(map[streamKey]*Stream)
	}
	ss.table[s.key] = s
	ss.on(s, e)
}

// on has e happen to s. It reports false if e means nothing to s any more. A stream that is
// forgotten is taken out of wherever it is, and Shutdown waits for it until what has come was read.
// mu is held.
func (ss *streams) on(s *Stream, e streamEvent) (moved bool) {
	was := s.state
	if !s.state.on(e) {
		return false
	}
	if s.state == streamForgotten {
		ss.takeOut(s, was)
		if e != streamLosesLink && s.in.isEmpty() {
			s.state.on(streamIsReadToLast)
		}
	}
	switch before, after := was.keepsLinkUp(), s.state.keepsLinkUp(); {
	case after && !before:
		ss.c.work.streams.Add(1)
	case before && !after:
		ss.c.work.streams.Add(-1)
		ss.c.settle()
	}
	return true
}

// takeOut takes s out of the lists in which it was. mu is held.
func (ss *streams) takeOut(s *Stream, was streamState) {
	if was == streamOffered {
		delete(ss.offers, s.offer)
		return
	}
	delete(ss.table, s.key)
	ss.waiting = remove(ss.waiting, s)
}

// hasRead is called when some of s has been read.
func (ss *streams) hasRead(s *Stream) {
	if !s.in.isReadToLast() {
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.on(s, streamIsReadToLast)
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

// closeOut ends the half of s that this side sends, for its user. It does not block.
//
// A Write at work fails, and what it has sent must not pass for all there was: then both halves are
// cut off, and closeOut reports true.
func (ss *streams) closeOut(s *Stream) (cut bool) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ended, was := false, s.state
	ss.c.writer.update(func() {
		switch cut = s.out.halfWritten(); {
		case !cut:
			ended = s.out.end(net.ErrClosed)
		case was.isGone(): // the link has ended
			s.out.drop(net.ErrClosed)
		default:
			s.out.reset(resetCut, net.ErrClosed, was)
		}
	})
	switch {
	case cut:
		s.in.close(net.ErrClosed)
		ss.on(s, streamEndsAtOnce)
		ss.on(s, streamIsReadToLast)
	case ended:
		ss.on(s, streamHalfEnds)
	}
	return cut
}

// endOut ends the half of s that this side sends, as the other side reads no more. It does not
// block.
func (ss *streams) endOut(s *Stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ended := false
	ss.c.writer.update(func() { ended = s.out.end(ErrStopped) })
	if ended {
		ss.on(s, streamHalfEnds)
	}
}

// endIn ends the half of s that this side receives, of which nothing is wanted any more.
func (ss *streams) endIn(s *Stream) {
	maySend := s.in.close(net.ErrClosed)
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case s.state == streamOffered:
		ss.on(s, streamEndsAtOnce)
	case s.state.isGone():
		ss.on(s, streamIsReadToLast)
	case maySend:
		ss.c.writer.update(func() { s.out.owe(dueStop) })
	}
}

// reset ends s at once and tells the other side.
func (ss *streams) reset(s *Stream, code uint32, reason error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.resetLocked(s, code, reason)
}

// resetLocked is reset while mu is held.
func (ss *streams) resetLocked(s *Stream, code uint32, reason error) {
	s.in.close(reason)
	was := s.state
	if !ss.on(s, streamEndsAtOnce) {
		ss.on(s, streamIsReadToLast)
		return
	}
	ss.c.writer.update(func() { s.out.reset(code, reason, was) })
}

// refuseWaiting refuses the streams that wait for Accept. It does not block. mu is held.
func (ss *streams) refuseWaiting(code uint32) {
	waiting := ss.waiting
	ss.waiting = nil
	for _, s := range waiting {
		ss.resetLocked(s, code, net.ErrClosed)
	}
}

// end fails all streams at the end of the link.
func (ss *streams) end() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.ended = true
	for _, s := range ss.table {
		s.in.lose()
		ss.on(s, streamLosesLink)
	}
	for _, s := range ss.offers {
		s.in.lose()
		ss.on(s, streamLosesLink)
	}
	ss.table, ss.offers, ss.waiting = nil, nil, nil
}
