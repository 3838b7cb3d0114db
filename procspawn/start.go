package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/procspawn/internal/limits"
	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// Start starts cmd with a link to it and waits for its hello. The context and
// Options.HandshakeTimeout bound the start, not the life of the child: use exec.CommandContext for
// that. When Start fails no process is left.
//
// Two things differ from Cmd.Start. Nil Stderr and Stdout are captured for the Exit. And Cmd.Wait
// is called for you as soon as the child exits, so what is then unread in a StdoutPipe is lost:
// give a writer instead. All other fields of cmd keep their meaning, and ExtraFiles their numbers.
// After Start they are found unchanged, but for Cancel, which is wrapped.
//
// A writer given as Stdout or Stderr that blocks will block the child, as with os/exec. When the
// child has ended, the writer has 1 s, or Cmd.WaitDelay if that is more, to take what is left; then
// it is not called any more. What the child starts and leaves behind loses its stdout and stderr
// with it. A child that leaves something behind, or is to live on itself, needs files there, such
// as os.DevNull.
//
// The context of exec.CommandContext kills the child when it ends, at once, whatever is in flight.
// It is not the place for a context of signal.NotifyContext: Ctrl-C, or SIGTERM, would then kill
// every child before main has had a chance to end it in order. Start such children by exec.Command,
// wait for that context in main, and then call Stop, or Shutdown of rpcpipe. A Cmd.Cancel that
// sends SIGINT does not end a child that is linked: see Options.DieOnInterrupt.
//
// On Linux and FreeBSD, unless Options.ParentDeath is Detach, the system sends the child a signal
// when its parent dies. For that the child is forked in a thread that is kept as long. What is
// bound to the caller's thread then does not reach the child: namespaces entered by unshare or
// setns, its CPU affinity, credentials, seccomp and Landlock rules. With Detach it does. See
// Options.OnThread for a place where they are set for one child alone, whatever ParentDeath is.
// SysProcAttr.Ptrace is refused: it would stop the child for a tracer that is not there yet.
//
// If the program cannot be started the error is that of Cmd.Start. If it was started and does not
// become a child with a link, it is a *StartError. Either needs a new Cmd to try again, as with
// package os/exec: the pipes of this one are closed. What Start refuses before that, because of the
// context, the options, or a field of cmd that does not go with them, leaves cmd untouched, its
// pipes included: it can be used again, or its pipes are to be closed.
//
// A program that this process has just written can be refused as syscall.ETXTBSY ("text file
// busy"): another goroutine has started a process meanwhile, which has the file open for writing
// until it executes its program. That is over in some milliseconds: make a new Cmd and try again.
// It does not happen where the file was written by another program, such as go build or cp.
//
// In a process that was itself started as a child and has not connected to its parent the error is
// ErrUnconnected.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Process, error) {
	if err := mayStart(ctx, opts); err != nil {
		return nil, err
	}
	p, err := launch(cmd, opts)
	if err != nil {
		return nil, err
	}
	if err := exchangeHellos(ctx, p.link, opts, inParent); err != nil {
		return nil, p.giveUp(ctx, err)
	}
	p.processTree.WhileOwn(p.memory.Settle)
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

func launch(cmd *exec.Cmd, opts *Options) (*Process, error) {
	p := &Process{
		cmd:      cmd,
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
	p.memory.Begin(p.Pid())
	p.limits.Begin(p.processTree.Kill)
	p.streams.Run()
	go p.reap()
	return p, nil
}

// start starts the process with its link and its streams. If it fails nothing is left of these, and
// cmd is as it was: what Cmd.StdinPipe and the like have made for it is closed by Cmd.Start alone,
// where that fails.
func (p *Process) start() (err error) {
	cmd := p.cmd
	defer restore(cmd)()
	cancel := cmd.Cancel
	defer func() {
		if err != nil {
			cmd.Cancel = cancel
			p.streams.Abandon()
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
	words, ends, err := p.makeLink()
	defer func() { // the child has them, or there is none
		for _, end := range ends {
			end.Close()
		}
	}()
	if err != nil {
		return err
	}
	if cmd.Args, err = placeSentinel(cmd.Args, words); err != nil {
		return err
	}
	if err := p.streams.Attach(cmd); err != nil {
		return err
	}
	if cancel != nil {
		p.cancel.call, p.cancel.delay = cancel, cmd.WaitDelay
		cmd.Cancel = p.cancel.start
	}
	p.link = newLink(p.pipe)
	p.link.explainEnd = p.explainEnd
	p.link.onClose = p.sampleMemory
	if p.opts.Stdio {
		p.link.beforeHello = p.streams.KeepStdout()
	}
	if err := p.limits.Prepare(cmd, limits.Config(p.opts.Limits), p.opts.Group); err != nil {
		return err
	}
	family := p.opts.family()
	family.AtStart, family.Cgroup = p.limits.AtStart(), p.limits.Cgroup()
	p.started = time.Now()
	if err := p.processTree.Start(cmd, family); err != nil {
		p.limits.Abandon()
		return err
	}
	return nil
}

// makeLink makes the pipes of the link and arranges that the child gets its ends. It returns what
// tells the child of them, and the ends, which are to be closed here in any case.
func (p *Process) makeLink() (words [2]string, ends []io.Closer, err error) {
	if p.opts.Stdio {
		return p.makeStdioLink()
	}
	pipe, r, w, err := pipes.New()
	if err != nil {
		return words, nil, err
	}
	p.pipe, ends = pipe, []io.Closer{r, w}
	inherit := []pipes.ChildEnd{r, w}
	if _, given := p.cmd.Stderr.(*os.File); p.opts.crashPipe(!given) {
		crash, err := p.streams.AttachCrash()
		if err != nil {
			return words, ends, err
		}
		inherit = append(inherit, crash)
	}
	numbers, err := pipes.HandOver(p.cmd, inherit...)
	return sentinel.Words(numbers...), ends, err
}

func (p *Process) makeStdioLink() (words [2]string, ends []io.Closer, err error) {
	if p.cmd.Stdin != nil || p.cmd.Stdout != nil {
		return words, nil, errors.New("procspawn: with Options.Stdio the link is the child's standard input and output: Cmd.Stdin and Cmd.Stdout must be nil")
	}
	pipe, r, w, err := pipes.NewStdio()
	if err != nil {
		return words, nil, err
	}
	p.pipe = pipe
	p.cmd.Stdin, p.cmd.Stdout = r, w
	return sentinel.StdioWords(), []io.Closer{r, w}, nil
}

// restore returns a function that gives cmd its fields back as they are now. They are the caller's,
// who may print or compare them.
func restore(cmd *exec.Cmd) func() {
	args, env, files, attr := cmd.Args, cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr
	in, out, err := cmd.Stdin, cmd.Stdout, cmd.Stderr
	return func() {
		cmd.Args, cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr = args, env, files, attr
		cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, err
	}
}

// giveUp ends a child whose handshake failed because of cause. If there is time left it may exit by
// itself first, so that it can say why: a child of another version refuses us in its own words.
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
	if p.opts.Stdio {
		// The report may have been made before what came through the link was read.
		exit.Stdout, _ = p.link.beforeHello.Bytes()
	}
	return &StartError{Program: p.cmd.Path, Err: cause, Exit: exit, self: isSelf(p.cmd.Path) && !slices.Contains(p.cmd.Args, handles.TestChild), stdio: p.opts.Stdio}
}
