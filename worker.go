package viaduct

import (
	"context"
	"net/rpc"
)

// worker is a goroutine that serves one request after another.
type worker struct {
	d     *dispatcher
	jobs  chan job // one slot; closed when w is not needed any more
	codec requestCodec
}

func newWorker(d *dispatcher) *worker {
	return &worker{d: d, jobs: make(chan job, 1), codec: requestCodec{e: d.e}}
}

func (w *worker) loop(j job) {
	defer w.d.gone()
	for ok := true; ok; j, ok = <-w.jobs {
		w.do(j)
		if !w.d.park(w) {
			return
		}
	}
}

func (w *worker) do(j job) {
	switch {
	case j.call != nil:
		call := j.call.async
		w.d.e.finishAsync(call, w.d.e.result(j.call, call.Reply))
	case j.notes:
		w.doNotes()
	default:
		w.serve(j.request)
	}
}

// doNotes handles notifications until there are no more.
func (w *worker) doNotes() {
	finished := false
	defer func() {
		if !finished {
			w.d.run(job{notes: true}) // the handler has ended its goroutine, not the queue
		}
	}()
	for {
		m, ok := w.d.nextNote()
		if !ok {
			finished = true
			return
		}
		w.d.e.in.Release(m.size, true)
		w.serve(m)
	}
}

// serve runs the method that m calls, in this goroutine. A panic in it ends the
// process, as with net/rpc; its own Goexit is answered with an error.
func (w *worker) serve(m message) {
	w.codec.request = m
	returned := false
	defer func() {
		if returned {
			return
		}
		if r := recover(); r != nil {
			panic(r)
		}
		w.codec.WriteResponse(&rpc.Response{
			ServiceMethod: string(m.method), Seq: w.codec.seq(), Error: "viaduct: handler ended its goroutine with runtime.Goexit",
		}, nil)
	}()
	// Its error is about the call, and has been answered.
	_ = w.d.server.ServeRequest(&w.codec)
	returned = true
	w.codec.request = message{} // its bytes may be many
}

// requestCodec is the rpc.ServerCodec of one request at a time.
type requestCodec struct {
	e       *Endpoint
	request message
}

func (c *requestCodec) seq() uint64 {
	if c.request.kind == typeNotification {
		return noteSeq + 1
	}
	return uint64(c.request.id)
}

func (c *requestCodec) ReadRequestHeader(r *rpc.Request) error {
	r.ServiceMethod = string(c.request.method)
	r.Seq = c.seq()
	return nil
}

func (c *requestCodec) ReadRequestBody(args any) error {
	return c.request.decodeArgument(args, c.e.opts)
}

// WriteResponse sends the reply. It waits for room: the handler has returned,
// so nothing but this goroutine waits.
func (c *requestCodec) WriteResponse(r *rpc.Response, reply any) error {
	if r.Seq > noteSeq {
		if r.Error != "" {
			c.e.reporter.warn(noteFailed, "method", brief(r.ServiceMethod), "error", brief(r.Error))
		}
		return nil
	}
	msg := c.e.opts.encodeReply(r, reply)
	defer putBuffer(msg)
	err := c.e.send(context.Background(), c.e.in, *msg, false)
	if _, ok := err.(*SizeError); ok {
		*msg = appendErrorReply((*msg)[:0], uint32(r.Seq), err.Error())
		if err = c.e.send(context.Background(), c.e.in, *msg, false); err != nil {
			c.e.end(err) // the caller would wait for ever
		}
	}
	return err
}

func (c *requestCodec) Close() error { return nil }
