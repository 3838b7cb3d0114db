package viaduct

import "context"

// worker is a goroutine that serves one request after another.
type worker struct {
	d     *dispatcher
	jobs  chan job // one slot; closed when w is not needed any more
	codec requestCodec
	ran   *served // what it has served and not told the dispatcher of
}

func newWorker(d *dispatcher) *worker {
	return &worker{d: d, jobs: make(chan job, 1), codec: requestCodec{e: d.e}}
}

func (w *worker) loop(j job) {
	defer func() { w.d.pool.gone(w.ran) }()
	for ok := true; ok; j, ok = <-w.jobs {
		w.do(j)
		ran := w.ran
		w.ran = nil
		if !w.d.pool.park(w, ran) {
			return
		}
	}
}

func (w *worker) do(j job) {
	switch {
	case j.call != nil:
		w.d.e.finishAsync(j.call, w.d.e.result(j.call, j.call.reply()))
	case j.notes:
		w.doNotes()
	case j.refused:
		w.refuse()
	case j.own != nil:
		j.own()
	case j.cancelled != nil:
		w.d.endContext(j.cancelled)
		w.d.e.answerFailure(j.cancelled, &failed{errCancelled, errCancelled.text, true})
		w.d.answeredCancelled()
	case j.request.kind == typeNotification:
		w.doNote(j.request)
	default:
		w.serve(j.request)
	}
}

// refuse answers the calls that are refused until there are no more.
func (w *worker) refuse() {
	for {
		s, why := w.d.nextRefused()
		if s == nil {
			return
		}
		msg := w.d.e.opts.appendFailure(nil, s.id, why)
		w.d.e.deliver(context.Background(), msg)
		w.d.e.in.Release(s.size, false)
	}
}

// doNotes handles notifications, one at a time, until there are no more.
func (w *worker) doNotes() {
	finished := false
	defer func() {
		if !finished {
			w.d.pool.run(job{notes: true}) // the handler has ended its goroutine, not the queue
		}
	}()
	for {
		s := w.d.nextNote()
		if s == nil {
			finished = true
			return
		}
		w.doNote(s)
	}
}

func (w *worker) doNote(s *served) {
	w.d.e.in.Working(1) // before Release: an orderly end waits for it
	defer w.d.e.in.Working(-1)
	w.d.e.in.Release(s.size, true)
	w.serve(s)
}

// serve runs the method that s calls, in this goroutine. A panic in it ends the
// process, as with net/rpc, or is answered; its own Goexit is answered with an error.
func (w *worker) serve(s *served) {
	w.ran = s
	w.codec.request = s
	returned := false
	defer func() {
		if !returned {
			w.abrupt(s, recover())
		}
		w.codec.end()
	}()
	w.codec.begin()
	// Its error is about the call, and has been answered.
	_ = w.d.server.ServeRequest(&w.codec)
	returned = true
}
