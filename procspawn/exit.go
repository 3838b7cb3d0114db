package procspawn

import (
	"fmt"
	"os"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
)

// Step is a step of stopping a process, each harder than the one before.
type Step uint8

const (
	StepNone      Step = iota // nobody here has begun to stop it
	StepShutdown              // what was going on was let finish, and nothing new begun: rpcpipe's Shutdown
	StepCloseLink             // its link was closed
	StepTerminate             // it was sent SIGTERM
	StepKill                  // it was killed
)

var stepNames = [...]string{"none", "shutdown", "close link", "terminate", "kill"}

func (s Step) String() string {
	if int(s) < len(stepNames) {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// By says who ended a process.
type By uint8

const (
	ByItself  By = iota // it has exited or crashed
	ByStop              // this side has stopped it: see Exit.Step
	ByContext           // the context of its command has ended (exec.CommandContext)
	BySignal            // a signal that this side has not sent: somebody else's, or that of a crash
	ByLimit             // it has reached a limit, for certain: see Exit.Limit
)

var byNames = [...]string{"itself", "stop", "context", "signal", "limit"}

func (b By) String() string {
	if int(b) < len(byNames) {
		return byNames[b]
	}
	return fmt.Sprintf("By(%d)", uint8(b))
}

// PendingCall is a call that was waiting for a process when that ended.
type PendingCall struct {
	Method string
	For    time.Duration // how long it had been waiting
}

// Exit says why and how a process ended. It is an error, so that whatever fails because of it can
// carry it.
type Exit struct {
	// Parent is true in a child's report that its parent is gone, or, with Step StepCloseLink, that
	// it has closed the link in order. Of such a parent only Pid and Lifetime are known.
	Parent bool

	Pid      int
	Code     int           // exit status; -1 if killed by a signal or not known
	Signal   os.Signal     // the signal that killed it, else nil
	By       By            // who ended it
	Step     Step          // the last step of stopping that was taken before its end
	Lifetime time.Duration // from its start to its end; of a parent: how long this child knew it

	// UserTime and SystemTime are how long it has computed, itself and in the kernel, all its
	// threads together. On Unix what it has started and waited for counts with it.
	UserTime, SystemTime time.Duration

	// PeakMemory is the most memory that the process has held at one time (resident, not swapped
	// out), in bytes, without that of processes it has started; 0 if it is not known. Only Linux
	// tells, and only of a process that lives. So it is what was read when the child had started,
	// and again when the link was closed on either side and before each step of stopping: of a
	// child that has exited by itself or was killed by others, what it has held later is missing.
	// In such a case the figure that the system has at the end is taken, which counts what the
	// child has waited for with it, but only if it is well above the peak of this process, with
	// which it begins.
	PeakMemory int64

	// OutOfMemory says that the system has killed the process for lack of memory. It is known on
	// Linux, where the memory of control groups is accounted for: a process of the group in which
	// the child was started was killed so meanwhile, and that was none of our other children. If
	// it was another process of the group, while somebody killed the child in other ways, nobody
	// can tell. False if it is not known: elsewhere, in the root group, and if the child was moved
	// to another group.
	OutOfMemory bool

	// Limit is the one of Options.Limits that has ended the process.
	Limit Reached

	// Stderr and Stdout hold the last 64 KiB of what the process wrote there, if that was captured.
	// Stderr is, unless Cmd.Stderr was an *os.File. Stdout is if Cmd.Stdout was nil. With
	// Options.Stdio Stdout holds what came before the hello.
	Stderr, Stdout                 []byte
	StderrCaptured, StdoutCaptured bool

	// Crash is what the runtime of a Go program printed when it crashed, the first MiB: the line
	// that names the fault, and the stacks. Nil if it has not crashed or that is not known: see
	// Options.CrashOutput.
	Crash []byte

	// Pending are the calls that package rpcpipe had waiting for the process when it ended, the
	// oldest first. Nil if the link is used directly.
	Pending []PendingCall

	// Cause is what went wrong besides: an error of Cmd.Wait that says more than the status, of
	// Cmd.Cancel, or of a writer given as Cmd.Stdout or Cmd.Stderr; or why this side has stopped it
	// of its own accord, as it did not answer (Keepalive), say. Exit does not unwrap to it: a call
	// that failed with the process would seem to have been cancelled itself.
	Cause error

	alive bool // it has not ended: see Stop
}

// keep takes over what was kept of the process's output.
func (e *Exit) keep(r capture.Report) {
	e.Stderr, e.StderrCaptured = r.Stderr, r.StderrCaptured
	e.Stdout, e.StdoutCaptured = r.Stdout, r.StdoutCaptured
	e.Crash = r.Crash
	if r.WriteErr != nil && e.Cause == nil {
		e.Cause = fmt.Errorf("its output could not be written: %w", r.WriteErr)
	}
}

// Error returns a line such as
//
//	child 123 exited: exit status 2; stderr: cannot open database
func (e *Exit) Error() string {
	if e.Parent {
		if e.Step == StepCloseLink {
			return fmt.Sprintf("parent %d has closed the link", e.Pid)
		}
		return fmt.Sprintf("parent %d is gone", e.Pid)
	}
	return fmt.Sprintf("child %d%s%s", e.Pid, e.outcome(""), e.details())
}

// outcome says how the process ended. The text of when, such as " before its hello", goes behind
// the verb.
func (e *Exit) outcome(when string) string {
	if e.Signal != nil {
		if when != "" {
			when = " ended" + when
		}
		text := fmt.Sprintf("%s: signal: %v", when, e.Signal)
		if e.OutOfMemory {
			text += " (out of memory)"
		}
		return text
	}
	if e.alive {
		return fmt.Sprintf(" has not ended%s", when)
	}
	if e.Code < 0 {
		return fmt.Sprintf(" ended%s: its exit status is not known", when)
	}
	return fmt.Sprintf(" exited%s: exit status %d", when, e.Code)
}

// details says what else is known: who ended it, the cause, the calls that were pending, and the
// crash or the end of stderr.
func (e *Exit) details() string {
	s := ""
	switch e.By {
	case ByStop:
		s = fmt.Sprintf(" (stopped by: %v)", e.Step)
	case ByContext:
		s = " (the context of its command ended)"
	}
	if e.Limit.Limit != NoLimit {
		s += fmt.Sprintf(" (%v)", e.Limit)
	}
	if e.Cause != nil {
		s += fmt.Sprintf(" (%v)", e.Cause)
	}
	if e.By == ByItself && e.Step == StepNone && e.Code == 0 && e.Signal == nil && !e.Parent && len(e.Pending) > 0 {
		s += " (does its main wait, by Peer.Wait, before it returns?)"
	}
	switch n := len(e.Pending); n {
	case 0:
	case 1:
		s += fmt.Sprintf("; pending: %s", e.Pending[0])
	default:
		s += fmt.Sprintf("; pending: %s and %d more", e.Pending[0], n-1)
	}
	if text := capture.Fault(e.Crash); text != "" {
		return s + "; crash: " + text
	}
	if text := capture.LastWords(e.Stderr); text != "" {
		s += "; stderr: " + text
	}
	return s
}

// String returns the method and how long it had been waiting.
func (c PendingCall) String() string {
	return fmt.Sprintf("%s for %v", capture.Printable(c.Method), c.For.Round(time.Millisecond))
}
