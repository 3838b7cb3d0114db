package model

// happened is what has happened in a search: a scenario in which nothing does is no test.
type happened struct {
	actions [numActions]bool
	frames  [numKinds]bool
}

func (h *happened) note(a action) {
	h.actions[a.kind] = true
	if a.kind == actRead {
		h.frames[a.frame.kind] = true
	}
}

func (h *happened) add(other happened) {
	for i, b := range other.actions {
		h.actions[i] = h.actions[i] || b
	}
	for i, b := range other.frames {
		h.frames[i] = h.frames[i] || b
	}
}

// missing lists the actions, and the frames read, that were not seen.
func (h *happened) missing() (list []string) {
	for i, b := range h.actions {
		if !b {
			list = append(list, action{kind: actionKind(i)}.String())
		}
	}
	for i, b := range h.frames {
		if !b && kind(i) != none {
			list = append(list, frame{kind: kind(i)}.String())
		}
	}
	return list
}
