package rpcpipe

import (
	"context"
	"errors"
	"io"
	"math"
	"net/rpc"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/procspawn"
)

// A Peer is the other side: it makes calls there and answers those that come from there. Its
// methods may be called from any goroutine, handlers included.
type Peer struct {
	opts     Options
	endpoint *endpoint.Endpoint
	conn     *duplex.Conn       // nil on a bare connection
	link     io.ReadWriteCloser // below
	process  *procspawn.Process // nil in the child and without a process
	remote   Remote
	up       chan struct{} // closed when endpoint is set

	// For DebugHandler. Written by the registry when the Peer is entered.
	kind, label string
	began       time.Time

	reaped chan struct{} // closed when exit is set
	exit   *procspawn.Exit
	told   chan struct{} // closed when OnExit has returned
	ended  chan struct{} // closed when nothing of the Peer runs any more

	shutdowns shutdowns
	taps      *taps // nil: nothing is recorded
}

// Call calls serviceMethod on the other side and waits until it has returned, as [rpc.Client.Call]
// does. The package documentation lists its errors.
func (p *Peer) Call(serviceMethod string, args, reply any) error {
	return p.endpoint.Call(serviceMethod, args, reply)
}

// CallContext is Call until ctx ends: then it returns ctx.Err() at once, and the other side is told
// that nobody waits for the reply any more. (To encode args, or to decode a reply that has come, is
// not interrupted.) If the call had not been sent whole, nothing of it arrives. A deadline crosses,
// as the time that is left: see [viaduct.Caller]. reply is not touched after CallContext has
// returned.
//
// The other side answers a call that was given up as well, at once if it is a viaduct. While 65,536
// of them have no answer, CallContext waits before it sends another; so do Call, Go and the calls
// of Client, which wait until the link ends.
func (p *Peer) CallContext(ctx context.Context, serviceMethod string, args, reply any) error {
	return p.endpoint.CallContext(ctx, serviceMethod, args, reply)
}

// Go calls without waiting for the reply, as [rpc.Client.Go] does: the call is sent to done, or to
// the Done of the call returned, when it has ended. It may wait for room to send. The channel must
// have room for all calls that are to be sent to it at once: otherwise they are dropped, and
// Options.Logger is told. args is encoded before Go returns. A done without a buffer panics.
func (p *Peer) Go(serviceMethod string, args, reply any, done chan *rpc.Call) *rpc.Call {
	return p.endpoint.Go(serviceMethod, args, reply, done)
}

// Notify sends a notification: it calls serviceMethod, and nothing comes back, be it a reply or an
// error. It returns nil when all of it is with the operating system: it arrives although this
// process ends right then, if the other side lives. It waits for that, for room and for credit,
// until ctx ends. The error is ctx.Err(), or what Call returns. With one that is
// [viaduct.ErrNotBegun] nothing of the notification arrives, with others it may. The other side
// handles notifications one at a time, in the order they were sent.
func (p *Peer) Notify(ctx context.Context, serviceMethod string, args any) error {
	return p.endpoint.Notify(ctx, serviceMethod, args)
}

// TryNotify is Notify if that needs no waiting: for credit, for room, or for others that wait. If
// it had to wait, as for a user interface that is stopped, TryNotify returns false and nil, and
// nothing is sent. True says that it is accepted: it is sent if this process goes on (see Flush)
// and the link does. With an error, which is one of Notify's, nothing was sent. A new link has no
// credit until the other side's first bytes have come.
func (p *Peer) TryNotify(serviceMethod string, args any) (sent bool, err error) {
	return p.endpoint.TryNotify(serviceMethod, args)
}

// Flush waits until all that has been said so far is with the operating system, what waits for
// credit or room included. What is said meanwhile does not hold it up. It returns nil then, also on
// a link that has ended since, ctx.Err(), or, if the link has ended before, what calls fail with.
func (p *Peer) Flush(ctx context.Context) error { return p.endpoint.Flush(ctx) }

// Sync waits until the other side has handled all notifications that were sent so far: their
// methods have returned there, and log records have come there. What is sent meanwhile does not
// hold it up. It returns nil then, ctx.Err(), what calls fail with if the link has ended, a
// [viaduct.ErrOverload] if 1,024 others wait there, or, if the other side is an older viaduct or
// the connection is bare, [errors.ErrUnsupported].
//
// In the method of a notification give it a context that ends: if that method is among those that
// the other side waits for by its own Sync, the two wait for each other.
func (p *Peer) Sync(ctx context.Context) error { return p.endpoint.Sync(ctx) }

// Client returns a standard client, for code that wants one. Closing it ends its own calls, not the
// link: see OwnedClient. It has net/rpc's own limits: a reply that cannot be decoded ends that
// client, and all its calls, though nobody else's; and while one caller's arguments are encoded,
// the others of that client wait.
func (p *Peer) Client() *rpc.Client { return p.endpoint.Client() }

// Process returns the child, nil in the child itself and for a Peer without a process. It has its
// number, a Kill without the steps of Close, and, when it has ended, its [procspawn.Exit].
func (p *Peer) Process() *procspawn.Process { return p.process }

// Ping asks the other side for an answer and returns how long that took, however busy its handlers
// are. A process that is stopped does not answer. The error is ctx.Err(), what calls fail with if
// the link has ended, or, on a bare connection, [errors.ErrUnsupported].
func (p *Peer) Ping(ctx context.Context) (time.Duration, error) {
	if p.conn == nil {
		return 0, errNoPing
	}
	d, err := p.conn.Ping(ctx)
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		<-p.endpoint.Done()
		err = p.endpoint.Err()
	}
	return d, err
}

// Remote is what the other side has said of itself when the two connected. It is for logs and
// reports: what the two sides need of each other is checked already, see Options.NeedName. The
// other side can say what it likes.
type Remote struct {
	Name, Version string // of the application: its Options.Name and Version, empty if it has none
	Language      string // that it is written in: "go" for a program that uses this package
	Pid           int    // its process, as numbered where it runs; 0 if it has not said

	Protocol   int    // the latest version of the protocol that it speaks; 0 for a Peer of Pair
	MaxMessage int64  // the largest message that it takes, in bytes
	Encoding   string // of arguments and replies, by name: that of this side, too
	Features   string // what its library understands, by the names of docs/PROTOCOL.md, with spaces between
}

// Remote returns what the other side has said of itself, as it was when the two connected, also
// when the link has ended. It is zero on a bare connection, where there is no hello.
func (p *Peer) Remote() Remote { return p.remote }

// remoteOf picks what users are told of a hello.
func remoteOf(hello procspawn.Hello) Remote {
	return Remote{
		Name: hello.Name, Version: hello.AppVersion, Language: hello.Lang, Pid: hello.Pid,
		Protocol: hello.MaxVersion, MaxMessage: int64(min(hello.MaxMessage, math.MaxInt64)),
		Encoding: hello.Encoding, Features: strings.Join(hello.Features, " "),
	}
}
