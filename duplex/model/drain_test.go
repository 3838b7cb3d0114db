package model

// shutdown is Shutdown called on side x.
func (md *model) shutdown(s *state, x side) {
	c := &s.conns[x]
	c.shut, c.shutDue, c.draining = true, true, true
}

// begins counts a message, or an open, that side x begins to send.
func (md *model) begins(s *state, x side, f kind) {
	if f != kindOpen || md.broken != opensUncounted {
		s.conns[x].begun = (s.conns[x].begun + 1) % md.modulo
	}
}

// comes counts one that has come to side x, complete or aborted. What either
// side has told does not hold any more.
func (md *model) comes(s *state, x side, f kind) {
	c := &s.conns[x]
	if f != kindOpen || md.broken != opensUncounted {
		c.came = (c.came + 1) % md.modulo
	}
	if md.broken != heardStays {
		c.heard, c.heardN = false, 0
	}
	if md.broken != idleOnce && md.broken != idleByEdge {
		c.told = false
	}
}

// busy says why side x is not idle, or "". Half a message that has come does
// not make it so: when it is complete or aborted, the number that idle tells changes.
func (md *model) busy(s *state, x side) string {
	for id := range md.msgs {
		m, ms := &md.msgs[id], &s.msgs[id]
		switch {
		case m.from == x && (ms.out == outWaiting || ms.out == outOpen || ms.out == outReady || ms.abortDue):
			return "a message waits to be sent"
		case m.from == x && ms.out == outSent && m.class == call && s.msgs[m.answer].in != inDone:
			return "a call has no reply"
		case m.from == x:
		case ms.in == inReleased && md.broken == earlyUncounted:
		case ms.in == inQueued || ms.in == inReleased:
			return "a notification waits for its handler"
		case ms.in == inHandled:
			return "a handler is running"
		}
	}
	for i := range md.streams {
		if p := s.streams[i][x].phase; p != never && p != forgotten {
			return "a stream is open"
		}
	}
	return ""
}

// serving reports whether a message of the other side is being handled at side x.
func (md *model) serving(s *state, x side) bool {
	for id := range md.msgs {
		if in := s.msgs[id].in; md.msgs[id].to() == x && (in == inQueued || in == inReleased || in == inHandled) {
			return true
		}
	}
	return false
}

// look notices that side x has become busy, for a rule that goes by that
// instead of the number.
func (md *model) look(s *state, x side) {
	if c := &s.conns[x]; c.told && md.broken == idleByEdge && md.busy(s, x) != "" {
		c.told = false
	}
}

// atRest is what side x, which has nothing else to send, says if it is draining
// and idle. It closes if the other side was idle, having received all that this one has
// begun, and nothing has come since: then nobody is left to begin anything.
func (md *model) atRest(s *state, x side) frame {
	c := &s.conns[x]
	if !c.draining || md.busy(s, x) != "" {
		return frame{}
	}
	agreed := c.heard && (c.heardN == c.begun || md.broken == idleNotCompared)
	switch {
	case c.shut && (agreed || md.broken == byeWhenIdle):
		return frame{kind: kindBye}
	case !c.told:
		return frame{kind: kindIdle, n: c.came}
	}
	return frame{}
}

// close is the end of the link at side x, which has sent or received bye.
func (md *model) close(s *state, x side) (fault string) {
	s.conns[x].closed = true
	if md.broken == endDropsUnread {
		for i := range s.streams {
			s.streams[i][x].unread = 0
		}
	}
	why := md.busy(s, x)
	for id := range md.msgs {
		if md.msgs[id].to() != x {
			continue
		}
		switch s.msgs[id].in {
		case inOpen:
			why = "a message is half received"
		case inReleased:
			why = "a notification that was released early waits for its handler"
		}
	}
	if why != "" {
		return "the link ends in order while " + why
	}
	return ""
}
