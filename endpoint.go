package viaduct

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"sync"
)

// An Endpoint makes calls to the other side of a link and answers those that
// come from there, through an unmodified [rpc.Server]. Its methods may be
// called from any goroutine.
//
// Each call that comes in runs on a goroutine of its own; one-way calls run one
// at a time, in the order they were sent.
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

	ending  sync.Once
	done    chan struct{} // closed when err is set and all pending calls have failed
	err     error         // what calls fail with now: a *DownError or rpc.ErrShutdown
	running sync.WaitGroup
}

// link carries the messages of an Endpoint: a lane of package duplex, or a
// bareLink. Receive's functions are called from a goroutine that must not block.
type link interface {
	Send(ctx context.Context, msg []byte, oneWay bool) error
	MaxSend() int
	Receive(deliver func(msg []byte) (taken bool), ended func(error))
	Release(n int, oneWay bool)
	Close() error
}

// NewEndpoint starts an endpoint on two lanes of package duplex: client for the
// calls it makes, server for those it answers. With server nil, client is one
// bare connection to any MessagePack-RPC peer, on which both travel. On a bare connection,
// which has no flow control, calls beyond 16,384 running are refused, and a
// peer that sends notifications faster than they are handled ends the
// connection once 4 MiB of them wait.
func NewEndpoint(client, server io.ReadWriteCloser, opts *Options) *Endpoint {
	e := &Endpoint{opts: opts, done: make(chan struct{})}
	e.pending.calls = make(map[uint32]*pendingCall)
	if opts != nil {
		e.reporter.log = opts.Logger
	}
	e.dispatcher.init(e)
	e.out = e.linkOf(client)
	if server == nil {
		e.in = e.out
		e.out.Receive(e.receive, e.end)
		return e
	}
	e.in = e.linkOf(server)
	e.out.Receive(e.receiveReply, e.end)
	e.in.Receive(e.receiveCall, e.end)
	return e
}

func (e *Endpoint) linkOf(conn io.ReadWriteCloser) link {
	if l, ok := conn.(link); ok {
		return l
	}
	e.dispatcher.bare = true
	return newBareLink(conn, e.opts.maxMessage(), &e.running)
}

// Call calls the method serviceMethod on the other side and waits until it has
// returned, as [rpc.Client.Call] does. It returns an [rpc.ServerError] if the method failed, a [*BodyError]
// or [*SizeError] if args cannot be sent or the reply cannot be understood,
// and a [*DownError] or [rpc.ErrShutdown] if the link has ended.
func (e *Endpoint) Call(serviceMethod string, args, reply any) error {
	c := getCall()
	c.method = serviceMethod
	if err := e.start(c, args); err != nil {
		putCall(c)
		return err
	}
	<-c.ready
	err := e.result(c, reply)
	putCall(c)
	return err
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
	if err := e.start(c, args); err != nil {
		e.finishAsync(call, err)
	}
	return call
}

// finishAsync ends a call made by Go.
func (e *Endpoint) finishAsync(call *rpc.Call, err error) {
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
	msg := getBuffer()
	defer putBuffer(msg)
	b, err := appendBody(appendNotification(*msg, serviceMethod), args)
	if err != nil {
		return &BodyError{"encode", "arguments", serviceMethod, typeName(args), err}
	}
	*msg = b
	return e.send(ctx, e.out, b, true)
}

// start sends a call. If it returns nil then c completes; otherwise it does not.
func (e *Endpoint) start(c *pendingCall, args any) error {
	msg, err := encodeRequest(c.method, args)
	if err != nil {
		return err
	}
	defer putBuffer(msg)
	id, err := e.pending.add(c)
	if err != nil {
		return err
	}
	setID(*msg, id)
	if err := e.send(context.Background(), e.out, *msg, false); err != nil {
		if e.pending.remove(id, c) {
			return err
		}
		// The link's end has been faster: it completes c.
	}
	return nil
}

// send sends msg on l. Its error is a *SizeError, ctx.Err(), or one of downError.
func (e *Endpoint) send(ctx context.Context, l link, msg []byte, oneWay bool) error {
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
	return downError(err)
}

// result decodes what came for c, in the goroutine of whoever waits for it.
func (e *Endpoint) result(c *pendingCall, reply any) error {
	if c.err != nil {
		return c.err
	}
	if text := c.response.errorText(); text != "" {
		return rpc.ServerError(text)
	}
	if reply == nil {
		return nil
	}
	if err := decodeBody(c.response.body, reply, e.opts.maxDepth()); err != nil {
		return &BodyError{"decode", "reply", c.method, typeName(reply), err}
	}
	return nil
}

// Done returns a channel that is closed when the link has ended.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err returns nil while the link is up, and then what calls fail with:
// [rpc.ErrShutdown] after Close on this side, otherwise a [*DownError].
func (e *Endpoint) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// Close ends the link, and with it all pending calls. Handlers that are running go on.
func (e *Endpoint) Close() error {
	e.end(rpc.ErrShutdown)
	e.out.Close()
	return e.in.Close()
}

// Wait waits until the link has ended and all handlers have returned, or ctx
// has ended. It returns the number of goroutines that still run handlers.
func (e *Endpoint) Wait(ctx context.Context) int {
	select {
	case <-e.done:
		e.running.Wait()
		left := e.dispatcher.wait(ctx)
		e.reporter.wait(ctx)
		return left
	case <-ctx.Done():
		return e.dispatcher.count()
	}
}

// end ends the endpoint once, for the reason err.
func (e *Endpoint) end(err error) {
	e.ending.Do(func() {
		e.err = downError(err)
		for _, c := range e.pending.fail(e.err) {
			e.complete(c)
		}
		e.running.Add(1) // before Wait may look
		close(e.done)
		e.dispatcher.close()
		// Not here: the caller may be a link that is about to end.
		go func() {
			defer e.running.Done()
			e.out.Close()
			e.in.Close()
		}()
	})
}
