package model

// account is the credit that class c uses.
func (md *model) account(c class) class {
	if md.broken == oneCredit {
		return 0
	}
	return c
}

// threshold is how much is collected before it is granted again.
func (md *model) threshold() int { return max(md.window/2, 1) }

// creditDue is what side x is to grant of class c now.
func (md *model) creditDue(s *state, x side, c class) uint8 {
	if owed := s.conns[x].owed[c]; int(owed) >= md.threshold() {
		return uint8(owed)
	}
	return 0
}

// arrive counts the first frame of a message in at side x.
func (md *model) arrive(s *state, x side, m *message, cost uint8) (fault string) {
	c, k := &s.conns[x], md.account(m.class)
	if md.window-int(c.held[k])-int(c.owed[k]) <= 0 {
		return "a message beyond the credit"
	}
	c.held[k] += int8(cost)
	return ""
}

// take is called when side x holds no room for message m any more.
func (md *model) take(s *state, x side, id uint8) {
	m := &md.msgs[id]
	md.giveBack(s, x, m.class, md.costs(m))
	if m.long() {
		md.release(s, x, id)
	}
}

// costs is the credit that a message takes until it is taken.
func (md *model) costs(m *message) uint8 {
	if md.broken == noGrants {
		return m.room()
	}
	return m.cost
}

func (md *model) giveBack(s *state, x side, k class, n uint8) {
	c, k := &s.conns[x], md.account(k)
	c.held[k] -= int8(n)
	c.owed[k] += int8(n)
}

// release frees the room that was granted to message id.
func (md *model) release(s *state, x side, id uint8) {
	c, m := &s.conns[x], &md.msgs[id]
	if s.msgs[id].granted {
		c.used[m.class] -= m.rest()
		s.msgs[id].granted = false
	}
	md.grant(s, x, m.class)
}

// grant grants long messages of class k their rest, in order, as far as there is room.
func (md *model) grant(s *state, x side, k class) {
	c := &s.conns[x]
	for q := &c.toGrant[k]; q.n > 0; {
		id := q.at[0]
		rest := md.msgs[id].rest()
		if int(c.used[k]+rest) > md.limit && md.broken != grantsAtOnce {
			return
		}
		q.pop()
		c.used[k] += rest
		s.msgs[id].granted, s.msgs[id].grantDue = true, true
	}
}
