package procspawn

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/viaduct-go/viaduct/procspawn/internal/capture"
	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// StartError reports a program that was started but did not become a child with a link. It unwraps
// to both its errors, Err and Exit.
type StartError struct {
	Program string
	Err     error // what went wrong with the link
	Exit    *Exit // how the process ended

	self  bool // it is this very program, and needs a branch for the child
	stdio bool // the link was its standard input and output
}

// Unwrap returns what went wrong and how the process ended.
func (e *StartError) Unwrap() []error { return []error{e.Err, e.Exit} }

func (e *StartError) Error() string {
	return fmt.Sprintf("procspawn: start %s: %s%s%s", e.Program, e.what(), e.printed(), e.hint())
}

func (e *StartError) what() string {
	var late *noHello
	var exit *Exit
	switch {
	case e.exited():
		return fmt.Sprintf("child %d%s%s", e.Exit.Pid, e.Exit.outcome(" before its hello"), e.Exit.details())
	case e.Err == io.EOF:
		return fmt.Sprintf("the link was closed before a hello came through it, and the child lived on: is it a viaduct program, or run by one that closes inherited descriptors? %v", e.Exit)
	case errors.As(e.Err, &late):
		return fmt.Sprintf("no hello from child %d%s: is it a viaduct program that calls rpcpipe.Connect? %v", e.Exit.Pid, late.when(), e.Exit)
	case errors.As(e.Err, &exit):
		return e.Err.Error()
	}
	return fmt.Sprintf("%v; %v", e.Err, e.Exit)
}

// printed shows the end of what came through standard output.
func (e *StartError) printed() string {
	if text := capture.LastWords(e.Exit.Stdout); text != "" {
		return "; stdout: " + text
	}
	return ""
}

// exited reports whether the child's end is all that went wrong. It may have come too late for the
// link to say so itself.
func (e *StartError) exited() bool {
	_, ok := e.Err.(*Exit)
	return ok || e.Err == io.EOF && e.Exit.Step == StepNone
}

// hint says what to do about the usual mistakes, nothing if it is none of them.
func (e *StartError) hint() string {
	var late *noHello
	silent := e.Err == io.EOF || errors.As(e.Err, &late)
	switch {
	case e.exited() && e.Exit.By == BySignal: // it may have been about to connect
	case e.self && (e.exited() || silent) && !e.branched():
		return "; the program started itself: " + branchHint
	case e.exited() && bytes.Contains(e.Exit.Stderr, []byte(sentinel.Words()[0])):
		return "; it took the link's arguments for its own: put procspawn.Here where the arguments of the child itself begin"
	case e.exited() && (e.Exit.Code == 0 || e.Exit.Code == 126 || e.Exit.Code == 127):
		// 126 and 127 are what a shell, or env, says of a program that it cannot start.
		return "; is it a viaduct program that calls rpcpipe.Connect? If another program runs it, put procspawn.Here where its own arguments begin"
	case e.stdio && !e.exited() && !silent:
		return "; if there is a terminal in between, do without: ssh -T, docker exec -i without -t"
	}
	return ""
}

// branched reports whether the child has been heard to know that it is one: the library has said there
// why it does not connect, a file of a Tap that cannot be made for instance.
func (e *StartError) branched() bool {
	said := e.Exit.Stderr
	return !bytes.Contains(said, []byte(unconnected)) &&
		(bytes.Contains(said, []byte("rpcpipe: ")) || bytes.Contains(said, []byte("procspawn: ")))
}

// branchHint is for a program that is started by itself and has not expected it.
const branchHint = "if that is why, its main (TestMain in a test binary) needs a branch for the child that comes before everything else: if rpcpipe.IsChild() { rpcpipe.Connect(...) ... }"
