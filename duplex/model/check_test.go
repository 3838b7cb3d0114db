package model

import (
	"fmt"
	"strings"
)

// invariant says what is wrong with s, whatever comes next, or "".
func (md *model) invariant(s *state) string {
	for x := A; x <= B; x++ {
		c := &s.conns[x]
		for k := range numClasses {
			switch {
			case int(c.held[k]) >= md.window+md.largestCost(k):
				return fmt.Sprintf("%v holds %d of class %v: the window is %d, and one message more", x, c.held[k], k, md.window)
			case int(c.used[k]) > md.limit:
				return fmt.Sprintf("%v has granted %d of class %v, the limit is %d", x, c.used[k], k, md.limit)
			}
		}
		if int(c.since) > md.every {
			return fmt.Sprintf("%v has sent %d messages while a piece waits", x, c.since)
		}
		switch n := md.released(s, x); {
		case n > md.early[x]:
			return fmt.Sprintf("%v holds %d of notifications released early, the bound is %d", x, n, md.early[x])
		case n > 0 && !md.sends[x]:
			return fmt.Sprintf("%v holds %d of notifications released early, and has nobody who could wait", x, n)
		}
		for i := range md.streams {
			if n := s.streams[i][x].unread; int(n) > md.window {
				return fmt.Sprintf("%v holds %d of s%d: the window is %d", x, n, i, md.window)
			}
		}
	}
	return ""
}

func (md *model) largestCost(k class) int {
	largest := 1
	for i := range md.msgs {
		if m := &md.msgs[i]; md.account(m.class) == k {
			largest = max(largest, int(m.cost))
		}
	}
	return largest
}

// unfinished says what is wrong with s as an end, or "": nobody can do anything any more.
func (md *model) unfinished(s *state) string {
	var faults []string
	for id := range md.msgs {
		if fault := md.unfinishedMessage(s, id); fault != "" {
			faults = append(faults, fault)
		}
	}
	for i := range md.streams {
		if fault := md.unfinishedStream(s, i); fault != "" {
			faults = append(faults, fault)
		}
	}
	if (md.shut[A] || md.shut[B]) && !(s.conns[A].closed && s.conns[B].closed) {
		faults = append(faults, "Shutdown waits for ever")
	}
	return strings.Join(faults, "; ")
}

func (md *model) unfinishedMessage(s *state, id int) string {
	m, ms := &md.msgs[id], &s.msgs[id]
	switch {
	case m.class == notification && md.mute[m.to()] && ms.out != outFailed:
		return "" // nobody takes it
	case ms.out == outWaiting || ms.out == outOpen || ms.out == outReady:
		return fmt.Sprintf("the sender of m%d, a %v, waits for ever", id, m.class)
	case ms.in == inHandled:
		return fmt.Sprintf("the handler of m%d, a %v, waits for ever", id, m.class)
	case ms.out == outSent && ms.in != inDone:
		return fmt.Sprintf("m%d, a %v, was sent and does not reach who waits for it", id, m.class)
	case ms.out == outFailed && ms.in != inNone:
		return fmt.Sprintf("m%d, a %v, was given up, and yet has come", id, m.class)
	}
	return ""
}

func (md *model) unfinishedStream(s *state, i int) string {
	st, ends := &md.streams[i], &s.streams[i]
	shut := md.shut[A] || md.shut[B]
	if st.reads[A] == readsNothing || st.reads[B] == readsNothing || st.ignored && !shut {
		return "" // it may stand still, alone
	}
	for x := A; x <= B; x++ {
		e := &ends[x]
		switch {
		case e.phase == never && ends[x.other()].cut: // it did not come so far
		case e.phase != forgotten:
			return fmt.Sprintf("%v never forgets s%d", x, i)
		case e.cut || ends[x.other()].cut || e.stopped || st.reads[x] != readsAll:
		case int(e.read) != st.units[x.other()]:
			return fmt.Sprintf("%v has read %d of %d units of s%d", x, e.read, st.units[x.other()], i)
		}
	}
	return ""
}
