package viaduct

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// An Endpoint makes calls to the other side of a link and answers those that
// come from there, through an unmodified [rpc.Server]. Its methods may be
// called from any goroutine.
//
// Each call that comes in runs on a goroutine of its own, within Options.MaxHandlers; one-way calls run one
// at a time, in the order they were sent. If the method's argument has a method
// SetContext(context.Context), that of an embedded [Caller] for instance, it is called before the method, with a context
// that ends when the caller has given up, at its deadline, when the method has returned, or when the link ends.
//
//	Call -> encodeRequest -> link.Send            link -> receive -> dispatcher -> rpc.Server
//	     <- decodeBody <- pending <- receive <- link            link.Send <- encodeReply <-
type Endpoint struct {
	opts       *Options
	out        link // calls and notifications go out, replies come in
	in         link // calls and notifications come in, replies go out; perhaps the same as out
	pending    pendingCalls
	dispatcher dispatcher
	reporter   reporter
	logSender  logSender
	logTaker   logTaker
	logHolds   atomic.Int32 // what these two have an orderly end wait for

	ending  sync.Once
	deaf    atomic.Bool     // what still comes in is dropped
	err     error           // what calls fail with now: a *DownError or rpc.ErrShutdown
	fallen  atomic.Bool     // err is set
	done    chan struct{}   // closed when it is set and all pending calls have failed
	up      context.Context // until then
	endUp   context.CancelFunc
	running sync.WaitGroup // links that have not ended, goroutines of bare ones
	closed  chan struct{}  // closed when the links have been
	stopped chan struct{}  // closed when they have ended and nothing comes from them any more
}

// link carries the messages of an Endpoint: a lane of package duplex, or a
// bareLink. Receive's functions are called from a goroutine that must not block;
// behind ended, which is called once, deliver is not called any more.
type link interface {
	Send(ctx context.Context, msg []byte, oneWay bool) error
	TrySend(msg []byte) (sent bool, err error) // one way, if it need not wait
	MaxSend() int
	SendUrgent(msg []byte) error // behind what has been sent, without waiting
	Receive(deliver func(msg []byte, oneWay bool) (taken bool), urgent func(msg []byte), ended func(error))
	Release(n int, oneWay bool)
	Working(delta int)         // one-way messages released that are still being handled: an orderly end waits for them
	Serving(own int) bool      // anything but own, which Working has counted
	Draining() error           // why nothing may be begun but what serves the calls in flight
	Flush(ctx context.Context) // waits until what was sent is with the system
	Fail(reason error)         // ends the link at once, out of order
	Close() error
}

// NewEndpoint starts an endpoint on two lanes of package duplex: client for the
// calls it makes, server for those it answers. With server nil, client is one
// bare connection to any MessagePack-RPC peer, on which both travel. On a bare connection,
// which has no flow control, calls beyond 16,384 running are refused, and a
// peer that sends notifications faster than they are handled ends the
// connection once 4 MiB of them wait, each counted with 128 bytes on top.
func NewEndpoint(client, server io.ReadWriteCloser, opts *Options) *Endpoint {
	e := &Endpoint{
		opts:    opts,
		done:    make(chan struct{}),
		closed:  make(chan struct{}),
		stopped: make(chan struct{}),
	}
	e.up, e.endUp = context.WithCancel(context.WithValue(opts.context(), endpointKey{}, e))
	e.pending.calls = make(map[uint32]*pendingCall)
	if opts != nil {
		e.reporter.log = opts.Logger
	}
	e.dispatcher.init(e)
	e.logSender.init(e)
	e.logTaker.init(e)
	e.out = e.linkOf(client)
	if server == nil {
		e.in = e.out
		_, e.dispatcher.bare = e.in.(*bareLink)
		e.running.Add(1)
		e.out.Receive(e.receive, e.receiveUrgent, e.linkEnded)
		return e
	}
	e.in = e.linkOf(server)
	_, e.dispatcher.bare = e.in.(*bareLink)
	e.running.Add(2) // both at once: the first may have ended before the second begins
	e.out.Receive(e.receiveReply, e.receiveUrgent, e.linkEnded)
	e.in.Receive(e.receiveCall, e.receiveUrgent, e.linkEnded)
	return e
}

func (e *Endpoint) linkOf(conn io.ReadWriteCloser) link {
	if l, ok := conn.(link); ok {
		return l
	}
	return newBareLink(conn, e.opts.maxMessage(), &e.running)
}

// Call calls the method serviceMethod on the other side and waits until it has
// returned, as [rpc.Client.Call] does. It returns an [rpc.ServerError] if the method failed (see also [Fail]), a [*BodyError]
// or [*SizeError] if args or reply cannot be encoded, sent or decoded, on either side, [ErrOverload], [ErrGoexit] or a [*PanicError] if the other side says so,
// all in the sense of errors.Is and errors.As,
// a [*ShutdownError] if the link takes no more calls, and a [*DownError] or [rpc.ErrShutdown] if it has ended. (A peer without
// Options.Extended has no more than a text for what it says.)
func (e *Endpoint) Call(serviceMethod string, args, reply any) error {
	return e.CallContext(context.Background(), serviceMethod, args, reply)
}

// CallContext is Call until ctx ends: then it returns ctx.Err() at once (but not
// while it encodes args, or decodes the reply, which it returns), and the other side is told that nobody waits for the reply any more. If the call had not been sent whole, nothing of it
// arrives. reply is not touched after CallContext has returned.
func (e *Endpoint) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := e.pending.get()
	defer e.pending.put(c)
	c.method = serviceMethod
	if hook := e.opts.callHook(); hook != nil {
		ctx, c.done = hook.begin(ctx, serviceMethod, false)
	}
	err := e.call(ctx, c, args, reply)
	c.report(err)
	return err
}

func (e *Endpoint) call(ctx context.Context, c *pendingCall, args, reply any) error {
	id, err := e.start(ctx, c, args)
	if err != nil {
		return err
	}
	if ctx.Done() == nil { // cheaper than the select
		<-c.ready
		return e.result(c, reply)
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		if e.pending.abandon(id, c) {
			e.cancel(id)
			return ctx.Err()
		}
		<-c.ready // the reply has been faster
	}
	err = e.result(c, reply)
	if f, ok := err.(*failure); ok && f.text == errTooLate.text { // it is this context's deadline, and that side's clock
		return context.DeadlineExceeded
	}
	return err
}

// cancel tells the other side that nobody waits for the reply to request id. If
// that cannot be sent then the link has ended, and the other side knows.
func (e *Endpoint) cancel(id uint32) {
	msg := getBuffer()
	defer putBuffer(msg)
	*msg = mpack.AppendUint(mpack.AppendArray(appendNotification(*msg, cancelMethod), 1), uint64(id))
	e.out.SendUrgent(*msg)
}

// Go calls without waiting for the reply, as [rpc.Client.Go] does: the call is sent to
// done, or to the Done of the call returned, when it has ended. It waits for room to send. The channel must have
// room for all calls that are to be sent to it at once: otherwise they are dropped.
func (e *Endpoint) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	if done == nil {
		done = make(chan *rpc.Call, 10)
	} else if cap(done) == 0 {
		panic("viaduct: done channel is unbuffered")
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Done: done}
	c := &pendingCall{method: serviceMethod, async: call}
	ctx := context.Background()
	ctx, c.done = e.opts.callHook().begin(ctx, serviceMethod, false)
	if _, err := e.start(ctx, c, args); err != nil {
		e.finishAsync(c, err)
	}
	return call
}

// finishAsync ends a call made by Go.
func (e *Endpoint) finishAsync(c *pendingCall, err error) {
	c.report(err)
	call := c.async
	call.Error = err
	select {
	case call.Done <- call:
	default:
		e.reporter.warn("viaduct: the Done channel of a call is full: call dropped", "method", call.ServiceMethod)
	}
}

// Notify calls serviceMethod one way: nothing comes back, be it a reply or an
// error. It returns when the last byte is on its way, or an error if the call
// was not sent: ctx.Err() or what Call returns. Calls of one endpoint by Notify are handled in
// the order they were sent, one at a time.
func (e *Endpoint) Notify(ctx context.Context, serviceMethod string, args any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, done := e.opts.callHook().begin(ctx, serviceMethod, true)
	size, err := e.notify(ctx, serviceMethod, args)
	e.pending.countNotify(err)
	if done != nil {
		done(CallResult{Err: err, Request: size})
	}
	return err
}

func (e *Endpoint) notify(ctx context.Context, serviceMethod string, args any) (size int, err error) {
	if err := ownName(serviceMethod); err != nil {
		return 0, &BodyError{"encode", "arguments", serviceMethod, typeName(args), err}
	}
	msg := getBuffer()
	defer putBuffer(msg)
	b, err := e.opts.appendParams(appendNotification(*msg, serviceMethod), args)
	if err != nil {
		return 0, &BodyError{"encode", "arguments", serviceMethod, typeName(args), err}
	}
	if *msg, err = e.appendInfo(b, ctx, true); err != nil {
		return 0, &BodyError{"encode", "metadata", serviceMethod, typeName(args), err}
	}
	if err := e.mayBegin(ctx); err != nil {
		return 0, err
	}
	if err := e.send(ctx, e.out, *msg, true); err != nil {
		return 0, err
	}
	return len(*msg), nil
}

// endpointKey is the key under which the contexts of handlers have their Endpoint.
type endpointKey struct{}

// Serves reports whether ctx is, or derives from, the context that a method called through e was given.
func (e *Endpoint) Serves(ctx context.Context) bool { return ctx.Value(endpointKey{}) == e }

// mayBegin reports why no call may be begun: while the link is shutting down,
// only the methods that are being served, which have contexts of e, may call.
func (e *Endpoint) mayBegin(ctx context.Context) error {
	if err := e.out.Draining(); err != nil && !e.Serves(ctx) {
		return &ShutdownError{err}
	}
	return nil
}

// start sends a call. If it returns nil then c completes; otherwise it does not.
func (e *Endpoint) start(ctx context.Context, c *pendingCall, args any) (id uint32, err error) {
	msg, err := e.opts.encodeRequest(c.method, args)
	if err != nil {
		return 0, err
	}
	defer putBuffer(msg)
	if ctx != context.Background() {
		if *msg, err = e.appendInfo(*msg, ctx, false); err != nil {
			return 0, &BodyError{"encode", "metadata", c.method, typeName(args), err}
		}
	}
	c.sent = len(*msg)
	if err := e.mayBegin(ctx); err != nil {
		return 0, err
	}
	if id, err = e.pending.add(c); err != nil {
		return 0, err
	}
	setID(*msg, id)
	if err := e.send(ctx, e.out, *msg, false); err != nil {
		if e.pending.remove(id, c, ctx.Err() != nil && errors.Is(err, ctx.Err())) {
			e.dispatcher.lookAgain()
			return 0, err
		}
		// The link's end has been faster: it completes c.
	}
	return id, nil
}

// send sends msg on l. Its error is a *SizeError, ctx.Err(), or one of downError.
func (e *Endpoint) send(ctx context.Context, l link, msg []byte, oneWay bool) error {
	if err := ctx.Err(); err != nil { // encoding may have taken its time
		return err
	}
	if limit := l.MaxSend(); len(msg) > limit {
		return &SizeError{Size: len(msg), Limit: limit}
	}
	err := l.Send(ctx, msg, oneWay)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	if e.Err() != nil {
		return e.err
	}
	if reason := l.Draining(); reason != nil && errors.Is(err, reason) {
		return &ShutdownError{reason}
	}
	return downError(err)
}

// result decodes what came for c, in the goroutine of whoever waits for it.
func (e *Endpoint) result(c *pendingCall, reply any) error {
	if err := e.outcome(c); err != nil || reply == nil {
		return err
	}
	if err := e.opts.decodeBody(c.response.body, reply); err != nil {
		return &BodyError{"decode", "reply", c.method, typeName(reply), err}
	}
	return nil
}

// outcome returns the error that c has ended with, its reply being left aside.
func (e *Endpoint) outcome(c *pendingCall) error {
	if c.err != nil {
		return c.err
	}
	return e.opts.failureOf(&c.response)
}

// Done returns a channel that is closed when the link has ended.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err returns nil while the link is up, and then what calls fail with:
// [rpc.ErrShutdown] after Close on this side, otherwise a [*DownError].
func (e *Endpoint) Err() error {
	if e.fallen.Load() {
		return e.err
	}
	return nil
}

// closeTime bounds how long Close waits for connections to close.
const closeTime = 2 * time.Second

// Close ends the link, and with it all pending calls. What was accepted for
// sending is delivered if the other side takes it within 50 ms. Handlers that
// are running go on. Close returns nil, before long even if a connection does not close.
func (e *Endpoint) Close() error {
	e.logSender.flush()
	e.end(rpc.ErrShutdown)
	select {
	case <-e.closed:
	case <-time.After(closeTime):
	}
	return nil
}

// Wait waits until the link has ended and all handlers have returned, or ctx
// has ended. It returns the number of goroutines that still run handlers.
func (e *Endpoint) Wait(ctx context.Context) int {
	select {
	case <-e.stopped:
		left := e.dispatcher.pool.wait(ctx)
		e.reporter.wait(ctx)
		return left
	case <-ctx.Done():
		return e.dispatcher.pool.busy()
	}
}

// linkEnded is called by each link behind the last message.
func (e *Endpoint) linkEnded(err error) {
	e.down(err)
	e.running.Done()
}

// end ends the endpoint for the reason err, and what the links still bring is dropped.
func (e *Endpoint) end(err error) {
	e.deaf.Store(true)
	e.down(err)
}

// down ends the endpoint once, for the reason err.
func (e *Endpoint) down(err error) {
	e.ending.Do(func() {
		e.err = downError(err)
		e.fallen.Store(true) // before anybody sees a call fail
		for _, c := range e.pending.fail(e.err) {
			e.complete(c)
		}
		close(e.done)
		e.endUp()
		e.dispatcher.close()
		// Not here: the caller may be a link that is about to end.
		go func() {
			var broken *ProtocolError
			if errors.As(err, &broken) { // the other side is not to take it for an orderly end
				e.out.Fail(err)
				e.in.Fail(err)
			}
			e.out.Close()
			e.in.Close()
			close(e.closed)
			e.running.Wait()
			close(e.stopped)
		}()
	})
}
