package model

// streamEnd is one side's end of a stream.
type streamEnd struct {
	phase  phase
	asked  bool  // resetting: its open has not been answered
	toSend uint8 // units
	credit uint8 // for sending
	ended  bool  // the app ends its half, behind what is to be sent
	endOut bool
	endIn  bool
	unread uint8
	read   uint8
	owed   uint8 // read and not granted again
	room   uint8 // granted and not used by the other side

	stopped bool // the app reads no more
	stopDue bool
	stopIn  bool // the other side reads no more
	cut     bool // it was reset, refused or given up
}

type phase uint8

const (
	never     phase = iota
	opening         // opener: the open is to be sent
	asked           // opener: it has not been answered
	offered         // the other side: not answered
	accepting       // the other side: the accept is to be sent
	refusing        // the other side: the refusal is to be sent
	live
	resetting // the reset is to be sent
	forgotten
)

// firstStream is where the streams begin in conn.ready.
const firstStream = maxMsgs

// forgetIfEnded forgets the stream once both ends have been exchanged. What has not been read stays
// for the app.
func (e *streamEnd) forgetIfEnded() {
	if e.endOut && e.endIn {
		*e = streamEnd{phase: forgotten, unread: e.unread, read: e.read, stopped: e.stopped, endOut: true, endIn: true}
	}
}

// kill is for a stream that is dead in both directions: nothing of it is owed any more.
func (e *streamEnd) kill(p phase) {
	*e = streamEnd{phase: p, cut: true, asked: p == resetting && e.phase == asked}
}

// established reports whether the app of this end has the stream.
func (e *streamEnd) established() bool { return e.phase == live || e.phase == accepting }

// unanswered counts the opens of the other side that side x has not answered.
func (md *model) unanswered(s *state, x side) int {
	n := 0
	for i := range md.streams {
		if p := s.streams[i][x].phase; md.streams[i].opener != x && (p == offered || p == accepting || p == refusing) {
			n++
		}
	}
	return n
}

// pending counts the opens of side x that the other side may have to answer: one that
// has been given up counts until its reset is behind it in the pipe.
func (md *model) pending(s *state, x side) int {
	n := 0
	for i := range md.streams {
		e := &s.streams[i][x]
		if md.streams[i].opener == x && (e.phase == asked || e.phase == resetting && e.asked && md.broken != freedBeforeReset) {
			n++
		}
	}
	return n
}

// establish begins the life of the stream at side x.
func (md *model) establish(s *state, i int, x side) {
	e := &s.streams[i][x]
	e.phase = live
	e.toSend = uint8(md.streams[i].units[x])
	md.rotate(s, i, x)
}

// rotate gives the stream its place among those that send pieces, if it has any to send.
func (md *model) rotate(s *state, i int, x side) {
	e, q, item := &s.streams[i][x], &s.conns[x].ready, firstStream+uint8(i)
	sends := e.phase == live && !e.endOut && (e.toSend > 0 || e.ended)
	switch {
	case !sends:
		q.remove(item)
	case !q.has(item):
		q.push(item)
	}
}

// streamCredit is the credit that data of stream i has.
func (md *model) streamCredit(s *state, i int, x side) int {
	switch md.broken {
	case streamUsesNotificationCredit:
		return int(s.conns[x].credit[notification])
	case streamsShareCredit:
		return int(s.conns[x].pool)
	}
	return int(s.streams[i][x].credit)
}

// readStream takes a frame of a stream in at side x.
func (md *model) readStream(s *state, x side, f frame) (fault string) {
	i := int(f.id)
	e, st := &s.streams[i][x], &md.streams[i]
	if f.kind == kindOpen {
		if e.phase != never {
			return "a stream is opened twice"
		}
		*e = streamEnd{phase: offered, credit: uint8(md.window), room: uint8(md.window)}
		md.comes(s, x, f.kind)
		if md.unanswered(s, x) > md.opens {
			return "more streams opened and not answered than may be"
		}
		return ""
	}
	switch e.phase {
	case never, opening:
		return "a frame for a stream that was never opened"
	case forgotten, resetting, refusing:
		switch {
		case e.phase == forgotten && md.broken == forgottenIsError:
			return "a frame for a stream that is not open"
		case e.phase == refusing && md.broken == staysOwed:
		case e.phase != forgotten && f.kind == kindReset:
			e.kill(forgotten) // what was to be sent means nothing any more
		}
		return ""
	}
	switch f.kind {
	case kindAccept:
		if e.phase != asked {
			return "accept of a stream that was not asked for"
		}
		e.credit = uint8(md.window)
		md.establish(s, i, x)
	case kindData:
		return md.readData(s, x, e)
	case kindEnd:
		if e.phase != live || e.endIn {
			return "end of a stream that has ended"
		}
		if !e.stopped && int(e.read+e.unread) != st.units[x.other()] {
			return "the end of a stream comes before its data"
		}
		e.endIn = true
		e.forgetIfEnded()
	case kindStop:
		e.stopIn, e.toSend = true, 0
		e.ended = md.broken != stopUnanswered
		md.rotate(s, i, x)
	case kindMore:
		md.addStreamCredit(s, i, x, f.n)
	case kindReset:
		if e.phase == accepting && md.broken == staysOwed {
			e.kill(refusing)
		} else {
			e.kill(forgotten)
		}
		md.rotate(s, i, x)
	}
	return ""
}

func (md *model) readData(s *state, x side, e *streamEnd) (fault string) {
	switch {
	case e.phase != live || e.endIn:
		return "data behind the end of a stream"
	case md.broken == streamUsesNotificationCredit:
		s.conns[x].held[notification]++
	case md.broken == streamsShareCredit:
	case e.room == 0:
		return "data beyond the credit of a stream"
	default:
		e.room--
	}
	if !e.stopped {
		e.unread++
	}
	return ""
}

func (md *model) addStreamCredit(s *state, i int, x side, n uint8) {
	if md.broken == streamsShareCredit {
		s.conns[x].pool += n
		return
	}
	s.streams[i][x].credit += n
}
