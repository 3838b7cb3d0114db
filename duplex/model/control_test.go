package model

// control appends the control frames that side x is to send: all of them, or the first in a fixed
// order. They are state, not a queue: each is due because of a figure or a flag.
func (md *model) control(s *state, x side, list []frame) []frame {
	c, n := &s.conns[x], len(list)
	full := func() bool { return len(list) > n && !md.loose }
	if c.shutDue {
		list = append(list, frame{kind: kindShutdown})
	}
	for k := range numClasses {
		if owed := md.creditDue(s, x, k); owed > 0 && !full() {
			list = append(list, frame{kindCredit, uint8(k), owed})
		}
	}
	for id := range md.msgs {
		switch ms := &s.msgs[id]; {
		case full():
			return list
		case md.msgs[id].from == x && ms.abortDue:
			list = append(list, frame{kind: kindAbort, id: uint8(id)})
		case md.msgs[id].from != x && ms.grantDue:
			list = append(list, frame{kind: kindGrant, id: uint8(id)})
		}
	}
	for i := range md.streams {
		if full() {
			return list
		}
		list = md.streamControl(s, x, uint8(i), list)
	}
	return list
}

// streamControl appends what is due for stream i.
func (md *model) streamControl(s *state, x side, i uint8, list []frame) []frame {
	switch e := &s.streams[i][x]; {
	case e.phase == opening && md.pending(s, x) < md.opens:
		return append(list, frame{kind: kindOpen, id: i})
	case e.phase == accepting:
		return append(list, frame{kind: kindAccept, id: i})
	case e.phase == refusing, e.phase == resetting:
		return append(list, frame{kind: kindReset, id: i})
	case e.phase == live && e.stopDue:
		return append(list, frame{kind: kindStop, id: i})
	case e.phase == live && !e.endIn && int(e.owed) >= md.threshold():
		return append(list, frame{kindMore, i, e.owed})
	}
	return list
}

// writeControl changes what a control frame leaves behind at side x.
func (md *model) writeControl(s *state, x side, f frame) {
	c := &s.conns[x]
	e := &s.streams[0][x]
	if f.kind >= kindOpen {
		e = &s.streams[f.id][x]
	}
	switch f.kind {
	case kindShutdown:
		c.shutDue = false
	case kindCredit:
		c.owed[f.id] = 0
	case kindGrant:
		s.msgs[f.id].grantDue = false
	case kindAbort:
		s.msgs[f.id].abortDue = false
	case kindOpen:
		*e = streamEnd{phase: asked, room: uint8(md.window)}
		md.begins(s, x, kindOpen)
	case kindAccept:
		md.establish(s, int(f.id), x)
	case kindReset:
		e.kill(forgotten)
	case kindStop:
		e.stopDue = false
	case kindMore:
		e.owed, e.room = 0, e.room+f.n
	}
}
