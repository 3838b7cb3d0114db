package procspawn

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn/internal/family"
	"github.com/viaduct-go/viaduct/procspawn/internal/limits"
)

// Options adjust Start, Inherited and Handshake. A nil *Options and a zero field mean the default.
// Each side has its own.
type Options struct {
	// Name and Version are those of this application, at most 256 bytes each. The hello announces
	// them. If the other side is to compare it, Version is made of decimal numbers with dots
	// between them, such as 1.24.3 or v2.0-rc1: a v in front, and what follows a - or +, do not
	// count.
	Name, Version string

	// NeedName, MinVersion and MaxVersion are what the other side must announce. Empty: anything
	// will do. Versions are compared number by number, as many of them as the limit has: 4.2 is not
	// above 4. An application that does not fit is refused, on both sides with an [*AppError].
	NeedName, MinVersion, MaxVersion string

	// HandshakeTimeout bounds the exchange of hellos, in addition to the context. Default: 10 s.
	HandshakeTimeout time.Duration

	// Env lists the variables of the environment that a child is given, out of Cmd.Env or else out
	// of this process's environment: NAME, PREFIX* for all that begin so, or NAME=value to set one.
	// Nil: all of them. Empty: none. (On Windows SYSTEMROOT is always given.)
	Env []string

	// Stdio has the link run over the child's standard input and output. It is for a program that
	// is started by one which hands on nothing else: ssh, docker exec -i, kubectl exec -i, sudo.
	// Cmd.Stdin and Cmd.Stdout must be nil. Up to 64 KiB that others print before the hello are
	// passed over; for Handshake the option means this alone.
	//
	// The child need not be told: what it prints goes to its standard error, and its standard input
	// is empty. Signals reach the program that was started, not the one that it runs for us, and
	// Exit has the status of that program. The child ends with its link.
	Stdio bool

	// CrashOutput says whether the child inherits a pipe to which the runtime of a Go program
	// prints, besides stderr, when it crashes. With it Exit.Crash is whole, however much else goes
	// to stderr. Without it the crash is looked for in what is captured of stderr. Default: On
	// where stderr is captured. With Stdio there is no such pipe.
	//
	// A fatal error, unlike a panic, is named by a line that goes to stderr alone. If stderr is not
	// captured, Exit.Crash begins without that line.
	CrashOutput Switch

	// ParentDeath says what becomes of the child when this process dies without having stopped it.
	// Default: EndWithParent.
	ParentDeath ParentDeath

	// Group gives the child a process group of its own, on Windows a job. The group is terminated
	// and killed as a whole. What is left of it when the child has ended, however it ended, is
	// killed, as long as this process lives to do so. The child is not in the foreground of a
	// terminal then: Ctrl-C does not reach it, and it cannot read from there.
	Group bool

	// Limits bound what the child may take. Default: nothing is bounded here.
	Limits Limits

	// OnThread is called right before the child is started, on the thread that starts it (Linux; an
	// error elsewhere). What it does to that thread alone reaches the child and all that it starts,
	// and nothing of this process: Landlock and seccomp rules, unshare and setns, affinity,
	// capabilities. Niceness, too, but for that there is Limits.Nice. (Set on the thread that calls
	// Start they get lost: see there.) An error of it is one of Start, and nothing is started then.
	//
	// The thread is a new one, for this child alone. It lives as long as the child, and runs
	// nothing else: so a rule that forbids what starting a child needs fails Start. With Limits
	// ptrace and prlimit are needed besides. OnThread must not start goroutines that count on being
	// restricted, and must not unlock the thread.
	OnThread func() error

	// CloseTimeout is how long Stop leaves a child to exit by itself once its link is closed. A
	// child that uses this package takes no longer than its own ExitTimeout. Default: 2 s;
	// negative: no time at all.
	CloseTimeout time.Duration

	// TermTimeout is how long Stop leaves a child to exit upon SIGTERM before it is killed.
	// Default: 2 s; negative: no time at all. Windows has no such signal.
	TermTimeout time.Duration

	// DieOnInterrupt is for the child: SIGINT and SIGHUP kill it. They come from a terminal
	// (Ctrl-C, its end) and reach the parent as well, so by default a child that is linked survives
	// them, and the parent ends it in order.
	DieOnInterrupt bool

	// ExitTimeout is for the child: when the parent is gone or has closed the link, the process is
	// gone within this limit, callbacks included. The function main has three quarters of it to
	// return, then the process ends with status 0. A child that has more to clean up sets more, and
	// its parent a CloseTimeout that is as long. Default: 1 s; negative: it never exits on its own.
	ExitTimeout time.Duration

	hello   handles.Hello                // what the layers above say in the hello
	pending func() []handles.PendingCall // asked when the child has ended; may be nil
	why     func() error                 // asked when this side has stopped the child; may be nil
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
	// EndWithParent: the child sees the end of its link, runs its callback and exits, within its
	// Options.ExitTimeout, also if it computes with hundreds of goroutines on one processor (not on
	// Windows). On Linux and FreeBSD a SIGCONT from the kernel wakes it if it is stopped. What must
	// be gone at once, whatever it does, is for KillWithParent.
	EndWithParent ParentDeath = iota

	// KillWithParent: the system kills the child at once. Only on Linux, FreeBSD and Windows:
	// elsewhere Start fails with errors.ErrUnsupported.
	KillWithParent

	// Detach: the child lives on. It sees the end of its link and runs its callback.
	Detach
)

// check reports options that can never work.
func (o *Options) check() error {
	if o == nil {
		return nil
	}
	for _, limit := range []struct{ name, version string }{{"MinVersion", o.MinVersion}, {"MaxVersion", o.MaxVersion}} {
		if _, ok := parseVersion(limit.version); !ok && limit.version != "" {
			return fmt.Errorf("procspawn: Options.%s is %q: numbers with dots between them were expected, such as 1.24", limit.name, limit.version)
		}
	}
	low, _ := parseVersion(o.MinVersion)
	high, _ := parseVersion(o.MaxVersion)
	if o.MinVersion != "" && compareVersion(low, high) > 0 {
		return fmt.Errorf("procspawn: Options.MinVersion is %q, above MaxVersion, which is %q: no version fits", o.MinVersion, o.MaxVersion)
	}
	if o.ParentDeath > Detach {
		return fmt.Errorf("procspawn: Options.ParentDeath is %d: EndWithParent, KillWithParent or Detach was expected", o.ParentDeath)
	}
	if o.CrashOutput > Off {
		return fmt.Errorf("procspawn: Options.CrashOutput is %d: Auto, On or Off was expected", o.CrashOutput)
	}
	if o.OnThread != nil && runtime.GOOS != "linux" {
		return fmt.Errorf("procspawn: Options.OnThread does nothing on %s, it must not be set there: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	if err := limits.Config(o.Limits).Check(); err != nil {
		return err
	}
	if o.HandshakeTimeout < 0 {
		return fmt.Errorf("procspawn: Options.HandshakeTimeout is %v: more than 0 was expected, or 0 for the default", o.HandshakeTimeout)
	}
	for _, f := range []struct{ field, text string }{
		{"Name", o.Name}, {"Version", o.Version},
		{"NeedName", o.NeedName}, {"MinVersion", o.MinVersion}, {"MaxVersion", o.MaxVersion},
	} {
		if len(f.text) > maxAppText {
			return fmt.Errorf("procspawn: Options.%s has %d bytes: %d at most were expected", f.field, len(f.text), maxAppText)
		}
	}
	return nil
}

func (o *Options) handshakeTimeout() time.Duration {
	if o == nil || o.HandshakeTimeout == 0 {
		return 10 * time.Second
	}
	return o.HandshakeTimeout
}

func (o *Options) maxMessage() int {
	if o == nil || o.hello.MaxMessage <= 0 {
		return handles.DefaultMaxMessage
	}
	return o.hello.MaxMessage
}

func (o *Options) encoding() string {
	if o == nil || o.hello.Encoding == "" {
		return defaultEncoding
	}
	return o.hello.Encoding
}

func (o *Options) bodies() []string {
	if o == nil || len(o.hello.Bodies) == 0 {
		return []string{"msgpack"}
	}
	return o.hello.Bodies
}

// lang is the language that this side says it is written in, if it does.
func (o *Options) lang() string {
	if o != nil && o.hello.Plain {
		return ""
	}
	return "go"
}

// featureDetach says that the child is to live on when its parent is gone.
const featureDetach = "detach"

func (o *Options) features() []string {
	if o == nil {
		return nil
	}
	list := o.hello.Features
	if o.ParentDeath == Detach {
		return append(list[:len(list):len(list)], featureDetach)
	}
	return list
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

// family says how a child is tied to this process.
func (o *Options) family() family.Options {
	return family.Options{
		Group:      o.Group,
		KillOrphan: o.ParentDeath == KillWithParent,
		WakeOrphan: o.ParentDeath == EndWithParent,
		OnThread:   o.OnThread,
	}
}

func (o *Options) stdio() bool { return o != nil && o.Stdio }

func (o *Options) dieOnInterrupt() bool { return o != nil && o.DieOnInterrupt }

// crashPipe reports whether a child is given a pipe for crash output.
func (o *Options) crashPipe(captured bool) bool {
	if o == nil {
		return captured
	}
	return !o.Stdio && (o.CrashOutput == On || o.CrashOutput == Auto && captured)
}
