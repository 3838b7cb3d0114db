package duplex

import (
	"encoding/binary"
)

// The functions of this file are called by the reader: they must not block.

// frame is called with a frame of a stream. by says which side has sent it.
func (ss *streams) frame(r *reader, base, by kind, h header) error {
	if base == kindOpen {
		return ss.opened(r, h)
	}
	key := streamKey{h.id, by == byAcceptor}
	s, accepted, err := ss.find(key)
	if err != nil {
		return err
	}
	if s != nil && !accepted && base != kindReset && base != kindAccept {
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
			ss.endOut(s, ErrStopped)
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
func (ss *streams) find(key streamKey) (s *Stream, accepted bool, err error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s = ss.table[key]; s != nil {
		return s, s.accepted, nil
	}
	next := ss.lastID + 1
	if key.mine {
		next = ss.nextID
	}
	if int32(key.id-next) >= 0 {
		return nil, false, protocolErrorf("frame of stream %d, which has never been opened", key.id)
	}
	return nil, false, nil
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
	ss.lastID = h.id
	defer ss.c.arrived()
	if ss.ended {
		return nil
	}
	key := streamKey{h.id, false}
	if name != 0 {
		s := ss.offers[name]
		if s == nil {
			return ss.refuse(h.id, resetNoOffer)
		}
		delete(ss.offers, name)
		s.key, s.offer = key, 0
		ss.admit(s, window)
		ss.take(s)
		return nil
	}
	switch {
	case ss.c.shutting.Load():
		return ss.refuse(h.id, resetShutdown)
	case ss.deaf:
		return ss.refuse(h.id, resetNoListener)
	case len(ss.waiting) >= ss.backlog:
		return ss.refuse(h.id, resetBacklogFull)
	}
	s := ss.newStream(byAcceptor)
	s.key = key
	ss.admit(s, window)
	ss.waiting = append(ss.waiting, s)
	ss.signal()
	return nil
}

// admit puts a stream that the other side has opened into the table. mu is held.
func (ss *streams) admit(s *Stream, window uint32) {
	ss.put(s)
	w := &ss.c.writer
	w.update(func() {
		o := &s.out
		o.id, o.opened = s.key.id, true
		if o.ending { // CloseWrite has come before the other side
			w.queue = o.frame(w.buffer(w.queue, headerSize), kindEnd, 0)
			return
		}
		o.credit = int64(window)
		o.getReady()
	})
}

// refuse answers an open. mu is held.
func (ss *streams) refuse(id, code uint32) (err error) {
	w := &ss.c.writer
	w.update(func() {
		if len(w.refusals) >= maxUnanswered {
			err = protocolErrorf("more than %d streams opened without waiting for an answer", maxUnanswered)
			return
		}
		w.refusals = append(w.refusals, refusal{id, code})
	})
	return err
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
	if s.accepted {
		return protocolErrorf("second accept of stream %d", s.key.id)
	}
	s.accepted = true
	w := &ss.c.writer
	w.update(func() { s.out.credit = int64(window) })
	s.answered <- struct{}{}
	return nil
}

// peerResets is called when a stream was refused, withdrawn or reset. s is nil if it is not in the table.
func (ss *streams) peerResets(key streamKey, s *Stream, code uint32) {
	w := &ss.c.writer
	if s == nil {
		// It may have been refused, and the refusal is of no use any more. The
		// opener counts it as answered.
		w.update(func() {
			for i, r := range w.refusals {
				if !key.mine && r.id == key.id {
					w.refusals = append(w.refusals[:i], w.refusals[i+1:]...)
					break
				}
			}
		})
		return
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s.gone {
		return
	}
	if key.mine && !s.accepted {
		s.refused = refused(code)
		s.answered <- struct{}{}
	} else {
		s.in.fail(ErrReset, true)
	}
	ss.forget(s)
	w.update(func() {
		s.out.stop(ErrReset)
		s.out.ending = true
		s.out.due = [numDue]bool{}
	})
}
