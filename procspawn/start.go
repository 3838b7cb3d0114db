package procspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

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
// A Cmd.Cancel that sends SIGINT does not end a child that is linked: see Options.DieOnInterrupt.
//
// On Linux and FreeBSD, unless Options.ParentDeath is Detach, the system sends the child a signal
// when its parent dies. For that the child is forked in a thread that is kept as long. What is
// bound to the caller's thread then does not reach the child: namespaces entered by unshare or
// setns, its CPU affinity, credentials, seccomp and Landlock rules. With Detach it does.
// SysProcAttr.Ptrace is refused: it would stop the child for a tracer that is not there yet.
//
// If the program cannot be started the error is that of Cmd.Start. If it was started and does not
// become a child with a link, it is a *StartError. In a process that was itself started as a child
// and has not connected to its parent it is ErrUnconnected.
func Start(ctx context.Context, cmd *exec.Cmd, opts *Options) (*Process, error) {
	if err := mayStart(ctx, opts); err != nil {
		closePipesOf(cmd)
		return nil, err
	}
	p, err := launch(cmd, opts)
	if err != nil {
		return nil, err
	}
	if err := exchangeHellos(ctx, p.link, opts, inParent); err != nil {
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

// closePipesOf closes what Cmd.StdinPipe and the like have made for a command that is not started.
// Only a Cmd.Start that fails does so.
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
	p.streams.Run()
	go p.reap()
	return p, nil
}

// start starts the process with its link and its streams. If it fails nothing is left of these.
func (p *Process) start() (err error) {
	cmd := p.cmd
	defer restore(cmd)()
	cancel := cmd.Cancel
	defer func() {
		if err != nil {
			cmd.Cancel = cancel
			closePipesOf(cmd)
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
	if p.opts.Stdio {
		p.link.beforeHello = p.streams.KeepStdout()
	}
	p.started = time.Now()
	return p.processTree.Start(cmd, p.opts.family())
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
