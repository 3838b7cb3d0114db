package model

// mayRead reports whether the reader of side x goes on: it waits for nothing but the pipe.
func (md *model) mayRead(s *state, x side) bool {
	c := &s.conns[x]
	switch {
	case c.closed || s.pipes[x.other()].n == 0:
		return false
	case md.broken == readerWaitsForLane:
		return c.notifications.n == 0
	case md.broken == readerWrites:
		return int(s.pipes[x].n) < md.pipe // for what it may have to answer
	}
	return true
}

// read has side x take one frame out of its pipe.
func (md *model) read(s *state, x side) (fault string) {
	c, f := &s.conns[x], s.pipes[x.other()].pop()
	switch f.kind {
	case kindWhole, kindFirst, kindPiece, kindAbort:
		return md.readMessage(s, x, f)
	case kindCredit:
		c.credit[f.id] += int8(f.n)
		if int(c.credit[f.id]) > md.window {
			return "more credit than a window"
		}
	case kindGrant:
		// It may have crossed the abort.
		if ms := &s.msgs[f.id]; ms.out == outOpen {
			ms.out = outReady
			c.ready.push(f.id)
		}
	case kindShutdown:
		c.draining = true
	case kindIdle:
		c.heard, c.heardN = true, f.n
	case kindBye:
		return md.close(s, x)
	default:
		return md.readStream(s, x, f)
	}
	return ""
}

// readMessage takes a frame of a message in.
func (md *model) readMessage(s *state, x side, f frame) (fault string) {
	c, m, ms := &s.conns[x], &md.msgs[f.id], &s.msgs[f.id]
	switch f.kind {
	case kindAbort:
		return md.readAbort(s, x, f.id)
	case kindPiece:
		if ms.in != inOpen || !ms.granted {
			return "a piece of a message that is not open or not granted"
		}
		if md.broken == noGrants {
			if fault := md.arrive(s, x, m, 1); fault != "" {
				return fault
			}
		}
		if ms.got++; ms.got < m.size {
			return ""
		}
	default:
		if fault := md.readStart(s, x, f.id); fault != "" {
			return fault
		}
		if md.broken == countedAtFirst {
			md.comes(s, x, f.kind)
		}
	}
	switch {
	case f.kind != kindFirst:
		return md.deliver(s, x, f.id)
	case md.broken == noGrants:
		ms.in, ms.granted = inOpen, true
	default:
		ms.in = inOpen
		c.toGrant[m.class].push(f.id)
		md.grant(s, x, m.class)
	}
	return ""
}

// readStart takes a whole or first frame in.
func (md *model) readStart(s *state, x side, id uint8) (fault string) {
	c, m, ms := &s.conns[x], &md.msgs[id], &s.msgs[id]
	if ms.in != inNone {
		return "a message comes twice"
	}
	if md.numbered {
		if ms.number <= c.last[m.class] {
			return "a message overtakes one of its class"
		}
		c.last[m.class] = ms.number
	}
	ms.got = 1
	return md.arrive(s, x, m, m.cost)
}

func (md *model) readAbort(s *state, x side, id uint8) (fault string) {
	m, ms := &md.msgs[id], &s.msgs[id]
	if ms.in != inOpen {
		return "abort of a message that is not open"
	}
	s.conns[x].toGrant[m.class].remove(id)
	if md.broken != abortKeepsGrant {
		md.release(s, x, id)
	}
	if md.broken != abortKeepsCredit {
		md.giveBack(s, x, m.class, md.costs(m)-md.notArrived(ms, m))
	}
	ms.in, ms.got, ms.granted, ms.grantDue = inNone, 0, false, false
	if md.broken != countedAtFirst {
		md.comes(s, x, kindAbort)
	}
	return ""
}

// notArrived is what an aborted message would still have cost, without grants.
func (md *model) notArrived(ms *msgState, m *message) uint8 {
	if md.broken == noGrants {
		return m.size - ms.got
	}
	return 0
}

// deliver hands a message that is complete to who waits for it. It never blocks.
func (md *model) deliver(s *state, x side, id uint8) (fault string) {
	m, ms := &md.msgs[id], &s.msgs[id]
	if md.broken != countedAtFirst {
		md.comes(s, x, kindWhole)
	}
	if m.class == notification {
		for other := range md.msgs {
			if n := &md.msgs[other]; n.from == m.from && n.class == notification && s.msgs[other].in == inOpen && other != int(id) {
				return "a notification overtakes a longer one"
			}
		}
		ms.in = inQueued
		s.conns[x].notifications.push(id)
		md.releaseEarly(s, x, onArrival)
		return "" // unless it has been, it is taken when its turn comes
	}
	ms.in = inDone
	if m.class == call {
		ms.in = inHandled
	}
	if m.class == reply || md.broken != callTakenAtItsEnd {
		md.take(s, x, id)
	}
	return ""
}
