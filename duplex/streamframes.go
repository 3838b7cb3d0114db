package duplex

import (
	"encoding/binary"
	"slices"
)

// The functions of this file are called by the reader: they must not block.

// frame is called with a frame of a stream. by says which side has sent it.
func (ss *streams) frame(r *reader, base, by kind, h header) error {
	if base == kindOpen {
		return ss.peerOpens(r, h)
	}
	key := streamKey{h.id, by == byAcceptor}
	s, err := ss.find(key)
	if err != nil {
		return err
	}
	isAnswer := base == kindReset || base == kindAccept
	if s != nil && !isAnswer && !s.out.accepted.Load() {
		return protocolErrorf("%v frame of stream %d, which has not been accepted", h.kind, h.id)
	}
	if base == kindData {
		return ss.data(r, s, int(h.length))
	}
	var number uint32
	if h.length > 0 {
		if number, err = r.uint32(); err != nil {
			return err
		}
	}
	if s == nil {
		if base == kindReset && !key.mine {
			ss.peerNeedsNoAnswer(key.id)
		}
		return nil
	}
	switch base {
	case kindAccept:
		return ss.peerAccepts(s, number)
	case kindMore:
		return ss.peerReads(s, number)
	case kindEnd:
		return ss.peerEnds(s)
	case kindStop:
		ss.endOut(s)
	case kindReset:
		ss.peerResets(s, number)
	}
	return nil
}

// find returns the stream that is meant. It is nil if it was forgotten: then the frame has crossed
// something that this side has said.
func (ss *streams) find(key streamKey) (*Stream, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.table[key]; s != nil {
		return s, nil
	}
	next := ss.peerNextID
	if key.mine {
		next = ss.nextID
	}
	never := uint64(key.id) >= next
	if next > 1<<32 { // they have begun again: any id may have been one
		never = int32(key.id-uint32(next)) >= 0
	}
	if never {
		return nil, protocolErrorf("frame of stream %d, which has never been opened", key.id)
	}
	return nil, nil
}

func (r *reader) uint32() (uint32, error) {
	var b [4]byte
	err := r.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// peerOpens is called with an open frame.
func (ss *streams) peerOpens(r *reader, h header) error {
	window, err := r.uint32()
	if err != nil {
		return err
	}
	name, err := r.uint32()
	if err != nil {
		return err
	}
	if window > maxWindow {
		return protocolErrorf("open frame: window of %d bytes, limit is %d", window, maxWindow)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	key := streamKey{h.id, false}
	if err := ss.mayOpen(key); err != nil {
		return err
	}
	ss.peerNextID += uint64(h.id-uint32(ss.peerNextID)) + 1
	defer ss.c.arrived()
	switch {
	case ss.ended:
	case name != 0:
		ss.openOffer(key, window, name)
	default:
		ss.admit(key, window)
	}
	return nil
}

// mayOpen returns an error if the other side must not open this stream. mu is held.
func (ss *streams) mayOpen(key streamKey) error {
	if last := uint32(ss.peerNextID) - 1; int32(key.id-last) <= 0 {
		return protocolErrorf("open of stream %d, but %d has been opened before", key.id, last)
	}
	if ss.table[key] != nil {
		return protocolErrorf("open of stream %d, which is open already", key.id)
	}
	return ss.countUnanswered()
}

// openOffer gives the other side the stream that it was offered by this name. mu is held.
func (ss *streams) openOffer(key streamKey, window, name uint32) {
	s := ss.offers[name]
	if s == nil {
		ss.refuse(key.id, resetNoOffer)
		return
	}
	delete(ss.offers, name)
	s.key, s.offer = key, 0
	ss.put(s, streamIsAccepted)
	halfEnded := false
	ss.c.writer.update(func() {
		// All at once: somebody may be writing, and nothing may go out before the accept does.
		s.out.window = s.in.grantWindow()
		s.out.open(key.id, window)
		s.out.owe(dueAccept)
		halfEnded = s.out.state == outEnded
	})
	if halfEnded {
		ss.on(s, streamHalfEnds)
	}
}

// admit has a stream of the other side wait for Accept, or refuses it. mu is held.
func (ss *streams) admit(key streamKey, window uint32) {
	if reason := ss.refusalReason(); reason != 0 {
		ss.refuse(key.id, reason)
		return
	}
	s := ss.newStream(byAcceptor)
	s.key = key
	ss.put(s, streamComes)
	ss.c.writer.update(func() {
		s.out.window = s.in.grantWindow()
		s.out.open(key.id, window)
	})
	ss.waiting = append(ss.waiting, s)
	signal(ss.arrived)
}

// refusalReason returns the code with which a stream is refused now, 0 if it is not. mu is held.
func (ss *streams) refusalReason() uint32 {
	switch {
	case ss.c.work.draining.Load():
		return resetShutdown
	case ss.noListener:
		return resetNoListener
	case len(ss.waiting) >= ss.backlog:
		return resetBacklogFull
	}
	return 0
}

// countUnanswered returns an error if the other side must not open another stream. What has been
// answered is what the writer has sent, so that one that does not read cannot make this side owe it
// ever more. mu is held.
func (ss *streams) countUnanswered() error {
	w := &ss.c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(ss.waiting)+len(w.owed.answers)+len(w.owed.refusals) >= maxUnanswered {
		return protocolErrorf("more than %d streams opened without waiting for an answer", maxUnanswered)
	}
	return nil
}

// refuse answers an open. mu is held.
func (ss *streams) refuse(id, code uint32) {
	w := &ss.c.writer
	w.update(func() { w.owed.refusals = append(w.owed.refusals, refusal{id, code}) })
}

func (ss *streams) data(r *reader, s *Stream, n int) error {
	if s == nil {
		return r.skip(n)
	}
	if err := s.in.arrive(n); err != nil {
		return err
	}
	for n > 0 {
		if err := r.fill(1); err != nil {
			return unexpected(err)
		}
		part := r.buf[r.r:min(r.w, r.r+n)]
		s.in.add(part)
		r.r += len(part)
		n -= len(part)
	}
	return nil
}

func (ss *streams) peerEnds(s *Stream) error {
	if !s.in.end() {
		return protocolErrorf("second end of stream %d", s.key.id)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.on(s, streamHalfEnds)
	return nil
}

func (ss *streams) peerReads(s *Stream, n uint32) (err error) {
	ss.c.writer.update(func() { err = s.out.addCredit(int64(n)) })
	return err
}

func (ss *streams) peerAccepts(s *Stream, window uint32) error {
	if window > maxWindow {
		return protocolErrorf("accept frame: window of %d bytes, limit is %d", window, maxWindow)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.out.accepted.Swap(true) {
		return protocolErrorf("second accept of stream %d", s.key.id)
	}
	ss.on(s, streamIsAccepted) // unless Open has been given up meanwhile
	ss.c.writer.update(func() {
		if s.out.state == outOpen {
			s.out.credit = int64(window)
		}
	})
	s.answered <- struct{}{}
	return nil
}

// peerResets is called when a stream was refused, withdrawn or reset.
func (ss *streams) peerResets(s *Stream, code uint32) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case s.state.isGone():
		return
	case s.state == streamAsked:
		s.refused = refused(code)
		s.answered <- struct{}{}
	case code == resetCut:
		s.in.cut()
	default:
		s.in.close(ErrReset)
	}
	ss.on(s, streamEndsAtOnce)
	ss.c.writer.update(func() { s.out.drop(ErrReset) })
}

// peerNeedsNoAnswer drops the answer to an open that the other side has withdrawn, if it is still
// to be sent. The stream itself is forgotten already.
func (ss *streams) peerNeedsNoAnswer(id uint32) {
	w := &ss.c.writer
	w.update(func() {
		if o := w.owed.answers[id]; o != nil {
			o.forgo()
		}
		w.owed.refusals = slices.DeleteFunc(w.owed.refusals, func(r refusal) bool { return r.id == id })
	})
}
