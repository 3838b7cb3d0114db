package model

// Who waits for the other side releases notifications before their turn: that side may be waiting
// for their credit.

// waits reports whether side x waits for the other one: for the reply to a call, for a stream to be
// accepted, or to send.
func (md *model) waits(s *state, x side) bool {
	for id := range md.msgs {
		if md.msgs[id].from == x && (md.awaitsReply(s, uint8(id)) || md.senderWaits(s, uint8(id))) {
			return true
		}
	}
	for i := range md.streams {
		if md.writerWaits(s, i, x) || md.openerWaits(s, i, x) {
			return true
		}
	}
	return false
}

func (md *model) awaitsReply(s *state, id uint8) bool {
	m, out := &md.msgs[id], s.msgs[id].out
	begun := out != outNone && out != outFailed
	return m.class == call && begun && s.msgs[m.answer].in != inDone && md.broken != earlyNotForCalls
}

// senderWaits reports whether the sender of message id waits for credit, for a grant, or behind
// others. A short message that may start is as good as sent.
func (md *model) senderWaits(s *state, id uint8) bool {
	m := &md.msgs[id]
	if md.broken == earlyNotForSenders {
		return false
	}
	switch s.msgs[id].out {
	case outWaiting:
		isFirst := s.conns[m.from].waiting[m.class].at[0] == id
		return m.long() || !isFirst || !md.mayStart(s, m.from, m.class)
	case outOpen, outReady:
		return true
	}
	return false
}

// writerWaits reports whether the app of side x waits for credit of stream i.
func (md *model) writerWaits(s *state, i int, x side) bool {
	e := &s.streams[i][x]
	return e.phase == live && e.toSend > 0 && md.streamCredit(s, i, x) == 0 && md.broken != earlyNotForStreams
}

// openerWaits reports whether the app of side x waits for stream i to be accepted.
func (md *model) openerWaits(s *state, i int, x side) bool {
	p := s.streams[i][x].phase
	return (p == opening || p == asked) && md.broken != earlyNotForOpens
}

// A trigger is what may let more be released early.
type trigger uint8

const (
	onArrival trigger = iota // a notification has come
	onWait                   // this side may have begun to wait
	onTurn                   // the turn of one that was released has come
)

// missed has the rules that miss a trigger.
var missed = [...]rule{onArrival: earlyNotOnArrival, onWait: earlyNotOnWait, onTurn: earlyNotOnTurn}

// releaseEarly releases the notifications that wait at side x, the first of them first, as far as
// the bound goes, if this side waits.
func (md *model) releaseEarly(s *state, x side, t trigger) {
	if md.broken == neverEarly || md.broken == missed[t] || !(md.waits(s, x) || md.broken == earlyAlways) {
		return
	}
	c := &s.conns[x]
	for _, id := range c.notifications.list() {
		m, ms := &md.msgs[id], &s.msgs[id]
		if ms.in == inReleased {
			continue
		}
		if int(c.early+m.room()) > md.early[x] && md.broken != earlyUnbounded {
			return
		}
		ms.in = inReleased
		c.early += m.room()
		md.take(s, x, id)
	}
}

// releaseAtTurn releases message id, whose turn has come at side x, unless it was before.
func (md *model) releaseAtTurn(s *state, x side, id uint8) {
	c, m, ms := &s.conns[x], &md.msgs[id], &s.msgs[id]
	early := ms.in == inReleased
	if early && md.broken != earlyForGood {
		c.early -= m.room()
	}
	if !early || md.broken == releasedTwice {
		md.take(s, x, id)
	}
}

// released is the room of the notifications that wait at side x and were released early.
func (md *model) released(s *state, x side) (n int) {
	for _, id := range s.conns[x].notifications.list() {
		if s.msgs[id].in == inReleased {
			n += int(md.msgs[id].room())
		}
	}
	return n
}
