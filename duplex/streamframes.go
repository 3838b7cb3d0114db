package duplex

import (
	"encoding/binary"
	"slices"
)

// The functions of this file are called by the reader: they must not block.

// frame is called with a frame of a stream. by says which side has sent it.
func (ss *streams) frame(r *reader, base, by kind, h header) error {
	if base == kindOpen {
		return ss.opened(r, h)
	}
	key := streamKey{h.id, by == byAcceptor}
	s, err := ss.find(key)
	if err != nil {
		return err
	}
	if s != nil && !s.out.begun.Load() && base != kindReset && base != kindAccept {
		return protocolErrorf("%v frame of stream %d, which has not been accepted", h.kind, h.id)
	}
	switch base {
	case kindData:
		return ss.data(r, s, int(h.length))
	case kindEnd:
		if s != nil {
			return ss.peerEnds(s)
		}
		return nil
	case kindStop:
		if s != nil {
			ss.endOut(s)
		}
		return nil
	}
	n, err := r.uint32() // of all other kinds
	switch {
	case err != nil:
		return err
	case base == kindReset:
		ss.peerResets(key, s, n)
		return nil
	case s == nil:
		return nil
	case base == kindAccept:
		return ss.peerAccepts(s, n)
	}
	w := &ss.c.writer
	w.update(func() { err = s.out.addCredit(int64(n)) })
	return err
}

// find returns the stream that is meant, nil if it was forgotten: then the frame
// has crossed something that this side has said.
func (ss *streams) find(key streamKey) (*Stream, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.table[key]; s != nil {
		return s, nil
	}
	next := ss.lastID + 1
	if key.mine {
		next = ss.nextID
	}
	if int32(key.id-next) >= 0 {
		return nil, protocolErrorf("frame of stream %d, which has never been opened", key.id)
	}
	return nil, nil
}

func (r *reader) uint32() (uint32, error) {
	var b [4]byte
	err := r.read(b[:])
	return binary.LittleEndian.Uint32(b[:]), err
}

// opened is called when the other side opens a stream.
func (ss *streams) opened(r *reader, h header) error {
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
	if int32(h.id-ss.lastID) <= 0 {
		return protocolErrorf("open of stream %d, but %d has been opened before", h.id, ss.lastID)
	}
	key := streamKey{h.id, false}
	if ss.table[key] != nil {
		return protocolErrorf("open of stream %d, which is open already", h.id)
	}
	if err := ss.countUnanswered(); err != nil {
		return err
	}
	ss.lastID = h.id
	defer ss.c.arrived()
	if ss.ended {
		return nil
	}
	if name != 0 {
		s := ss.offers[name]
		if s == nil {
			ss.refuse(h.id, resetNoOffer)
			return nil
		}
		delete(ss.offers, name)
		s.key, s.offer = key, 0
		ss.admit(s, window, true)
		return nil
	}
	var reason uint32
	switch {
	case ss.c.work.draining.Load():
		reason = resetShutdown
	case ss.deaf:
		reason = resetNoListener
	case len(ss.waiting) >= ss.backlog:
		reason = resetBacklogFull
	}
	if reason != 0 {
		ss.refuse(h.id, reason)
		return nil
	}
	s := ss.newStream(byAcceptor)
	s.key = key
	ss.admit(s, window, false)
	ss.waiting = append(ss.waiting, s)
	signal(ss.arrived)
	return nil
}

// admit puts a stream that the other side has opened into the table. taken says
// that it is taken at once. mu is held.
func (ss *streams) admit(s *Stream, window uint32, taken bool) {
	ss.put(s)
	own := s.in.open()
	w := &ss.c.writer
	w.update(func() {
		o := &s.out
		o.id, o.opened, o.window = s.key.id, true, own
		if !taken {
			o.credit = int64(window)
			return
		}
		// All at once: somebody may be writing, and nothing may go out before
		// the accept does.
		o.owe(dueAccept)
		if o.ending { // CloseWrite has come before the other side
			o.oweEnd()
			return
		}
		o.credit = int64(window)
		o.getReady()
	})
}

// countUnanswered reports an error if the other side must not open another
// stream. What has been answered is what the writer has sent, so that one that
// does not read cannot make this side owe it ever more. mu is held.
func (ss *streams) countUnanswered() error {
	w := &ss.c.writer
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(ss.waiting)+len(w.answers)+len(w.refusals) >= maxUnanswered {
		return protocolErrorf("more than %d streams opened without waiting for an answer", maxUnanswered)
	}
	return nil
}

// refuse answers an open. mu is held.
func (ss *streams) refuse(id, code uint32) {
	w := &ss.c.writer
	w.update(func() { w.refusals = append(w.refusals, refusal{id, code}) })
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
	ss.halfEnded(s)
	return nil
}

func (ss *streams) peerAccepts(s *Stream, window uint32) error {
	if window > maxWindow {
		return protocolErrorf("accept frame: window of %d bytes, limit is %d", window, maxWindow)
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.out.begun.Swap(true) {
		return protocolErrorf("second accept of stream %d", s.key.id)
	}
	w := &ss.c.writer
	w.update(func() { s.out.credit = int64(window) })
	s.answered <- struct{}{}
	return nil
}

// peerResets is called when a stream was refused, withdrawn or reset. s is nil if it is not in the table.
func (ss *streams) peerResets(key streamKey, s *Stream, code uint32) {
	w := &ss.c.writer
	if s == nil {
		if !key.mine { // it may have been answered already; the opener needs that no more
			w.update(func() {
				if o := w.answers[key.id]; o != nil {
					o.forgo()
				}
				w.refusals = slices.DeleteFunc(w.refusals, func(r refusal) bool { return r.id == key.id })
			})
		}
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.gone {
		return
	}
	if key.mine && !s.out.begun.Load() {
		s.refused = refused(code)
		s.answered <- struct{}{}
	} else if code == resetCut {
		s.in.cut()
	} else {
		s.in.fail(ErrReset, true)
	}
	s.allRead = s.in.empty()
	ss.forget(s)
	w.update(func() {
		s.out.stop(ErrReset)
		s.out.ending = true
		s.out.forgo()
	})
}
