package model

// due appends what the writer of side x may write next. It is more than one
// frame where the order is the writer's to choose.
func (md *model) due(s *state, x side, list []frame) []frame {
	if s.conns[x].closed || s.conns[x.other()].closed || int(s.pipes[x].n) == md.pipe {
		return list
	}
	n := len(list)
	if list = md.control(s, x, list); len(list) > n {
		return list
	}
	piece := md.nextPiece(s, x)
	forced := int(s.conns[x].since) >= md.every && md.broken != piecesLast
	if piece.kind == none || !forced {
		for k := range numClasses {
			if md.mayStart(s, x, k) {
				list = append(list, md.starts(s.conns[x].waiting[k].at[0]))
			}
		}
	}
	if len(list) == n {
		list = append(list, piece)
	}
	if piece.kind == none && len(list) == n+1 && list[n].kind == none {
		list[n] = md.atRest(s, x)
	}
	if list[n].kind == none {
		list = list[:n]
	}
	return list
}

// mayStart reports whether the next message of class k may start: credit, and the order of
// notifications.
func (md *model) mayStart(s *state, x side, k class) bool {
	c := &s.conns[x]
	if c.waiting[k].n == 0 || c.credit[md.account(k)] <= 0 {
		return false
	}
	if k != notification || md.broken == overtake {
		return true
	}
	for id := range md.msgs {
		if m, out := &md.msgs[id], s.msgs[id].out; m.from == x && m.class == notification && (out == outOpen || out == outReady) {
			return false
		}
	}
	return true
}

func (md *model) starts(id uint8) frame {
	if md.msgs[id].long() {
		return frame{kind: kindFirst, id: id}
	}
	return frame{kind: kindWhole, id: id}
}

// nextPiece is the first in the rotation that can go.
func (md *model) nextPiece(s *state, x side) frame {
	c := &s.conns[x]
	for _, item := range c.ready.list() {
		if item < firstStream {
			if md.broken == noGrants && c.credit[md.msgs[item].class] <= 0 {
				continue
			}
			return frame{kind: kindPiece, id: item}
		}
		i := item - firstStream
		switch e := &s.streams[i][x]; {
		case e.toSend == 0:
			return frame{kind: kindEnd, id: i}
		case md.streamCredit(s, int(i), x) > 0:
			return frame{kind: kindData, id: i}
		}
	}
	return frame{}
}

// write has side x write f, which is due.
func (md *model) write(s *state, x side, f frame) (fault string) {
	c := &s.conns[x]
	switch f.kind {
	case kindWhole, kindFirst:
		if md.nextPiece(s, x).kind != none {
			c.since++
		}
		md.writeStart(s, x, f.id)
	case kindPiece, kindData, kindEnd:
		c.since = 0
		md.writePiece(s, x, f)
	case kindIdle:
		c.told = true
	default:
		md.writeControl(s, x, f)
	}
	s.pipes[x].push(f)
	if md.nextPiece(s, x).kind == none {
		c.since = 0
	}
	if f.kind == kindBye {
		return md.close(s, x)
	}
	return ""
}

func (md *model) writeStart(s *state, x side, id uint8) {
	c, m, ms := &s.conns[x], &md.msgs[id], &s.msgs[id]
	c.waiting[m.class].pop()
	c.credit[md.account(m.class)] -= int8(m.cost)
	md.begins(s, x, kindWhole)
	ms.left--
	switch {
	case !m.long():
		ms.out = outSent
	case md.broken == noGrants:
		ms.out = outReady
		c.ready.push(id)
	default:
		ms.out = outOpen
	}
}

// writePiece sends one piece and has who sent it go to the end of the rotation.
func (md *model) writePiece(s *state, x side, f frame) {
	c := &s.conns[x]
	if f.kind == kindPiece {
		ms := &s.msgs[f.id]
		c.ready.remove(f.id)
		if md.broken == noGrants {
			c.credit[md.msgs[f.id].class]--
		}
		if ms.left--; ms.left > 0 {
			c.ready.push(f.id)
		} else {
			ms.out = outSent
		}
		return
	}
	e := &s.streams[f.id][x]
	c.ready.remove(firstStream + f.id)
	if f.kind == kindEnd {
		e.endOut = true
		e.forgetIfEnded()
		return
	}
	e.toSend--
	switch md.broken {
	case streamUsesNotificationCredit:
		c.credit[notification]--
	case streamsShareCredit:
		c.pool--
	default:
		e.credit--
	}
	md.rotate(s, int(f.id), x)
	md.releaseEarly(s, x, onWait) // for the credit of the next unit
}
