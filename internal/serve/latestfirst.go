package serve

import "slices"

// What Config.LatestFirst takes.

// awaitTurn waits until r is the latest open request, if the other side needs
// the answers in that order, and until this side's calls since r came in have
// been answered, or until the link has ended.
//
// Those calls may bring a later request, which may be on its way. And Neovim
// closes a link on which two answers arrive at once: it must have gone on behind the
// later one before it gets the next, and the reply to the call that the later request
// came from says that it has. The replies come without the answer to r: the other side serves
// calls while it waits. Calls made while r waits here are not waited
// for, as there might always be one, unless they have brought a request.
func (d *Dispatcher) awaitTurn(r *request) {
	if !d.cfg.LatestFirst {
		return
	}
	var until uint32
	for seen := uint64(0); ; {
		d.mu.Lock()
		if d.order[len(d.order)-1] == r {
			if seen != d.seen {
				seen, until = d.seen, d.host.Outgoing.NextID()
			}
			if !d.host.Outgoing.Between(r.firstCall, until) {
				d.mu.Unlock()
				return
			}
		}
		turn := make(chan struct{})
		r.turn = turn
		d.mu.Unlock()
		select {
		case <-turn:
		case <-d.host.Done:
			return
		}
	}
}

// sent is called when the answer to r is on its way. Another request may have
// come already: the other side may have the answer.
func (d *Dispatcher) sent(r *request) {
	if !d.cfg.LatestFirst {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.order) - 1; i >= 0; i-- {
		if d.order[i] == r {
			d.order = slices.Delete(d.order, i, i+1)
			break
		}
	}
	d.lookAgainLocked()
}

// LookAgain has the one that waits to answer the latest request look again
// whether it may, as a call of this side has ended. It does not block.
func (d *Dispatcher) LookAgain() {
	if !d.cfg.LatestFirst {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookAgainLocked()
}

func (d *Dispatcher) lookAgainLocked() {
	if n := len(d.order); n > 0 && d.order[n-1].turn != nil {
		close(d.order[n-1].turn)
		d.order[n-1].turn = nil
	}
}
