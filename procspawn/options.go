package procspawn

import "time"

// Options adjust Start, Inherited and Handshake. A nil *Options and a zero
// field mean the default.
type Options struct {
	// Name and Version are those of this application. They are announced in
	// the hello. Version is made of decimal numbers with dots between them if
	// the other side is to compare it.
	Name, Version string

	// NeedName, MinVersion and MaxVersion are what the other side must
	// announce; empty: anything will do. Versions are compared number by
	// number, as many of them as the limit has: 4.2 is not above 4.
	// Whoever does not fit is refused, on both sides with an [*AppError].
	NeedName, MinVersion, MaxVersion string

	// HandshakeTimeout bounds the exchange of hellos, in addition to the
	// context. Default: 10 s.
	HandshakeTimeout time.Duration

	// MaxMessage is the largest message, in bytes, that this side accepts.
	// It is announced in the hello; the layers above keep to it.
	// Default: 128 MiB.
	MaxMessage int

	// Encoding names what arguments and replies are encoded in, in 1 to 64
	// bytes; who names another is refused. rpcpipe sets it. Default: msgpack.
	Encoding string

	// Bodies are the body formats that this side can read, as the layers above
	// name them; they are announced in the hello. Default: msgpack.
	Bodies []string

	// Features name what else the layers above understand; they are announced
	// in the hello. rpcpipe sets them.
	Features []string

	// Env lists the variables of the environment that a child is given, out of
	// Cmd.Env or else this process's: NAME, PREFIX* for all that begin so, or
	// NAME=value to set one. Nil: all of them. Empty: none. (On Windows
	// SYSTEMROOT is always given.)
	Env []string

	// Stdio has the link run over the child's standard input and output, for a
	// program that is started by another one which hands on nothing else: ssh,
	// docker exec -i, kubectl exec -i, sudo. Cmd.Stdin and Cmd.Stdout must be
	// nil. Up to 64 KiB that others print before the hello are passed over.
	// For Handshake it means this alone. The child need not be told: what it prints
	// goes to its standard error, and its standard input is empty. Signals reach the program that was started, not what runs
	// behind it, and Exit has the status of that program; the child ends with its link.
	Stdio bool

	// CrashOutput says whether the child inherits a pipe to which the runtime of a
	// Go program prints, besides stderr, when it crashes, so that Exit.Crash is whole
	// however much else goes to stderr. Default: where stderr is captured. With Stdio there is none. Without it the crash is
	// looked for in what is captured of stderr. (With On and a stderr that is not captured the line that names a fatal error, unlike a panic, is missing: it goes to stderr alone.)
	CrashOutput Switch

	// ParentDeath says what becomes of the child when this process dies
	// without having stopped it. Default: EndWithParent.
	ParentDeath ParentDeath

	// Group gives the child a process group of its own (on Windows a job): it is
	// terminated and killed as a whole, and what is left of it when the child
	// has ended, however it ended, is killed, as long as this process lives to do so. It is then not in the foreground of a
	// terminal: Ctrl-C does not reach it, and it cannot read from there.
	Group bool

	// ShutdownTimeout is how long Shutdown of the layers above waits for what is
	// going on before the link to a child is closed, in addition to its context.
	// Default: 30 s; negative: without limit.
	ShutdownTimeout time.Duration

	// CloseTimeout is how long Stop leaves a child to exit by itself once its
	// link is closed. A child of viaduct does not take more than its own ExitTimeout for that. Default: 2 s; negative: no time at all.
	CloseTimeout time.Duration

	// TermTimeout is how long Stop leaves a child to exit upon SIGTERM before
	// it is killed. Default: 2 s; negative: no time at all. Windows has no such signal.
	TermTimeout time.Duration

	// DieOnInterrupt is for the child: while it is linked, SIGINT and SIGHUP (Ctrl-C, the end of a terminal), which reach the
	// parent as well, do not kill it, unless this is set: the parent is to end it in order.
	DieOnInterrupt bool

	// Pending is asked, when a child has ended, for the calls that are waiting
	// for it, for the Exit. rpcpipe sets it.
	Pending func() []PendingCall

	// ExitTimeout is for the child: when its link has ended because the
	// parent is gone or has closed it, the process is gone within this limit, callbacks
	// included: main has three quarters of it to return, then it ends with status 0. A child that
	// has more to clean up sets more, and its parent a CloseTimeout that is as long. Default: 1 s; negative: it never exits on its own.
	ExitTimeout time.Duration
}

// Switch is on, off, or what the option's default says.
type Switch uint8

const (
	Auto Switch = iota
	On
	Off
)

// ParentDeath is what becomes of a child whose parent dies.
type ParentDeath uint8

const (
	// EndWithParent: the child sees the end of its link, runs its callback and
	// exits, within its Options.ExitTimeout. On Linux and FreeBSD a SIGCONT from
	// the kernel wakes it if it is stopped.
	EndWithParent ParentDeath = iota

	// KillWithParent: the system kills the child at once. Only on Linux, FreeBSD
	// and Windows: elsewhere Start fails with errors.ErrUnsupported.
	KillWithParent

	// Detach: the child lives on. It sees the end of its link and runs its callback.
	Detach
)

func (o *Options) handshakeTimeout() time.Duration {
	if o == nil || o.HandshakeTimeout == 0 {
		return 10 * time.Second
	}
	return o.HandshakeTimeout
}

func (o *Options) maxMessage() int {
	if o == nil || o.MaxMessage <= 0 {
		return 128 << 20
	}
	return o.MaxMessage
}

func (o *Options) encoding() string {
	if o == nil || o.Encoding == "" {
		return defaultEncoding
	}
	return o.Encoding
}

func (o *Options) bodies() []string {
	if o == nil || len(o.Bodies) == 0 {
		return []string{"msgpack"}
	}
	return o.Bodies
}

// featureDetach says that the child is to live on when its parent is gone.
const featureDetach = "detach"

func (o *Options) features() []string {
	if o == nil {
		return nil
	}
	if o.ParentDeath == Detach {
		return append(o.Features[:len(o.Features):len(o.Features)], featureDetach)
	}
	return o.Features
}

func (o *Options) closeTimeout() time.Duration {
	if o == nil || o.CloseTimeout == 0 {
		return 2 * time.Second
	}
	return o.CloseTimeout
}

func (o *Options) termTimeout() time.Duration {
	if o == nil || o.TermTimeout == 0 {
		return 2 * time.Second
	}
	return o.TermTimeout
}

func (o *Options) exitTimeout() time.Duration {
	if o == nil || o.ExitTimeout == 0 {
		return time.Second
	}
	return o.ExitTimeout
}

// ShutdownLimit returns ShutdownTimeout or its default, for the layers above.
func (o *Options) ShutdownLimit() time.Duration {
	if o == nil || o.ShutdownTimeout == 0 {
		return 30 * time.Second
	}
	return o.ShutdownTimeout
}

func (o *Options) parentDeath() ParentDeath {
	if o == nil {
		return EndWithParent
	}
	return o.ParentDeath
}

func (o *Options) group() bool { return o != nil && o.Group }

func (o *Options) stdio() bool { return o != nil && o.Stdio }

func (o *Options) dieOnInterrupt() bool { return o != nil && o.DieOnInterrupt }

// crashPipe reports whether a child is given a pipe for crash output.
func (o *Options) crashPipe(captured bool) bool {
	if o == nil {
		return captured
	}
	return !o.Stdio && (o.CrashOutput == On || o.CrashOutput == Auto && captured)
}
