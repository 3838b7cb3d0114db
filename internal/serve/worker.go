package serve

import "github.com/viaduct-go/viaduct/internal/message"

// A job is something for a worker to do. A *request is the job of serving it.
type job interface{ do(w *worker) }

// task is a job that needs no worker in particular.
type task func()

func (t task) do(*worker) { t() }

// worker is a goroutine that does one job after another.
type worker struct {
	d     *Dispatcher
	wake  chan struct{} // one slot: it is on its way; closed when it is not needed any more
	codec requestCodec
	ran   *request // what it has served and not told the dispatcher of
}

func newWorker(d *Dispatcher) *worker {
	return &worker{d: d, wake: make(chan struct{}, 1), codec: requestCodec{d: d}}
}

// loop is the goroutine of w, which is on its way.
func (w *worker) loop() {
	p := &w.d.workers
	defer func() { p.gone(w.ran) }()
	for ok := true; ok; _, ok = <-w.wake {
		j, needed := p.arrive(w)
		for j != nil {
			j.do(w)
			ran := w.ran
			w.ran = nil
			j, needed = p.next(w, ran)
		}
		if !needed {
			return
		}
	}
}

func (r *request) do(w *worker) {
	if r.Kind == message.Notification {
		defer w.d.handled(r)
		w.handleNotification(r)
	} else {
		w.serve(r)
	}
}

func (w *worker) handleNotification(r *request) {
	l := w.d.host.Link
	if !r.early {
		l.Working(1) // before Release: an orderly end waits for it
		l.Release(r.Size, true)
	}
	defer l.Working(-1)
	w.serve(r)
}

// serve runs the method that r calls, in this goroutine. A panic in it ends the process, as with
// net/rpc, or is answered; its own Goexit is answered with an error.
func (w *worker) serve(r *request) {
	w.ran = r
	w.codec.request = r
	returned := false
	defer func() {
		if !returned {
			w.answerPanicOrGoexit(r, recover())
		}
		w.codec.end()
	}()
	w.codec.begin()
	// Its error is about the call, and has been answered.
	_ = w.d.cfg.Server.ServeRequest(&w.codec)
	returned = true
}
