package serve

import (
	"context"
	"fmt"

	"github.com/viaduct-go/viaduct/internal/message"
)

// refuseLocked has r answered by an error. On a link with flow control its room is free when that
// has gone to the writer, so credit bounds how many there are. On a bare one the answer is queued
// at once; if not even that finds room the other side is stuck.
func (d *Dispatcher) refuseLocked(r *request) (roomFree, stuck bool) {
	d.stats.Refused++
	if d.bare != nil {
		msg := d.cfg.Message.AppendFailure(nil, r.ID, d.overloadLocked(r), d.host.Link.MaxSend())
		return true, !d.bare.SendNow(msg)
	}
	d.refused = append(d.refused, r)
	if !d.refusing {
		d.refusing = true
		d.workers.runLocked(answerRefused{})
	}
	return false, false
}

func (d *Dispatcher) overloadLocked(r *request) *message.Failure {
	if r.mutual {
		return message.OwnFailure(message.Overload(fmt.Sprintf(
			"viaduct: call refused: %d are running (MaxHandlers of the side that takes it), which may wait for it: "+
				"that side waits for as many calls (those made with the context of the call that they serve are not refused)",
			d.limits.Handlers)))
	}
	return message.OwnFailure(message.Overload(fmt.Sprintf(
		"viaduct: call refused: %d are running and %d wait (MaxHandlers and MaxWaiting of the side that takes it)",
		d.running, d.waiting.Len())))
}

// answerRefused is the job of answering the calls that are refused, until there are no more.
type answerRefused struct{}

func (answerRefused) do(w *worker) {
	d := w.d
	for {
		r, why := d.nextRefused()
		if r == nil {
			return
		}
		d.send(context.Background(), string(r.Method), d.cfg.Message.AppendFailure(nil, r.ID, why, d.host.Link.MaxSend()))
		d.host.Link.Release(r.Size, false)
	}
}

// nextRefused returns the next call to refuse, or nil.
func (d *Dispatcher) nextRefused() (*request, *message.Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.refused) == 0 {
		d.refused, d.refusing = nil, false
		d.tellIdle()
		return nil, nil
	}
	r := d.refused[0]
	d.refused[0] = nil
	d.refused = d.refused[1:]
	return r, d.overloadLocked(r)
}
