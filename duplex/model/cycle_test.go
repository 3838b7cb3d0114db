package model

// A run without end comes back to a state it has been in.

type mark uint8

const (
	unknown  mark = iota
	onPath        // from the start to where the search is
	harmless      // all that follows has been seen
)

// turn is one of the actions of a state: which, in their order.
type turn struct{ state, index int32 }

// goRound reports whether a state can come again, and sets trace to how. Each
// state has been expanded.
func (e *explorer) goRound() bool {
	marks := make([]mark, len(e.steps))
	path := []turn{{}}
	marks[0] = onPath
	for len(path) > 0 {
		last := &path[len(path)-1]
		next := e.following(last.state)
		if int(last.index) == len(next) {
			marks[last.state] = harmless
			path = path[:len(path)-1]
			continue
		}
		to := next[last.index]
		switch marks[to] {
		case unknown:
			marks[to] = onPath
			path = append(path, turn{state: to})
			continue
		case onPath:
			for path[0].state != to {
				path = path[1:]
			}
			e.round(path)
			return true
		}
		last.index++
	}
	return false
}

// following lists the states that the actions of state n lead to.
func (e *explorer) following(n int32) []int32 {
	begin := int32(0)
	if n > 0 {
		begin = e.steps[n-1].edges
	}
	return e.edges[begin:e.steps[n].edges]
}

// round sets trace to how the first of turns is reached, and them.
func (e *explorer) round(turns []turn) {
	e.path(int(turns[0].state))
	s := e.md.start()
	for _, a := range e.trace {
		e.md.do(&s, a)
	}
	for _, t := range turns {
		a := e.md.actions(&s, nil)[t.index]
		e.trace = append(e.trace, a)
		e.md.do(&s, a)
	}
}
