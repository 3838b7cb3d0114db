package model

import "fmt"

// action is one step of one actor: of thread, message or stream i, or of side x.
type action struct {
	kind  actionKind
	x     side
	i     uint8
	frame frame
}

type actionKind uint8

const (
	actThread actionKind = iota
	actHandler
	actHandle
	actGiveUp
	actWrite
	actRead
	actShutdown
	actOpen
	actCancel
	actAccept
	actRefuse
	actReadUnit
	actEnd
	actStop
	actReset
	numActions
)

func (a action) String() string {
	switch a.kind {
	case actThread:
		return fmt.Sprintf("%v: thread %d sends m%d", a.x, a.i, a.frame.id)
	case actHandler:
		return fmt.Sprintf("%v: handler of m%d goes on", a.x, a.i)
	case actHandle:
		return fmt.Sprintf("%v: notification handler takes m%d", a.x, a.frame.id)
	case actGiveUp:
		return fmt.Sprintf("%v: sender of m%d gives up", a.x, a.i)
	case actWrite:
		return fmt.Sprintf("%v: writes %v", a.x, a.frame)
	case actRead:
		return fmt.Sprintf("%v: reads %v", a.x, a.frame)
	case actShutdown:
		return fmt.Sprintf("%v: calls Shutdown", a.x)
	}
	what := [...]string{actOpen: "opens", actCancel: "gives up opening", actAccept: "accepts", actRefuse: "refuses",
		actReadUnit: "reads a unit of", actEnd: "ends", actStop: "stops reading", actReset: "resets"}[a.kind]
	return fmt.Sprintf("%v: %s s%d", a.x, what, a.i)
}

// actions appends what may happen next.
func (md *model) actions(s *state, list []action) []action {
	var frames [16]frame
	for x := A; x <= B; x++ {
		for _, f := range md.due(s, x, frames[:0]) {
			list = append(list, action{kind: actWrite, x: x, frame: f})
		}
		if md.mayRead(s, x) {
			list = append(list, action{kind: actRead, x: x, frame: s.pipes[x.other()].frames[0]})
		}
		if md.mayHandle(s, x) {
			list = append(list, action{kind: actHandle, x: x, frame: frame{id: s.conns[x].notifications.at[0]}})
		}
		if c := &s.conns[x]; md.shut[x] && !c.shut && !c.closed {
			list = append(list, action{kind: actShutdown, x: x})
		}
	}
	for t := range md.threads {
		if md.threadMayStep(s, t) {
			list = append(list, action{actThread, md.on[t], uint8(t), frame{id: md.next(s, t)}})
		}
	}
	for id := range md.msgs {
		if m := &md.msgs[id]; md.handlerMayStep(s, uint8(id)) {
			list = append(list, action{kind: actHandler, x: m.to(), i: uint8(id)})
		} else if md.mayGiveUp(s, uint8(id)) {
			list = append(list, action{kind: actGiveUp, x: m.from, i: uint8(id)})
		}
	}
	for i := range md.streams {
		list = md.streamActions(s, i, list)
	}
	return list
}

func (md *model) streamActions(s *state, i int, list []action) []action {
	add := func(may bool, kind actionKind, x side) {
		if may {
			list = append(list, action{kind: kind, x: x, i: uint8(i)})
		}
	}
	opener := md.streams[i].opener
	add(md.mayOpen(s, i), actOpen, opener)
	for x := A; x <= B; x++ {
		add(md.mayReadUnit(s, i, x), actReadUnit, x)
		switch {
		case s.conns[x].closed:
			continue
		case x == opener:
			add(md.mayCancel(s, i), actCancel, x)
		default:
			add(md.mayAccept(s, i), actAccept, x)
			add(md.mayRefuse(s, i), actRefuse, x)
		}
		add(md.mayEnd(s, i, x), actEnd, x)
		add(md.mayStop(s, i, x), actStop, x)
		add(md.mayReset(s, i, x), actReset, x)
	}
	return list
}

// do changes s by a. It returns which rule that breaks, or "".
func (md *model) do(s *state, a action) (fault string) {
	switch i := int(a.i); a.kind {
	case actThread:
		fault = md.threadStep(s, i)
	case actHandler:
		fault = md.handlerStep(s, a.i)
	case actHandle:
		md.handle(s, a.x)
	case actGiveUp:
		md.giveUp(s, a.i)
	case actWrite:
		fault = md.write(s, a.x, a.frame)
	case actRead:
		fault = md.read(s, a.x)
	case actShutdown:
		md.shutdown(s, a.x)
	case actOpen:
		md.open(s, i)
	case actCancel:
		md.cancel(s, i)
	case actAccept:
		md.answer(s, i, accepting)
	case actRefuse:
		md.answer(s, i, refusing)
	case actReadUnit:
		md.readUnit(s, i, a.x)
	case actEnd:
		md.end(s, i, a.x)
	case actStop:
		md.stop(s, i, a.x)
	case actReset:
		md.reset(s, i, a.x)
	}
	md.look(s, A)
	md.look(s, B)
	return fault
}
