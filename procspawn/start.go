package procspawn

import (
	"bytes"
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
// The fields of cmd keep their meaning, and ExtraFiles their numbers; all but Cancel, which is wrapped, are found unchanged afterwards.
// Two things differ from Cmd.Start: nil Stderr and Stdout are captured for the Exit, and
// Cmd.Wait is called for you as soon as the child exits, so that what is
// then unread in a StdoutPipe is lost; give a writer instead.
//
// A writer given as Stdout or Stderr that blocks will block the child, as with os/exec. When the child has ended, it has 1 s, or
// Cmd.WaitDelay if that is more, to take what is left; then it is not called any more. A Cmd.Cancel that
// sends SIGINT does not end a linked child: see Options.DieOnInterrupt. What the child starts and
// leaves behind loses its stdout and stderr with it: give files (os.DevNull) to a child that does so, or is to live on itself.
//
// Where the system sends a child a signal when its parent dies (Linux and FreeBSD, unless Options.ParentDeath is Detach), the child is
// forked in a thread that is kept for that. What is bound to the caller's thread, such as namespaces
// entered by unshare or setns, its CPU affinity, credentials, seccomp and Landlock rules, then does not reach the child; with Detach it does.
// SysProcAttr.Ptrace is refused: it stops the child for a tracer that is not there yet.
//
// If the program cannot be started the error is that of Cmd.Start. Otherwise
// it is a *StartError. In a process that was itself started as a child and has
// not connected to its parent it is ErrUnconnected.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Process, error) {
	if err := mayStart(ctx, opts); err != nil {
		closePipesOf(cmd)
		return nil, err
	}
	p, err := launch(cmd, opts)
	if err != nil {
		return nil, err
	}
	if err := shake(ctx, p.link, opts, inParent); err != nil {
		return nil, p.giveUp(ctx, err)
	}
	return p, nil
}

func mayStart(ctx context.Context, opts *Options) error {
	if err := child.mayStart(); err != nil {
		return err
	}
	if err := opts.check(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("procspawn: nothing was started: %w", err)
	}
	return nil
}

// closePipesOf closes what Cmd.StdinPipe and the like have made for a command that is not started. Cmd.Start alone can.
func closePipesOf(cmd *exec.Cmd) {
	if cmd.Process != nil { // somebody has started it
		return
	}
	err := cmd.Err
	cmd.Err = errors.New("procspawn: not started")
	cmd.Start()
	cmd.Err = err
}

func launch(cmd *exec.Cmd, opts *Options) (*Process, error) {
	p := &Process{
		cmd:      cmd,
		stdio:    new(stdio),
		exited:   make(chan struct{}),
		reported: make(chan struct{}),
		done:     make(chan struct{}),
		cancel:   cancelling{results: make(chan struct{})},
	}
	if opts != nil {
		p.opts = *opts
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	p.stdio.run()
	go p.reap()
	return p, nil
}

// start starts the process with its link and its streams. If it fails nothing is left of them.
func (p *Process) start() (err error) {
	cmd := p.cmd
	defer restore(cmd)()
	cancel := cmd.Cancel
	defer func() {
		if err != nil {
			cmd.Cancel = cancel
			closePipesOf(cmd)
			p.stdio.abandon()
			if p.pipe != nil {
				p.pipe.Close()
			}
		}
	}()
	if len(cmd.Args) == 0 {
		cmd.Args = []string{cmd.Path}
	}
	if cmd.Env, err = selectEnv(cmd, p.opts.Env); err != nil {
		return err
	}
	words, err := p.makeLink()
	if err != nil {
		return err
	}
	if cmd.Args, err = placeSentinel(cmd.Args, words); err != nil {
		return err
	}
	if err := p.stdio.attach(cmd); err != nil {
		return err
	}
	if cancel != nil {
		p.cancel.call, p.cancel.delay = cancel, cmd.WaitDelay
		cmd.Cancel = p.cancel.start
	}
	p.link = newLink(p.pipe)
	p.link.hangup = p.hangup
	if p.opts.Stdio {
		p.link.printed = p.stdio.stdout
	}
	p.started = time.Now()
	return p.family.start(cmd, &p.opts)
}

// makeLink makes the pipes of the link and arranges that the child gets its ends.
func (p *Process) makeLink() (words [2]string, err error) {
	if p.opts.Stdio {
		return p.makeStdioLink()
	}
	pipe, r, w, err := newPipes()
	if err != nil {
		return words, err
	}
	p.pipe = pipe
	p.stdio.theirs = append(p.stdio.theirs, r, w)
	ends := []childEnd{r, w}
	if p.opts.crashPipe(!isFile(p.cmd.Stderr)) {
		crash, err := p.stdio.attachCrash()
		if err != nil {
			return words, err
		}
		ends = append(ends, crash)
	}
	return handOver(p.cmd, ends...)
}

func (p *Process) makeStdioLink() (words [2]string, err error) {
	if p.cmd.Stdin != nil || p.cmd.Stdout != nil {
		return words, errors.New("procspawn: with Options.Stdio the link is the child's standard input and output: Cmd.Stdin and Cmd.Stdout must be nil")
	}
	pipe, r, w, err := newStdioPipes()
	if err != nil {
		return words, err
	}
	p.pipe = pipe
	p.stdio.theirs = append(p.stdio.theirs, r, w)
	p.stdio.stdout = new(tail)
	p.cmd.Stdin, p.cmd.Stdout = r, w
	return sentinel.StdioWords(), nil
}

// restore returns a function that gives cmd its fields back as they are now:
// they are the caller's, who may print them or compare.
func restore(cmd *exec.Cmd) func() {
	args, env, files, attr := cmd.Args, cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr
	in, out, err := cmd.Stdin, cmd.Stdout, cmd.Stderr
	return func() {
		cmd.Args, cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr = args, env, files, attr
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
	exit := p.wait()
	if p.opts.Stdio { // the report may have been made before what came through the link was read
		exit.Stdout, _ = p.stdio.stdout.bytes()
	}
	return &StartError{Program: p.cmd.Path, Err: cause, Exit: exit, self: isSelf(p.cmd.Path), stdio: p.opts.Stdio}
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

	self  bool // it is this very program
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
	if text := lastWords(e.Exit.Stdout); text != "" {
		return "; stdout: " + text
	}
	return ""
}

// exited reports whether the child's end is all that went wrong. It may have
// come too late for the link to say so itself.
func (e *StartError) exited() bool {
	_, ok := e.Err.(*Exit)
	return ok || e.Err == io.EOF && e.Exit.Step == StepNone
}

// hint is for the usual mistakes.
func (e *StartError) hint() string {
	var late *noHello
	silent := e.Err == io.EOF || errors.As(e.Err, &late)
	switch {
	case e.self && (e.exited() || silent):
		return "; the program started itself: " + branchHint
	case e.exited() && bytes.Contains(e.Exit.Stderr, []byte(sentinel.Words()[0])):
		return "; it took the link's arguments for its own: put procspawn.Here where the arguments of the child itself begin"
	case e.exited() && (e.Exit.Code == 0 || e.Exit.Code == 126 || e.Exit.Code == 127): // the last two are a shell's, and env's
		return "; is it a viaduct program that calls rpcpipe.Connect? If another program runs it, put procspawn.Here where its own arguments begin"
	case e.stdio && !e.exited() && !silent:
		return "; if there is a terminal in between, do without: ssh -T, docker exec -i without -t"
	}
	return ""
}

const branchHint = "if that is why, its main (TestMain in a test binary) needs a branch for the child that comes before everything else: if rpcpipe.IsChild() { rpcpipe.Connect(...) ... }"
