package model

// What the two apps of a stream may do with it.

// mayOpen reports whether stream i is the next that its opener opens: ids only increase.
func (md *model) mayOpen(s *state, i int) bool {
	x := md.streams[i].opener
	for j := range i {
		if md.streams[j].opener == x && s.streams[j][x].phase == never {
			return false
		}
	}
	return s.streams[i][x].phase == never
}

func (md *model) open(s *state, i int) {
	x := md.streams[i].opener
	e := &s.streams[i][x]
	if c := &s.conns[x]; c.draining || c.closed {
		e.kill(forgotten)
		return
	}
	e.phase = opening
	md.releaseEarly(s, x, onWait)
}

// mayCancel reports whether the opener of stream i may give up waiting for the answer.
func (md *model) mayCancel(s *state, i int) bool {
	p := s.streams[i][md.streams[i].opener].phase
	return md.streams[i].mayBeGivenUp && (p == opening || p == asked)
}

func (md *model) cancel(s *state, i int) {
	if e := &s.streams[i][md.streams[i].opener]; e.phase == opening {
		e.kill(forgotten) // nobody has heard of it
	} else {
		e.kill(resetting)
	}
}

func (md *model) mayAccept(s *state, i int) bool {
	st := &md.streams[i]
	return !st.ignored && md.passed(s, st.acceptsBehind) && s.streams[i][st.opener.other()].phase == offered
}

// passed reports whether who has sent message id has gone on. 0 is none.
func (md *model) passed(s *state, id uint8) bool { return id == 0 || md.done(s, id) }

// mayRefuse reports whether the open of stream i can be refused. Who is draining does so by
// itself: its app may accept no more.
func (md *model) mayRefuse(s *state, i int) bool {
	x := md.streams[i].opener.other()
	return s.streams[i][x].phase == offered &&
		(md.streams[i].mayBeRefused || s.conns[x].draining && (s.conns[x].shut || md.broken != onlyShutterRefuses))
}

func (md *model) answer(s *state, i int, p phase) {
	s.streams[i][md.streams[i].opener.other()].phase = p
}

func (md *model) mayReadUnit(s *state, i int, x side) bool {
	e, st := &s.streams[i][x], &md.streams[i]
	reads := st.reads[x]
	isBehind := x != st.opener && !md.passed(s, st.readsBehind)
	return !isBehind && e.unread > 0 && !e.stopped && (reads == readsAll || int(e.read) < reads)
}

// readUnit has the app of side x read one unit. It may do so when the stream and the link have
// ended.
func (md *model) readUnit(s *state, i int, x side) {
	e := &s.streams[i][x]
	e.unread--
	e.read++
	switch {
	case md.broken == streamUsesNotificationCredit:
		md.giveBack(s, x, notification, 1)
	case e.phase == live && !e.endIn:
		e.owed++
	}
}

func (md *model) mayEnd(s *state, i int, x side) bool {
	e := &s.streams[i][x]
	return e.established() && !e.ended && !e.stopIn
}

func (md *model) end(s *state, i int, x side) {
	s.streams[i][x].ended = true
	md.rotate(s, i, x)
}

func (md *model) mayStop(s *state, i int, x side) bool {
	e, reads := &s.streams[i][x], md.streams[i].reads[x]
	return e.established() && !e.stopped && !e.endIn && (reads == stopsAtOnce || reads > 0 && int(e.read) == reads)
}

func (md *model) stop(s *state, i int, x side) {
	e := &s.streams[i][x]
	e.stopped, e.stopDue, e.unread, e.owed = true, true, 0, 0
}

func (md *model) mayReset(s *state, i int, x side) bool {
	return md.streams[i].resets[x] && s.streams[i][x].established()
}

func (md *model) reset(s *state, i int, x side) {
	if e := &s.streams[i][x]; e.phase == accepting {
		e.kill(refusing) // the accept has not been sent
	} else {
		e.kill(resetting)
	}
	md.rotate(s, i, x)
}
