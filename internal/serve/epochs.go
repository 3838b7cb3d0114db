package serve

import (
	"context"

	"github.com/viaduct-go/viaduct/internal/message"
)

// maxAsked is how many requests wait in epochs at most; those beyond are refused.
const maxAsked = 1024

// epochs count what goes on, so that a request can be answered when all is over that had begun when
// it came. Guarded by the dispatcher's mu.
type epochs struct {
	list []*epoch // at most one, unless a request waits
}

// epoch is what has begun between two requests.
type epoch struct {
	open int      // how much of it goes on
	asks *request // answered when open is 0, here and in all epochs before; nil: this is the latest, or it was cancelled
}

// join counts something that begins. It is to leave what join returns.
func (e *epochs) join() *epoch {
	if len(e.list) == 0 {
		e.list = append(e.list, new(epoch))
	}
	last := e.list[len(e.list)-1]
	last.open++
	return last
}

// leaveLocked counts something that is over, and has the requests answered that waited for it.
func (e *epochs) leaveLocked(d *Dispatcher, of *epoch) {
	of.open--
	for len(e.list) > 1 && e.list[0].open == 0 {
		if r := e.list[0].asks; r != nil {
			d.workers.runLocked(answerDone{r})
		}
		e.list[0] = nil
		e.list = e.list[1:]
	}
}

// acceptLocked has r answered when all is over that goes on.
func (e *epochs) acceptLocked(d *Dispatcher, r *request) (roomFree, stuck bool) {
	n := len(e.list)
	switch {
	case n > maxAsked:
		return d.refuseLocked(r)
	case n == 0 || n == 1 && e.list[0].open == 0:
		d.workers.runLocked(answerDone{r})
	default:
		e.list[n-1].asks = r
		e.list = append(e.list, new(epoch))
	}
	return false, false
}

// cancelLocked has the request with this msgid answered now, if there is one: an orderly end waits for
// that.
func (e *epochs) cancelLocked(d *Dispatcher, id uint32) {
	for _, of := range e.list {
		if r := of.asks; r != nil && r.ID == id {
			of.asks = nil
			d.workers.runLocked(answerGone{r})
			return
		}
	}
}

// answerGone is the job of answering such a request that was cancelled.
type answerGone struct{ r *request }

func (a answerGone) do(w *worker) {
	d, f := w.d, message.OwnFailure(message.ErrCancelled)
	d.send(context.Background(), string(a.r.Method), d.cfg.Message.AppendFailure(nil, a.r.ID, f, d.host.Link.MaxSend()))
	d.host.Link.Release(a.r.Size, false)
}

// answerDone is the job of answering such a request.
type answerDone struct{ r *request }

func (a answerDone) do(w *worker) {
	d := w.d
	d.send(context.Background(), string(a.r.Method), message.AppendDone(nil, a.r.ID))
	d.host.Link.Release(a.r.Size, false)
}
