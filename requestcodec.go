package viaduct

import (
	"context"
	"fmt"
	"net/rpc"
)

// requestCodec is the rpc.ServerCodec of one request at a time. It belongs to the worker that serves it.
type requestCodec struct {
	e       *Endpoint
	request *served
	method  string
	failed  *failed // why the method was not begun
	done    func(CallResult)
	result  CallResult
}

// begin is called when request is set, end when it has been served.
func (c *requestCodec) begin() {
	s := c.request
	c.method = c.e.opts.serviceMethod(s.method)
	if hook := c.e.opts.serveHook(); hook != nil {
		md, err := s.info.metadata()
		c.result.Request = s.size
		ctx := c.e.dispatcher.context(s, md)
		if ctx, c.done = hook.begin(ctx, c.method, s.kind == typeNotification); err == nil {
			s.ctx = ctx
		}
	}
}

func (c *requestCodec) end() {
	s, done := c.request, c.done
	if s.stop != nil {
		s.stop()
	}
	result := c.result
	*c = requestCodec{e: c.e} // its bytes may be many
	if done != nil {
		if result.Err == nil && s.cancelled.Load() {
			result.Err = errCancelled
		}
		done(result)
	}
}

func (c *requestCodec) seq() uint64 {
	if c.request.kind == typeNotification {
		return noteSeq + 1
	}
	return uint64(c.request.id)
}

func (c *requestCodec) ReadRequestHeader(r *rpc.Request) error {
	r.ServiceMethod = c.method
	r.Seq = c.seq()
	return nil
}

// contextTaker is an argument whose method wants to know when nobody waits for
// it any more: see Endpoint.
type contextTaker interface{ SetContext(context.Context) }

// ReadRequestBody decodes the argument. Its error is the answer.
func (c *requestCodec) ReadRequestBody(args any) error {
	err := c.readBody(args)
	if err != nil && args != nil {
		c.failed = &failed{err, err.Error(), true}
	}
	return err
}

func (c *requestCodec) readBody(args any) error {
	s := c.request
	if s.cancelled.Load() {
		return errCancelled
	}
	if s.info.late() {
		return errTooLate
	}
	if s.info != nil && s.info.malformed != nil {
		return &BodyError{"decode", "what goes with the call", c.method, typeName(args), s.info.malformed}
	}
	if err := s.decodeArgument(args, c.e.opts); err != nil {
		return err
	}
	t, ok := args.(contextTaker)
	if !ok {
		return nil
	}
	md, err := s.info.metadata()
	if err != nil {
		return &BodyError{"decode", "what goes with the call", c.method, typeName(args), err}
	}
	return giveContext(t, c.e.dispatcher.context(s, md), s.method)
}

// giveContext is SetContext. That may panic because of what was sent: it may be the
// method of an embedded pointer that the other side has left out.
func giveContext(t contextTaker, ctx context.Context, method []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &BodyError{"decode", "arguments", string(method), typeName(t), fmt.Errorf("panic in SetContext (embed viaduct.Caller, not a pointer to it): %v", r)}
		}
	}()
	t.SetContext(ctx)
	return nil
}

// WriteResponse sends the reply, unless the call has been answered: then it was
// cancelled. It waits for room: the handler has returned, so nothing but this goroutine waits.
func (c *requestCodec) WriteResponse(r *rpc.Response, reply any) error {
	var f *failed
	if r.Error != "" {
		f = c.failure(r.Error)
	}
	return c.answer(f, reply)
}

// failure returns what is known of an error of which net/rpc has the text.
func (c *requestCodec) failure(text string) *failed {
	for _, f := range []*failed{c.failed, c.request.failed.Load()} {
		if f != nil && f.text == text {
			return f
		}
	}
	return &failed{rpc.ServerError(text), text, false}
}

// answer answers with f, or with reply if that is nil.
func (c *requestCodec) answer(f *failed, reply any) error {
	if c.request.kind == typeNotification {
		if f != nil {
			c.fail(f)
			c.e.reporter.warn(noteFailed, "method", brief(c.method), "error", brief(f.text))
		}
		return nil
	}
	if c.request.cancelled.Load() {
		if f != nil {
			c.fail(f)
		}
		return nil
	}
	msg := getBuffer()
	defer putBuffer(msg)
	if f == nil {
		f = c.e.opts.encodeReply(msg, c.request.id, c.method, reply) // may end the goroutine: then nobody has claimed the call
	} else {
		*msg = c.e.opts.appendFailure(*msg, c.request.id, f)
	}
	if f = c.e.fit(msg, c.request.id, f); f != nil {
		c.fail(f)
	}
	if !c.e.dispatcher.claim(c.request, len(*msg)) {
		return nil
	}
	c.request.body, c.request.extra = nil, nil // sending may take its time
	c.result.Reply = len(*msg)
	return c.e.answer(context.Background(), c.request, *msg)
}

func (c *requestCodec) fail(f *failed) {
	c.result.Err = f.err
	c.e.dispatcher.countFailure()
}

// fit makes msg, which answers a call with f, or with a reply if that is nil, small enough to be sent. It returns what it answers with then.
func (e *Endpoint) fit(msg *[]byte, id uint32, f *failed) *failed {
	limit := e.in.MaxSend()
	if len(*msg) <= limit {
		return f
	}
	size := &SizeError{Size: len(*msg), Limit: limit}
	if f == nil {
		f = &failed{size, size.Error(), true}
		*msg = e.opts.appendFailure((*msg)[:0], id, f)
	} else {
		*msg = e.opts.appendShort((*msg)[:0], id, f, size)
	}
	return f
}

// answer sends msg as the answer to s, which the caller has claimed. It waits for room.
func (e *Endpoint) answer(ctx context.Context, s *served, msg []byte) error {
	e.dispatcher.awaitTurn(s)
	defer e.dispatcher.sent(s)
	return e.deliver(ctx, msg)
}

// deliver is answer out of turn.
func (e *Endpoint) deliver(ctx context.Context, msg []byte) error {
	err := e.send(ctx, e.in, msg, false)
	if size, ok := err.(*SizeError); ok { // a limit too small for any error: the caller would wait for ever
		e.end(size)
	}
	return err
}

func (e *Endpoint) answerFailure(s *served, f *failed) {
	msg := getBuffer()
	defer putBuffer(msg)
	*msg = e.opts.appendFailure(*msg, s.id, f)
	e.answer(context.Background(), s, *msg)
}

func (c *requestCodec) Close() error { return nil }
