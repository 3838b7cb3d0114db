package rpcpipe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/rpc"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/procspawn"
)

// Options adjust a Peer. A nil *Options and zero fields mean the defaults. They are copied: what is
// changed later has no effect. A value that has no meaning, such as a negative number where nothing
// is said of one, is an error that names the field: Start, Connect and New return it.
type Options struct {
	// Calls of the other side.

	// Server answers the calls of the other side. Default: [rpc.DefaultServer], so that
	// [rpc.Register] just works, and everything registered is exposed.
	Server *rpc.Server

	// MaxHandlers is how many calls of the other side are handled at once. More wait, in their
	// order, up to MaxWaiting, and up to 64 MiB of them. Those beyond are refused: they fail with
	// [viaduct.ErrOverload]. Calls that serve a call of this side, made by a method with its
	// context, do not wait and do not count, up to 16 for each.
	//
	// Without that context it cannot be known which call a call back serves. So while MaxHandlers
	// calls are handled here, and at least as many calls of this side are pending, all of which may
	// be waiting for the new one, that is refused rather than put in the queue. From 1. Default:
	// 16,384.
	MaxHandlers int

	// MaxHandlerBytes bounds the requests that are being handled at once, in bytes as they came:
	// beyond it others wait as for MaxHandlers. The same bound holds, each by itself, for the
	// answers that are being sent, for the calls that do not count for MaxHandlers, and for what
	// arguments take in memory when they are decoded; beyond the last two a call fails with
	// [viaduct.ErrOverload]. From 1. Default: 512 MiB.
	MaxHandlerBytes int

	// MaxWaiting is how many calls wait at most. Default: 16,384. Negative: none do.
	MaxWaiting int

	// ConcurrentNotify has notifications handled as calls are, at once and in any order, within
	// MaxHandlers; beyond, they wait, and their senders. Default: one at a time, in the order they
	// were sent.
	ConcurrentNotify bool

	// RecoverPanics has a panic in a method cost that call alone: it fails with a
	// [*viaduct.PanicError], and Logger is told. Default: the process ends, as with net/rpc, when
	// the caller has been told, for which 100 ms are taken.
	RecoverPanics bool

	// ServeHook is called around each call of the other side that this side handles, and CallHook
	// around each call that this side makes, notifications included. Either may refuse calls.
	ServeHook, CallHook Hook

	// MethodStats has calls counted by their methods, both those of this side and those of the
	// other one: see [Peer.MethodStats]. That takes one more look at the clock where a call is
	// made, two where it is served, and up to 5 KiB for each method. Default: counting begins when
	// [DebugHandler] or [Vars] is first called, for all Peers of the process.
	MethodStats bool

	// NoListing has this side not tell the other one what methods it has: see [Peer.Methods].
	NoListing bool

	// Context is what the contexts of methods have their values from; if it ends, so do they.
	// Default: context.Background().
	Context context.Context

	// ServiceMethod says which Service.Method of the server is meant by the name that a call came
	// in with: other programs have names of another form. It is called for each call, from several
	// goroutines at once. Default: names are as net/rpc has them.
	ServiceMethod func(method string) string

	// AnswerLatestFirst is for a peer that nests its calls, as Neovim before 0.10 does: it waits
	// for the answer to the latest of its open calls before all others. The answer to an earlier
	// one is held back until then, and until the calls made since that one came in have been
	// answered. No call waits for others then: MaxWaiting is 0.
	//
	// That cannot help where a call of this side, from another goroutine, crosses a call of the
	// peer and makes it call again: calls that make the peer call back should be made one at a
	// time, or by the methods that serve it, and not with Notify.
	AnswerLatestFirst bool

	// Arguments and replies.

	// Encoding encodes arguments and replies. Both sides must choose the same, or they do not
	// connect (on a bare connection it is up to you). Default: [viaduct.MessagePack].
	Encoding viaduct.Encoding

	// Dialect says what becomes of values that MessagePack alone would damage. Default: for
	// [NewBare] plain MessagePack; other Peers say hello, and use Go's dialect with every Go
	// program. [viaduct.PlainDialect] has them not say that they are one: they are served as a peer
	// in another language is, and see what such a peer sees.
	Dialect viaduct.Dialect

	// StructsAsArrays has structs written as arrays of their fields, which is smaller. Both sides
	// must then have the same fields in the same order. Either form is always understood.
	StructsAsArrays bool

	// MaxDepth is how deep arrays and maps of a received message may nest, from 1 to 100,000.
	// Default: 1,000.
	MaxDepth int

	// The link. See also [duplex.Options].

	// MaxMessage is the largest message that this side takes, in bytes, from 1 to 2,147,483,647.
	// Default: 128 MiB.
	MaxMessage int

	// Window is how many bytes of each class (calls, replies, notifications) the other side may
	// send before some of them have been dealt with, from 1 to 1 GiB. Default: 256 KiB.
	Window int

	// SendQueue is how many bytes of messages wait to be written before further senders wait for
	// room, from 1. More helps bursts of small messages and holds up those behind them. Default: 32
	// KiB.
	SendQueue int

	// StreamWindow is how many bytes of a stream the other side may send before some of them have
	// been read, from 1 to 1 GiB. Each stream begins with 64 KiB or, if that is less, with this.
	// Default: 1 MiB.
	StreamWindow int

	// Backlog is how many streams may wait for [Peer.Accept], from 1; further ones are refused.
	// Default: 128.
	Backlog int

	// Keepalive has the link checked each time nothing has come from the other side for so long. If
	// nothing comes for as long again, the link ends with [duplex.ErrUnresponsive]. Default: 0, it
	// is not checked.
	Keepalive time.Duration

	// Checksum has each frame, both ways, carry CRC-32C of itself and of its number: see
	// [duplex.Options]. Bytes that were changed, lost, doubled or put in on the way, the hellos
	// included, end the link with a [*duplex.ChecksumError], and nothing is made of them. Use it
	// where the connection, or the memory of a machine, is not trusted to keep bytes as they are,
	// and set Keepalive as well. It is enough that one side sets it; one that cannot do it, an
	// older viaduct or another implementation, is refused with [ErrNoChecksum]. A bare connection
	// has none. Default: false.
	Checksum bool

	// Logs.

	// Logger is told of what would otherwise vanish: notifications that fail, replies nobody waits
	// for any more, handlers that never return, a link that was ended because the other side does
	// not answer or breaks the protocol; and of what waits for long, see StallReport. Nothing waits
	// for it: 64 reports wait for a slow one, and further ones are counted. Default: nobody is
	// told.
	Logger *slog.Logger

	// StallReport is how long something waits before Logger is told of it: a call, notification or
	// reply that waits for credit or room to be sent; a call of the other side that waits for a
	// place among the handlers; a notification that waits for the handler of another one. The
	// record has the method, what it waits for and of which side, and the method of that handler.
	// It comes once, also if more of the same begin to wait. A method that runs for long is not
	// reported, nor are streams. [Peer.Stats] counts what waits so, with a Logger or without.
	// Default: 5 s; negative: nothing is reported or counted.
	StallReport time.Duration

	// LogHandler gets the records that the other side logs through [Peer.LogHandler], one at a
	// time. Whatever it does, it holds up nothing else: what it is too slow for is counted and then
	// reported to it. Their context is one for [FromContext]. A panic in it ends the process, as in
	// a method. Default: none are asked for, and what the other side logs goes to its LogFallback.
	LogHandler slog.Handler

	// LogFallback gets the records of this side's [Peer.LogHandler] that cannot go to the other
	// side: when the link has ended, or is shutting down, and all of them where the other side has
	// no LogHandler. [slog.DiscardHandler] is for none. Default: they are written to [os.Stderr],
	// by a [slog.TextHandler] with the options of that LogHandler.
	LogFallback slog.Handler

	// Tap records the traffic of the link. Default: nothing is recorded, which costs nothing.
	Tap *Tap

	// TapEnv is the name of a variable of the environment by which whoever starts this program can
	// have the links recorded: the name of a file, as Tap.File, and behind it, if they are wanted,
	// ",contents" and ",max=" with a number of bytes. All links that have it share the file. It is
	// ignored, and Logger told, in a program that is setuid, setgid or has capabilities of its own.
	// A child does not get the variable, unless Env sets it. Default: none.
	TapEnv string

	// The two processes. See also [procspawn.Options].

	// OnExit is called once when the process on the other side has ended: in the parent when the
	// child was waited for, in the child when its parent is gone or has closed the link. All
	// pending calls have failed by then. It is called by a goroutine of the library, for which Wait
	// waits; a child's ExitTimeout runs meanwhile. It may call Close, but not Wait. Not called for
	// a Peer of New, NewBare or Pair.
	OnExit func(*procspawn.Exit)

	// Name and Version are those of this application. The other side must have the Name NeedName,
	// and a Version from MinVersion to MaxVersion, where these are set. A version is numbers with
	// dots between them, "1.4.2", and they are compared number by number, as many as the limit has.
	// Whoever does not fit is refused, on both sides with a [*procspawn.AppError].
	Name, Version                    string
	NeedName, MinVersion, MaxVersion string

	// HandshakeTimeout bounds the exchange of hellos, in addition to the context. Default: 10 s.
	HandshakeTimeout time.Duration

	// Of the parent.

	// Env and what follows, to TermTimeout, is set in a parent. Env lists the variables of the
	// environment that a child is given, out of Cmd.Env or else this
	// process's: NAME, PREFIX* for all that begin so, or NAME=value to set one. Nil: all of them.
	// Empty: none.
	Env []string

	// Stdio has the link run over the child's standard input and output, for a program that is
	// started by another one which hands on nothing else, such as ssh: see [procspawn.Options].
	Stdio bool

	// CrashOutput says whether the child inherits a pipe for the output of a crash. Default: where
	// its stderr is captured.
	CrashOutput procspawn.Switch

	// ParentDeath says what becomes of the child when this process dies without having stopped it.
	// Default: [procspawn.EndWithParent].
	ParentDeath procspawn.ParentDeath

	// Group gives the child a process group of its own (on Windows a job), which is ended as a
	// whole.
	Group bool

	// Limits bound what the child may take: memory, time, processes, files. [procspawn.Exit] says
	// which of them has ended it. Default: nothing is bounded here.
	Limits procspawn.Limits

	// OnThread is called on the thread that starts the child, a new one: what it does to that alone
	// reaches the child, such as Landlock and seccomp rules. On Linux: see [procspawn.Options].
	OnThread func() error

	// ShutdownTimeout is how long [Peer.Shutdown] waits for what is going on before it closes the
	// link to a child, in addition to its context. Default: 30 s; negative: without limit.
	ShutdownTimeout time.Duration

	// CloseTimeout is how long a child has to exit by itself once its link is closed, before it is
	// sent SIGTERM. Default: 2 s; negative: no time at all.
	CloseTimeout time.Duration

	// TermTimeout is how long a child has to exit upon SIGTERM before it is killed. Default: 2 s;
	// negative: no time at all. Windows has no such signal.
	TermTimeout time.Duration

	// Of the child.

	// ExitTimeout is set in a child: how long after the end of its link it is gone, OnExit
	// included: main has three quarters of it to return. Default: 1 s; negative: the process never
	// exits on its own.
	ExitTimeout time.Duration

	// HandlesSIGTERM is set in a child: it says that this program handles SIGTERM itself, by
	// [signal.Notify] or [signal.NotifyContext]: it is left alone. Default: from Connect to the end
	// of the link the signal has the child serve for up to 2 s more, until the parent shuts the
	// link down, then call Shutdown, for up to 5 s, and then die of it, whatever handlers the
	// program has.
	HandlesSIGTERM bool

	// DieOnInterrupt is set in a child: it has SIGINT and SIGHUP kill it while it is linked.
	// Default: they do not: the parent, which they reach as well, is to end it in order.
	DieOnInterrupt bool

	supervisor string // whose child it is, as DebugHandler calls it
}

// ErrNoChecksum is why Start, Connect and New fail, in the sense of errors.Is, if Options.Checksum
// is set and the other side cannot check frames.
var ErrNoChecksum = errors.New("rpcpipe: Options.Checksum is set, and the other side cannot check frames: it is an older viaduct, which has to be updated, or another implementation, for which leave the option out")

// check reports options that have no meaning. Package procspawn checks those that are its own.
func (o *Options) check() error {
	const gib = 1 << 30
	for _, f := range []struct {
		field       string
		value, most int
	}{
		{"MaxHandlers", o.MaxHandlers, math.MaxInt},
		{"MaxHandlerBytes", o.MaxHandlerBytes, math.MaxInt},
		{"MaxDepth", o.MaxDepth, body.MostDepth},
		{"MaxMessage", o.MaxMessage, math.MaxInt32},
		{"Window", o.Window, gib},
		{"SendQueue", o.SendQueue, math.MaxInt},
		{"StreamWindow", o.StreamWindow, gib},
		{"Backlog", o.Backlog, math.MaxInt},
	} {
		if f.value < 0 || f.value > f.most {
			return fmt.Errorf("rpcpipe: Options.%s is %d: 1 to %d was expected, or 0 for the default", f.field, f.value, f.most)
		}
	}
	if o.Keepalive < 0 {
		return fmt.Errorf("rpcpipe: Options.Keepalive is %v: more than 0 was expected, or 0 for no check", o.Keepalive)
	}
	if o.Dialect > viaduct.PlainDialect {
		return fmt.Errorf("rpcpipe: Options.Dialect is %d: AutoDialect, GoDialect or PlainDialect was expected", o.Dialect)
	}
	if strings.ContainsAny(o.TapEnv, "=\x00") {
		return fmt.Errorf("rpcpipe: Options.TapEnv is %q: the name of a variable was expected", o.TapEnv)
	}
	return o.Tap.check()
}

func (o *Options) shutdownTimeout() time.Duration {
	if o.ShutdownTimeout == 0 {
		return 30 * time.Second
	}
	return o.ShutdownTimeout
}
