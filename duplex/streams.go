package duplex

import (
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

func (ss *streams) put(s *Stream) {
	if ss.table == nil {
		ss.table = make(map[streamKey]*Stream)
	}
	ss.table[s.key] = s
	ss.count(s)
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
