package viaduct

import (
	"context"
	"fmt"
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
	case j.own != nil:
		j.own()
	case j.cancelled != nil:
		w.d.endContext(j.cancelled)
		w.d.e.answerError(j.cancelled, errCancelled)
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
// process, as with net/rpc; its own Goexit is answered with an error.
func (w *worker) serve(s *served) {
	w.codec.request = s
	returned := false
	defer func() {
		if s.stop != nil {
			s.stop()
		}
		if returned {
			return
		}
		if r := recover(); r != nil {
			panic(r)
		}
		w.codec.WriteResponse(&rpc.Response{
			ServiceMethod: string(s.method), Seq: w.codec.seq(), Error: "viaduct: handler ended its goroutine with runtime.Goexit",
		}, nil)
	}()
	// Its error is about the call, and has been answered.
	_ = w.d.server.ServeRequest(&w.codec)
	returned = true
	w.codec.request = nil // its bytes may be many
}

// requestCodec is the rpc.ServerCodec of one request at a time.
type requestCodec struct {
	e       *Endpoint
	request *served
}

func (c *requestCodec) seq() uint64 {
	if c.request.kind == typeNotification {
		return noteSeq + 1
	}
	return uint64(c.request.id)
}

func (c *requestCodec) ReadRequestHeader(r *rpc.Request) error {
	r.ServiceMethod = c.e.opts.serviceMethod(c.request.method)
	r.Seq = c.seq()
	return nil
}

// contextTaker is an argument whose method wants to know when nobody waits for
// it any more: see Endpoint.
type contextTaker interface{ SetContext(context.Context) }

func (c *requestCodec) ReadRequestBody(args any) error {
	if c.request.cancelled.Load() {
		return errCancelled
	}
	if err := c.request.decodeArgument(args, c.e.opts); err != nil {
		return err
	}
	if t, ok := args.(contextTaker); ok {
		return giveContext(t, c.e.dispatcher.context(c.request), c.request.method)
	}
	return nil
}

// giveContext is SetContext. That may panic because of what was sent: it may be the
// method of an embedded pointer that the other side has left out.
func giveContext(t contextTaker, ctx context.Context, method []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &BodyError{"decode", "arguments", string(method), typeName(t), fmt.Errorf("panic in SetContext: %v", r)}
		}
	}()
	t.SetContext(ctx)
	return nil
}

// WriteResponse sends the reply, unless the call has been answered: then it was
// cancelled. It waits for room: the handler has returned, so nothing but this goroutine waits.
func (c *requestCodec) WriteResponse(r *rpc.Response, reply any) error {
	if r.Seq > noteSeq {
		if r.Error != "" {
			c.e.reporter.warn(noteFailed, "method", brief(r.ServiceMethod), "error", brief(r.Error))
		}
		return nil
	}
	if c.request.cancelled.Load() {
		return nil
	}
	msg := c.e.opts.encodeReply(r, reply) // may end the goroutine: then nobody has claimed the call
	defer putBuffer(msg)
	if !c.e.dispatcher.claim(c.request) {
		return nil
	}
	return c.e.answer(c.request, msg)
}

// answer sends msg as the answer to s, which the caller has claimed. It waits for room.
func (e *Endpoint) answer(s *served, msg *[]byte) error {
	e.dispatcher.awaitTurn(s)
	defer e.dispatcher.sent(s)
	err := e.send(context.Background(), e.in, *msg, false)
	if _, ok := err.(*SizeError); ok {
		*msg = appendErrorReply((*msg)[:0], s.id, err.Error())
		if err = e.send(context.Background(), e.in, *msg, false); err != nil {
			e.end(err) // the caller would wait for ever
		}
	}
	return err
}

func (e *Endpoint) answerError(s *served, reason error) {
	msg := getBuffer()
	defer putBuffer(msg)
	*msg = appendErrorReply(*msg, s.id, reason.Error())
	e.answer(s, msg)
}

func (c *requestCodec) Close() error { return nil }
