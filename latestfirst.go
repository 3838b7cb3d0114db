package viaduct

import "slices"

// What Options.AnswerLatestFirst takes.

// awaitTurn waits until s is the latest open request, if the other side needs
// the answers in that order, and until this side's calls since s came in have
// been answered, or until the link has ended.
//
// Those calls may bring a later request, which may be on its way. And Neovim
// closes a link on which two answers arrive at once: it must have gone on behind the
// later one before it gets the next, and the reply to the call that the later request
// came from says that it has. The replies come without the answer to s: the other side serves
// calls while it waits. Calls made while s waits here are not waited
// for, as there might always be one, unless they have brought a request.
func (d *dispatcher) awaitTurn(s *served) {
	if !d.latestFirst {
		return
	}
	var until uint32
	for came := uint64(0); ; {
		d.mu.Lock()
		if d.order[len(d.order)-1] == s {
			if came != d.came {
				came, until = d.came, d.e.pending.nextID()
			}
			if !d.e.pending.between(s.since, until) {
				d.mu.Unlock()
				return
			}
		}
		turn := make(chan struct{})
		s.turn = turn
		d.mu.Unlock()
		select {
		case <-turn:
		case <-d.e.done:
			return
		}
	}
}

// sent is called when the answer to s is on its way. Another request may have
// come already: the other side may have the answer.
func (d *dispatcher) sent(s *served) {
	if !d.latestFirst {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.order) - 1; i >= 0; i-- {
		if d.order[i] == s {
			d.order = slices.Delete(d.order, i, i+1)
			break
		}
	}
	d.lookAgainLocked()
}

// lookAgain has the one that waits to answer the latest request look again
// whether it may, as a call of this side has ended. It does not block.
func (d *dispatcher) lookAgain() {
	if !d.latestFirst {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookAgainLocked()
}

func (d *dispatcher) lookAgainLocked() {
	if n := len(d.order); n > 0 && d.order[n-1].turn != nil {
		close(d.order[n-1].turn)
		d.order[n-1].turn = nil
	}
}
