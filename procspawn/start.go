package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// Start starts cmd with a link to it and waits for its hello. The context and
// Options.HandshakeTimeout bound the start, not the life of the child, which
// has exec.CommandContext for that. When Start fails no process is left.
//
// The fields of cmd keep their meaning and are found unchanged afterwards.
// Two things differ from Cmd.Start: a nil Stderr is captured for the Exit, and
// Cmd.Wait is called for you as soon as the child exits, so that what is
// then unread in a StdoutPipe is lost; give a writer instead.
//
// If the program cannot be started the error is that of Cmd.Start. Otherwise
// it is a *StartError. In a process that was itself started as a child and has
// not connected to its parent it is ErrUnconnected.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Process, error) {
	if err := child.mayStart(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("procspawn: nothing was started: %w", err)
	}
	p, err := launch(cmd, opts)
	if err != nil {
		return nil, err
	}
	if err := shake(ctx, p.link, opts); err != nil {
		return nil, p.giveUp(ctx, err)
	}
	return p, nil
}

// launch starts the process. The child's ends of all pipes are closed here
// when it returns, whatever happened.
func launch(cmd *exec.Cmd, opts *Options) (*Process, error) {
	pipe, childRead, childWrite, err := newPipes()
	if err != nil {
		return nil, err
	}
	defer closeAll(childRead, childWrite)
	p, err := start(cmd, pipe, childRead, childWrite)
	if err != nil {
		pipe.Close()
		return nil, err
	}
	if opts != nil {
		p.opts = *opts
	}
	p.link.hangup = p.hangup
	p.stdio.run()
	go p.reap()
	return p, nil
}

func start(cmd *exec.Cmd, pipe *pipeConn, childRead, childWrite *os.File) (*Process, error) {
	defer restore(cmd)()
	// Descriptors 0 to 2 are the standard ones, those of ExtraFiles follow;
	// the caller's keep their numbers.
	next := 3 + len(cmd.ExtraFiles)
	if len(cmd.Args) == 0 {
		cmd.Args = []string{cmd.Path}
	}
	args, err := placeSentinel(cmd.Args, sentinel.Words(next, next+1))
	if err != nil {
		return nil, err
	}
	cmd.Args = args
	cmd.ExtraFiles = append(cmd.ExtraFiles[:len(cmd.ExtraFiles):len(cmd.ExtraFiles)], childRead, childWrite)
	streams, err := attach(cmd)
	if err != nil {
		return nil, err
	}
	p := &Process{
		cmd:      cmd,
		pipe:     pipe,
		link:     newLink(pipe),
		stdio:    streams,
		started:  time.Now(),
		exited:   make(chan struct{}),
		reported: make(chan struct{}),
		done:     make(chan struct{}),
	}
	if err := cmd.Start(); err != nil {
		streams.abandon()
		return nil, err
	}
	return p, nil
}

// restore returns a function that gives cmd its fields back as they are now:
// they are the caller's, who may print them or compare.
func restore(cmd *exec.Cmd) func() {
	args, files := cmd.Args, cmd.ExtraFiles
	in, out, err := cmd.Stdin, cmd.Stdout, cmd.Stderr
	return func() {
		cmd.Args, cmd.ExtraFiles = args, files
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, err
	}
}

// giveUp ends a child whose handshake failed because of cause. If there is
// time left it may exit by itself first, so that it can say why: a child of
// another version refuses us with a message of its own.
func (p *Process) giveUp(ctx context.Context, cause error) error {
	p.link.Close()
	limit := refusalGrace
	if late := new(noHello); errors.As(cause, &late) {
		limit = 0
	}
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.kill()
	case <-t.C:
		p.kill()
	}
	return &StartError{Program: p.cmd.Path, Err: cause, Exit: p.wait(), self: isSelf(p.cmd.Path)}
}

// isSelf reports whether path is this very program.
func isSelf(path string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	a, err := os.Stat(self)
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// StartError reports a program that was started but did not become a child
// with a link. It unwraps to both its fields.
type StartError struct {
	Program string
	Err     error // what went wrong
	Exit    *Exit // how the process ended

	self bool // it is this very program
}

// Unwrap returns what went wrong and how the process ended.
func (e *StartError) Unwrap() []error { return []error{e.Err, e.Exit} }

func (e *StartError) Error() string {
	text := fmt.Sprintf("procspawn: start %s: ", e.Program)
	var late *noHello
	var exit *Exit
	switch {
	case e.exited():
		return text + fmt.Sprintf("child %d%s", e.Exit.Pid, e.Exit.outcome(" before its hello")) + e.Exit.details() + e.hint()
	case e.Err == io.EOF:
		return text + "the link was closed before a hello came through it, and the child lived on: is it a viaduct program, or run by one that closes inherited descriptors? " +
			e.Exit.Error() + e.hint()
	case errors.As(e.Err, &late):
		return text + fmt.Sprintf("no hello from child %d%s: is it a viaduct program that calls rpcpipe.Connect? %v", e.Exit.Pid, late.when(), e.Exit) + e.hint()
	case errors.As(e.Err, &exit):
		return text + e.Err.Error()
	}
	return text + fmt.Sprintf("%v; %v", e.Err, e.Exit)
}

// exited reports whether the child's end is all that went wrong. It may have
// come too late for the link to say so itself.
func (e *StartError) exited() bool {
	_, ok := e.Err.(*Exit)
	return ok || e.Err == io.EOF && e.Exit.Step == StepNone
}

// hint is for the usual mistake of programs that start themselves.
func (e *StartError) hint() string {
	if !e.self {
		return ""
	}
	return "; the program started itself: " + branchHint
}

const branchHint = "its main (TestMain in a test binary) must have a branch for the child that comes before everything else: if rpcpipe.IsChild() { rpcpipe.Connect(...) ... }"
