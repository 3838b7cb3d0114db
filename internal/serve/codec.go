package serve

import (
	"context"
	"fmt"
	"net/rpc"
	"strings"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/message"
)

// NotificationSeq is less than the sequence numbers of notifications in net/rpc, to which no reply
// is sent, and more than all others.
const NotificationSeq = message.MaxID + 1

// requestCodec is the rpc.ServerCodec of one request at a time. It belongs to the worker that
// serves it.
type requestCodec struct {
	d       *Dispatcher
	request *request
	method  string
	latest  string           // method of the request before, which often is the same
	failed  *message.Failure // why the method was not begun
	unknown bool             // there is no such method
	hooked  bool             // the hook has been called, or is not to be
	inHook  bool             // it is being called
	done    func(CallResult) // of the hook
	result  CallResult
}

// begin is called when request is set, end when it has been served.
func (c *requestCodec) begin() {
	s := c.request
	if c.method = c.latest; c.method != string(s.Method) || c.d.cfg.ServiceMethod != nil {
		c.method = c.d.nameOf(s.Method)
	}
}

// beginHook calls the hook, unless it has been called. A nil args is that of a call whose method
// will not begin. It returns why the hook refuses the call.
func (c *requestCodec) beginHook(args any) error {
	hook, s := c.d.cfg.Hook, c.request
	if hook == nil || c.hooked {
		return nil
	}
	c.hooked, c.inHook = true, true
	md, bad := s.info.Metadata()
	c.result.Request = s.Size
	ctx, done, refused := hook.Begin(c.d.contextOf(s, md), CallInfo{
		Method: c.method, Notification: s.Kind == message.Notification, Args: args,
	})
	c.inHook, c.done = false, done
	if bad == nil {
		s.ctx = ctx
	}
	return refused
}

func (c *requestCodec) end() {
	c.beginHook(nil) // of a call that has panicked while its argument was decoded
	s, done := c.request, c.done
	if s.stop != nil {
		s.stop()
	}
	result := c.result
	*c = requestCodec{d: c.d, latest: c.method} // its bytes may be many
	if done != nil {
		if result.Err == nil && s.cancelled.Load() {
			result.Err = message.ErrCancelled
		}
		done(result)
	}
}

func (c *requestCodec) seq() uint64 {
	if c.request.Kind == message.Notification {
		return NotificationSeq + 1
	}
	return uint64(c.request.ID)
}

func (c *requestCodec) ReadRequestHeader(r *rpc.Request) error {
	r.ServiceMethod = c.method
	r.Seq = c.seq()
	return nil
}

// ReadRequestBody decodes the argument, and asks the hook. Its error is the answer.
func (c *requestCodec) ReadRequestBody(args any) error {
	if args == nil { // net/rpc has not found the method, and will say so
		c.unknown = true
		return nil
	}
	err := c.readBody(args)
	if err == nil && c.d.cfg.Hook != nil {
		if refused := c.beginHook(args); refused != nil {
			c.failed = message.Refused(refused)
			return refused
		}
		err = c.over() // the hook may have taken its time
	}
	if t, ok := args.(ContextTaker); ok && err == nil {
		md, _ := c.request.info.Metadata() // readBody has looked at its error
		err = GiveContext(t, c.d.contextOf(c.request, md), string(c.request.Method))
	}
	if err != nil {
		c.failed = message.OwnFailure(err)
	}
	return err
}

// over reports why the method must not begin any more.
func (c *requestCodec) over() error {
	if c.request.cancelled.Load() {
		return message.ErrCancelled
	}
	if c.request.info.Late() {
		return fault.ErrTooLate
	}
	return nil
}

func (c *requestCodec) readBody(args any) error {
	s := c.request
	if err := c.over(); err != nil {
		return err
	}
	if s.info != nil && s.info.Malformed != nil {
		return c.badInfo(args, s.info.Malformed)
	}
	if err := c.d.cfg.Message.DecodeArgument(&s.Message, args, &s.memory); err != nil {
		return err
	}
	if _, ok := args.(ContextTaker); ok {
		if _, err := s.info.Metadata(); err != nil {
			return c.badInfo(args, err)
		}
	}
	return nil
}

// badInfo is the error for what goes with a call and cannot be understood.
func (c *requestCodec) badInfo(args any, err error) error {
	return &fault.BodyError{Op: "decode", What: "what goes with the call", Method: c.method, Type: body.TypeName(args), Err: err}
}

// WriteResponse sends the reply, unless the call has been answered: then it was cancelled. It waits
// for room: the handler has returned, so nothing but this goroutine waits.
func (c *requestCodec) WriteResponse(r *rpc.Response, reply any) error {
	var f *message.Failure
	if r.Error != "" {
		f = c.failure(r.Error)
	}
	return c.answer(f, reply)
}

func (c *requestCodec) Close() error { return nil }

// failure returns what is known of an error of which net/rpc has the text.
func (c *requestCodec) failure(text string) *message.Failure {
	if c.unknown {
		return message.OwnFailure(message.NotBegun(text))
	}
	for _, f := range []*message.Failure{c.failed, c.request.failed.Load()} {
		if f != nil && f.Text == text {
			return f
		}
	}
	// The text of fmt.Errorf("...: %w", err), where err is what Fail has returned.
	if f := c.request.failed.Load(); f != nil && strings.HasSuffix(text, ": "+f.Text) {
		return f.Within(text)
	}
	return &message.Failure{Err: rpc.ServerError(text), Text: text}
}

// FailedNotification is what a Logger is told, as nobody else hears of it.
const FailedNotification = "viaduct: notification failed"

// isListing reports whether r is for List, not for the server. On a bare connection nobody has said
// that there is one.
func (d *Dispatcher) isListing(r *request) bool {
	return d.bare == nil && d.cfg.List != nil && r.IsMethods()
}

// list answers with what there is to call. Hooks do not see it: it is no call of a method.
func (c *requestCodec) list() {
	c.method, c.hooked = message.MethodsMethod, true
	b, err := c.d.cfg.List()
	if err != nil {
		c.answer(message.OwnFailure(err), nil)
		return
	}
	c.answer(nil, message.NewEncoded(b))
}

// answer answers with f, or with reply if that is nil.
func (c *requestCodec) answer(f *message.Failure, reply any) error {
	c.beginHook(nil) // of a call that has not come as far as its argument; its answer stays what it is
	d, r := c.d, c.request
	if r.Kind == message.Notification {
		if f != nil {
			c.fail(f)
			d.host.Reporter.Warn(FailedNotification, "method", message.Brief(c.method), "error", message.Brief(f.Text))
		}
		return nil
	}
	if r.cancelled.Load() {
		if f != nil {
			c.fail(f)
		}
		return nil
	}
	msg := buffer.Get()
	defer buffer.Put(msg)
	limit := d.host.Link.MaxSend()
	if f == nil {
		// A user's encoder may end the goroutine: then nobody has claimed the call.
		f = d.cfg.Message.EncodeReply(msg, r.ID, c.method, reply, limit)
	} else {
		*msg = d.cfg.Message.AppendFailure(*msg, r.ID, f, limit)
	}
	if f = d.shrinkToLimit(msg, r.ID, f); f != nil {
		c.fail(f)
	}
	if !d.claim(r, len(*msg)) {
		return nil
	}
	r.forget() // sending may take its time
	c.result.Reply = len(*msg)
	return d.sendAnswer(context.Background(), r, c.method, *msg)
}

func (c *requestCodec) fail(f *message.Failure) {
	c.result.Err = f.Err
	c.d.countFailure()
}

// nameOf returns the name by which the server knows a method.
func (d *Dispatcher) nameOf(method []byte) string {
	return Name(d.cfg.ServiceMethod, method)
}

// Name returns what f makes of a method's name, which may be anything: a panic costs one call. A
// nil f makes nothing of it. Of a name that is too long it returns the beginning.
func Name(f func(string) string, method []byte) (name string) {
	switch {
	case len(method) > maxName: // of no method, and not worth keeping
		return string(method[:maxName])
	case f == nil:
		return string(method)
	}
	defer func() {
		if r := recover(); r != nil {
			name = fmt.Sprintf("panic in Options.ServiceMethod: %v", r)
		}
	}()
	return f(string(method))
}
