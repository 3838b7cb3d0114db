// Package endpoint has the end of a link that both makes calls and answers them.
//
// It assumes below it one link, or two of the same connection, one for the calls of each side. It
// promises above that it never stops reading to write or to run a handler, that what one call does
// wrong costs that call alone, and that when the link ends every pending call fails with one error
// that says why.
//
//	Call -> EncodeRequest -> link.Send            link -> receive -> serve.Dispatcher -> rpc.Server
//	     <- DecodeReply <- pending <- receive <- link            link.Send <- EncodeReply <-
package endpoint

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/rpc"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/logwire"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Config says how an Endpoint works. It does not change.
type Config struct {
	Message    message.Codec
	Serve      serve.Config    // but for its Message, which is the above
	CallHook   serve.Hook      // around the calls of this side
	Context    context.Context // whose values the contexts of methods have; if it ends, so do they
	LogHandler slog.Handler    // takes the records of the other side; nil: none are taken
	LogPeer    bool            // the other side takes records
	SyncPeer   bool            // the other side answers a sync
	SettlePeer bool            // the other side answers a settle
	ListPeer   bool            // the other side says what it has to call
	Logger     *slog.Logger    // told of what would otherwise vanish; nil: nobody is
	Dying      func()          // has calls refused at both sides, as this process is about to end; may be nil

	// LogFallback takes the records of this side that cannot go to the other one; nil: stderr.
	LogFallback slog.Handler

	// StallReport is how long something waits for the other side, or for handlers, before Logger
	// is told. 0: 5 s; negative: it is not.
	StallReport time.Duration
}

// An Endpoint makes calls to the other side and answers those that come from there. Its methods may
// be called from any goroutine.
type Endpoint struct {
	cfg      Config
	out      link.Link // calls and notifications go out, replies come in
	in       link.Link // calls and notifications come in, replies go out; perhaps the same as out
	pending  pendingCalls
	served   *serve.Dispatcher
	reporter serve.Reporter
	stalls   stalls
	logs     *logwire.Sender
	logTaker *logwire.Taker // nil: records are not taken

	ending   sync.Once
	dropping atomic.Bool     // what still comes in is dropped
	err      error           // what calls fail with now: a *fault.DownError or rpc.ErrShutdown
	ended    atomic.Bool     // err is set
	linkEnd  atomic.Bool     // it was the link that ended, so nothing more is sent
	done     chan struct{}   // closed when it is set and all pending calls have failed
	up       context.Context // until then
	endUp    context.CancelFunc
	running  sync.WaitGroup // links that have not ended, goroutines of bare ones
	closed   chan struct{}  // closed when the links have been
	stopped  chan struct{}  // closed when they have ended and nothing comes from them any more
}

// New starts an endpoint on two links: out for the calls it makes, in for those it answers.
func New(out, in link.Link, cfg Config) *Endpoint {
	e := prepare(cfg)
	e.start(out, in)
	return e
}

// NewBare starts an endpoint on bare connections to any MessagePack-RPC peer: client for the calls
// it makes, server for those it answers. With server nil both travel on client. maxMessage is the
// largest message either way, in bytes.
func NewBare(client, server io.ReadWriteCloser, maxMessage int, cfg Config) *Endpoint {
	e := prepare(cfg)
	out := link.NewBare(client, maxMessage, &e.running)
	in := out
	if server != nil {
		in = link.NewBare(server, maxMessage, &e.running)
	}
	e.start(out, in)
	return e
}

func prepare(cfg Config) *Endpoint {
	if cfg.Context == nil {
		cfg.Context = context.Background()
	}
	if cfg.Dying == nil {
		cfg.Dying = func() {}
	}
	e := &Endpoint{
		cfg:     cfg,
		done:    make(chan struct{}),
		closed:  make(chan struct{}),
		stopped: make(chan struct{}),
	}
	e.up, e.endUp = context.WithCancel(context.WithValue(cfg.Context, endpointKey{}, e))
	e.pending.calls = make(map[uint32]*pendingCall)
	e.pending.tally.Init(cfg.Serve.CountMethods)
	e.reporter.Log = cfg.Logger
	e.stalls.init(cfg.StallReport, &e.reporter)
	return e
}

func (e *Endpoint) start(out, in link.Link) {
	e.out, e.in = out, in
	cfg := e.cfg.Serve
	cfg.Message = &e.cfg.Message
	e.served = serve.New(cfg, serve.Host{
		Link: in, Owner: e, Outgoing: &e.pending, Up: e.up, Done: e.done, Reporter: &e.reporter, End: e.end,
		Send: func(ctx context.Context, method string, msg []byte) error {
			_, err := e.send(ctx, e.in, msg, false, e.sending("reply", method))
			return err
		},
		Dying: e.cfg.Dying,
		Waits: e.stalls.handles,
	})
	logs := &logwire.Host{
		Out: out, In: in, Run: e.served.Run, RunOpen: e.served.RunOpen, Up: e.up, Done: e.done, Ended: e.ended.Load,
		Send: func(ctx context.Context, msg []byte) error { // nobody waits for records
			_, err := e.send(ctx, e.out, msg, true, link.Sending{})
			return err
		},

		Fallback: e.cfg.LogFallback,
	}
	e.logs = logwire.NewSender(logs, e.cfg.LogPeer)
	if e.cfg.LogHandler != nil {
		e.logTaker = logwire.NewTaker(logs, e.cfg.LogHandler)
	}
	if in == out {
		e.running.Add(1)
		out.Receive(e.receive, e.receiveUrgent, e.linkEnded)
		return
	}
	e.running.Add(2) // both at once: the first may have ended before the second begins
	out.Receive(e.receiveReply, e.receiveUrgent, e.linkEnded)
	in.Receive(e.receiveCall, e.receiveUrgent, e.linkEnded)
}

// Call is rpcpipe.Peer.Call.
func (e *Endpoint) Call(serviceMethod string, args, reply any) error {
	return e.CallContext(context.Background(), serviceMethod, args, reply)
}

// CallContext is rpcpipe.Peer.CallContext.
func (e *Endpoint) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	if err := ctx.Err(); err != nil {
		return fault.NotBegun(err)
	}
	c := e.pending.get()
	defer e.pending.put(c)
	c.method = serviceMethod
	if hook := e.cfg.CallHook; hook != nil {
		var refused error
		if ctx, c.hookDone, refused = hook.Begin(ctx, callInfo(serviceMethod, false, args)); refused != nil {
			c.report(refused)
			return refused
		}
	}
	err := e.call(ctx, c, args, reply)
	c.report(err)
	return err
}

// Encode encodes the arguments of a call for later: what it returns takes the place of args. The
// error is an ErrNotBegun.
func (e *Endpoint) Encode(serviceMethod string, args any) (*message.Encoded, error) {
	encoded, err := e.cfg.Message.EncodeParams(serviceMethod, args, e.out.MaxSend())
	return encoded, fault.NotBegun(err)
}

// DecodeReply decodes what has come in a *message.Encoded in the place of a reply.
func (e *Endpoint) DecodeReply(kept *message.Encoded, serviceMethod string, reply any) error {
	return e.cfg.Message.DecodeEncoded(kept, serviceMethod, reply)
}

func (e *Endpoint) call(ctx context.Context, c *pendingCall, args, reply any) error {
	id, err := e.begin(ctx, c, args)
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
	if _, remote := err.(*message.RemoteError); remote && errors.Is(err, fault.ErrTooLate) {
		return fault.NotBegun(context.DeadlineExceeded) // it is this context's deadline, and that side's clock
	}
	if err == errMethodsDeadline {
		if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
			return context.DeadlineExceeded
		}
	}
	return err
}

// errMethodsDeadline is what a method fails with whose context has the deadline of the call, if it is
// faster than the caller to notice.
var errMethodsDeadline error = rpc.ServerError(context.DeadlineExceeded.Error())

// cancel tells the other side that nobody waits for the reply to request id. If that cannot be sent
// then the link has ended, and the other side knows.
func (e *Endpoint) cancel(id uint32) {
	msg := buffer.Get()
	defer buffer.Put(msg)
	*msg = message.AppendCancel(*msg, id)
	e.out.SendUrgent(*msg)
}

// Go is rpcpipe.Peer.Go.
func (e *Endpoint) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	if done == nil {
		done = make(chan *rpc.Call, 10)
	} else if cap(done) == 0 {
		panic("viaduct: done channel is unbuffered")
	}
	call := &rpc.Call{ServiceMethod: serviceMethod, Args: args, Reply: reply, Done: done}
	c := &pendingCall{kind: callOfGo, method: serviceMethod, async: call}
	ctx, hookDone, err := e.cfg.CallHook.Begin(context.Background(), callInfo(serviceMethod, false, args))
	c.hookDone = hookDone
	if err == nil {
		_, err = e.begin(ctx, c, args)
	}
	if err != nil {
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
		e.reporter.Warn("viaduct: the Done channel of a call is full: call dropped", "method", call.ServiceMethod)
	}
}

// endpointKey is the key under which the contexts of handlers have their Endpoint.
type endpointKey struct{}

// Serves reports whether ctx is, or derives from, the context that a method called through e was
// given.
func (e *Endpoint) Serves(ctx context.Context) bool { return ctx.Value(endpointKey{}) == e }

// mayBegin reports why no call may be begun: while the link is shutting down, only the methods that
// are being served, which have contexts of e, may call.
func (e *Endpoint) mayBegin(ctx context.Context) error {
	if err := e.out.Draining(); err != nil && !e.Serves(ctx) {
		return &fault.ShutdownError{Err: err}
	}
	return nil
}

// begin sends a call. If it returns nil then c completes; otherwise it does not.
func (e *Endpoint) begin(ctx context.Context, c *pendingCall, args any) (id uint32, err error) {
	msg, err := e.cfg.Message.EncodeRequest(c.method, args, e.out.MaxSend())
	if err != nil {
		return 0, fault.NotBegun(err)
	}
	defer buffer.Put(msg)
	if ctx != context.Background() {
		if *msg, err = e.appendInfo(*msg, ctx, false, c.method, args); err != nil {
			return 0, fault.NotBegun(err)
		}
	}
	c.size = len(*msg)
	if id, err = e.enter(ctx, c); err != nil {
		return 0, fault.NotBegun(err)
	}
	message.SetID(*msg, id)
	ticket, err := e.send(ctx, e.out, *msg, false, e.sending("call", c.method))
	if err != nil && e.pending.remove(id, c, ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		e.served.LookAgain()
		return 0, e.ofTicket(ticket, err)
	}
	if !c.sentBefore(ticket) { // the link's end was faster, and has left c to this
		c.err = e.ofTicket(ticket, c.err)
		e.complete(c)
	}
	return id, nil
}

// ofTicket returns err as an ErrNotBegun if nothing of what was sent can have arrived.
func (e *Endpoint) ofTicket(ticket uint64, err error) error {
	if ticket == 0 || e.linkEnd.Load() && !e.out.HasLeft(ticket) {
		return fault.NotBegun(err)
	}
	return err
}

// sending is what is sent, so that it is reported if it waits for too long.
func (e *Endpoint) sending(what, method string) link.Sending {
	return link.Sending{What: what, Method: method, Waits: e.stalls.waits}
}

// send sends msg on l. Its error is a *fault.SizeError, ctx.Err(), or one of fault.Down. For ticket
// and s see link.Link.
func (e *Endpoint) send(
	ctx context.Context, l link.Link, msg []byte, isNotification bool, s link.Sending,
) (ticket uint64, err error) {
	if err := ctx.Err(); err != nil { // encoding may have taken its time
		return 0, err
	}
	if limit := l.MaxSend(); len(msg) > limit {
		return 0, &fault.SizeError{Size: len(msg), Limit: limit}
	}
	ticket, err = l.Send(ctx, msg, isNotification, s)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ticket, err
	}
	return ticket, e.ofLink(l, err)
}

// ofLink returns what calls fail with if l has refused something with err. A nil err stays nil.
func (e *Endpoint) ofLink(l link.Link, err error) error {
	if err == nil {
		return nil
	}
	if e.Err() != nil {
		return e.err
	}
	if reason := l.Draining(); reason != nil && errors.Is(err, reason) {
		return &fault.ShutdownError{Err: reason}
	}
	return fault.Down(err)
}

// result decodes what came for c, in the goroutine of whoever waits for it.
func (e *Endpoint) result(c *pendingCall, reply any) error {
	if err := e.outcome(c); err != nil || reply == nil {
		return err
	}
	return e.cfg.Message.DecodeReply(&c.response, c.method, reply)
}

// outcome returns the error that c has ended with, its reply being left aside.
func (e *Endpoint) outcome(c *pendingCall) error {
	if c.err != nil {
		return c.err
	}
	return e.cfg.Message.Error(&c.response)
}

// LogHandler is rpcpipe.Peer.LogHandler.
func (e *Endpoint) LogHandler(opts *slog.HandlerOptions) slog.Handler { return e.logs.Handler(opts) }

// LogDrops is rpcpipe.Peer.LogDrops.
func (e *Endpoint) LogDrops() (out, in uint64) {
	if e.logTaker != nil {
		in = e.logTaker.Dropped()
	}
	return e.logs.Dropped(), in
}

// Stats are those of the calls of this side, and of the other side.
type Stats struct {
	Made   CallStats
	Served serve.Stats
	Stalls StallStats
}

// Stats returns the numbers as they are now, those of each direction of one moment.
func (e *Endpoint) Stats() Stats {
	return Stats{e.pending.current(), e.served.Stats(), e.stalls.current()}
}
