package procspawn

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// Step is a step of stopping a process, each harder than the one before.
type Step uint8

const (
	StepNone      Step = iota // the process ended by itself
	StepCloseLink             // its link was closed
	StepTerminate             // it was sent SIGTERM
	StepKill                  // it was killed
)

var stepNames = [...]string{"none", "close link", "terminate", "kill"}

func (s Step) String() string {
	if int(s) < len(stepNames) {
		return stepNames[s]
	}
	return fmt.Sprintf("Step(%d)", uint8(s))
}

// Exit says why and how a process ended. It is an error, so that whatever
// fails because of it can carry it.
type Exit struct {
	// Parent is true in a child's report that its parent is gone. Of such a
	// parent only Pid and Lifetime are known.
	Parent bool

	Pid      int
	Code     int           // exit status; -1 if killed by a signal or not known
	Signal   os.Signal     // the signal that killed it, else nil
	Step     Step          // which step of stopping ended it
	Lifetime time.Duration // from its start to its end; of a parent: how long this child knew it

	// Stderr holds the last 64 KiB of what the process wrote to stderr, and
	// StderrCaptured says whether it was captured at all: it is not if
	// Cmd.Stderr was an *os.File.
	Stderr         []byte
	StderrCaptured bool

	// Cause is what went wrong besides: an error of Cmd.Wait that says more than
	// the status, or of a writer given as Cmd.Stdout or Cmd.Stderr. (That the context of the
	// command has ended is not known here: Cmd.Wait does not say so.) Exit does not unwrap
	// to it, or a call that failed with the process would seem to have been cancelled itself.
	Cause error
}

// Error returns a line such as
//
//	child 123 exited: exit status 2; stderr: cannot open database
func (e *Exit) Error() string {
	if e.Parent {
		return fmt.Sprintf("parent %d is gone", e.Pid)
	}
	return fmt.Sprintf("child %d%s%s", e.Pid, e.outcome(""), e.details())
}

// outcome says how the process ended; when goes behind "exited".
func (e *Exit) outcome(when string) string {
	if e.Signal != nil {
		if when != "" {
			when = " ended" + when
		}
		return fmt.Sprintf("%s: signal: %v", when, e.Signal)
	}
	if e.Code < 0 {
		return fmt.Sprintf(" ended%s: its exit status is not known", when)
	}
	return fmt.Sprintf(" exited%s: exit status %d", when, e.Code)
}

// details says what else is known: the step, the cause, the end of stderr.
func (e *Exit) details() string {
	s := ""
	if e.Step != StepNone {
		s = fmt.Sprintf(" (stopped by: %v)", e.Step)
	}
	if e.Cause != nil {
		s += fmt.Sprintf(" (%v)", e.Cause)
	}
	if text := lastWords(e.Stderr); text != "" {
		s += "; stderr: " + text
	}
	return s
}

// lastWords picks what a person wants to see first of a process's stderr, as one
// line: the line by which a Go program names its crash, else the last lines.
func lastWords(stderr []byte) string {
	const lines, size = 3, 300
	var last []string
	named, crash := "", ""
	for line := range strings.Lines(string(stderr)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		switch {
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "), strings.HasPrefix(line, "SIG"):
			named = line
		case strings.HasPrefix(line, "goroutine "): // so it was a crash
			if crash == "" {
				crash = named
			}
		}
		if len(last) == lines {
			last = last[1:]
		}
		last = append(last, line)
	}
	if crash != "" {
		last = []string{crash}
	}
	for i, line := range last {
		if len(line) > size {
			line = line[:size] + "..."
		}
		last[i] = printable(line)
	}
	return strings.Join(last, " / ")
}

// printable replaces what would not show, or upset a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
