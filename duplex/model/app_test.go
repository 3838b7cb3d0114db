package model

import "slices"

// begin has side m.from send message id. inFlight says that a handler does so.
func (md *model) begin(s *state, id uint8, inFlight bool) (fault string) {
	m, ms := &md.msgs[id], &s.msgs[id]
	c := &s.conns[m.from]
	*ms = msgState{} // it may not be the first time
	if m.class == call {
		s.msgs[m.answer] = msgState{}
	}
	if c.closed || c.draining && !md.mayBegin(s, m, inFlight) {
		ms.out = outFailed
		if inFlight && md.broken != onlyCallsInFlight {
			return "a handler in flight may not send"
		}
		return ""
	}
	ms.out, ms.left = outWaiting, m.size
	if md.numbered {
		c.order++
		ms.number = c.order
	}
	c.waiting[m.class].push(id)
	md.releaseEarly(s, m.from, onWait)
	return ""
}

// mayBegin reports whether m may be begun while the link is draining: by a
// handler in flight, that is, not by whoever finds one.
func (md *model) mayBegin(s *state, m *message, inFlight bool) bool {
	switch {
	case m.class == reply:
		return true
	case !inFlight:
		return md.broken == anyoneWhileServing && md.serving(s, m.from)
	case m.class == notification:
		return md.broken != nestedRefused && md.broken != onlyCallsInFlight
	}
	return md.broken != nestedRefused
}

// done reports whether whoever sent message id, or opened and wrote a stream, can go on.
func (md *model) done(s *state, id uint8) bool {
	if id >= firstStream {
		i := id - firstStream
		e := &s.streams[i][md.streams[i].opener]
		return e.phase != never && e.phase != opening && e.phase != asked && e.toSend == 0
	}
	switch out := s.msgs[id].out; {
	case out == outFailed:
		return true
	case md.msgs[id].class == call:
		return s.msgs[md.msgs[id].answer].in == inDone
	default:
		return out == outSent
	}
}

// threadMayStep reports whether thread t can take its next step.
func (md *model) threadMayStep(s *state, t int) bool {
	steps, begun := md.threads[t], int(s.threads[t])
	if begun == len(steps) && !(md.work[t].forever && s.msgs[steps[begun-1]].out != outFailed) {
		return false
	}
	return begun == 0 || md.done(s, steps[begun-1])
}

// next is the message that thread t sends next.
func (md *model) next(s *state, t int) uint8 {
	return md.threads[t][int(s.threads[t])%len(md.threads[t])]
}

func (md *model) threadStep(s *state, t int) (fault string) {
	id := md.next(s, t)
	s.threads[t] = uint8(int(s.threads[t])%len(md.threads[t]) + 1)
	return md.begin(s, id, false)
}

// handlerMayStep reports whether the handler of message id can take its next step.
func (md *model) handlerMayStep(s *state, id uint8) bool {
	m, ms := &md.msgs[id], &s.msgs[id]
	if ms.in != inHandled || ms.step > 0 && !md.done(s, m.steps[ms.step-1]) {
		return false
	}
	waits := func(id uint8) bool { return !md.done(s, id) }
	return int(ms.step) < len(m.steps) || !slices.ContainsFunc(m.awaits, waits)
}

// handlerStep sends what comes next, at last the reply.
func (md *model) handlerStep(s *state, id uint8) (fault string) {
	m, ms := &md.msgs[id], &s.msgs[id]
	if int(ms.step) < len(m.steps) {
		ms.step++
		return md.begin(s, m.steps[ms.step-1], true)
	}
	ms.in = inDone
	if m.class == notification {
		return ""
	}
	if md.broken == callTakenAtItsEnd {
		md.take(s, m.to(), id)
	}
	return md.begin(s, m.answer, true)
}

// mayHandle reports whether the notification handler of side x can take the next message.
func (md *model) mayHandle(s *state, x side) bool {
	if md.mute[x] || s.conns[x].notifications.n == 0 {
		return false
	}
	for id := range md.msgs {
		if m := &md.msgs[id]; m.to() == x && m.class == notification && s.msgs[id].in == inHandled {
			return false // one at a time
		}
	}
	return true
}

func (md *model) handle(s *state, x side) {
	id := s.conns[x].notifications.pop()
	md.releaseAtTurn(s, x, id)
	s.msgs[id].in = inHandled
	md.releaseEarly(s, x, onTurn)
}

// mayGiveUp reports whether the sender of message id can still take it back.
func (md *model) mayGiveUp(s *state, id uint8) bool {
	out := s.msgs[id].out
	return md.msgs[id].mayBeGivenUp && (out == outWaiting || out == outOpen || out == outReady) && !s.conns[md.msgs[id].from].closed
}

func (md *model) giveUp(s *state, id uint8) {
	m, ms := &md.msgs[id], &s.msgs[id]
	c := &s.conns[m.from]
	if ms.out == outWaiting {
		c.waiting[m.class].remove(id)
	} else {
		c.ready.remove(id)
		ms.abortDue = true
	}
	ms.out, ms.left = outFailed, 0
}
