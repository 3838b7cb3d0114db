package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/rpc"
	"os/exec"
	"strings"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// target is the program that a command looks at.
type target struct {
	socket        string
	stdio         bool
	name, version string
	start         time.Duration
	capture       bool // its output is kept for a report, not shown
}

// here, among the program's arguments, is where those of the program itself begin, if another one runs
// it: python3 child.py viaduct:here -v.
const here = "viaduct:here"

func (t *target) options(s *streams) *rpcpipe.Options {
	return &rpcpipe.Options{
		Server:           rpc.NewServer(), // it has nothing to call here
		Dialect:          viaduct.PlainDialect,
		NoListing:        true,
		LogHandler:       slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelDebug - 100}),
		Name:             t.name,
		Version:          t.version,
		HandshakeTimeout: t.start,
		Stdio:            t.stdio,
	}
}

// connect starts the program of l, or reaches it. Its error is a failure.
func (l *line) connect(ctx context.Context, s *streams) (*rpcpipe.Peer, error) {
	t := &l.target
	if err := l.checkTarget(); err != nil {
		return nil, err
	}
	if t.socket != "" {
		return t.dial(ctx, s)
	}
	p, err := rpcpipe.Start(ctx, t.cmd(s, l.program), t.options(s))
	return p, notStarted(ctx, err)
}

// checkTarget reports a command line that does not say what is reached.
func (l *line) checkTarget() error {
	t := &l.target
	switch {
	case t.start <= 0:
		return l.usage("-start is %v: more than 0 was expected", t.start)
	case l.timeout < 0:
		return l.usage("-timeout is %v: 0 or more was expected", l.timeout)
	case t.socket != "" && l.program != nil:
		return l.usage("there are a -socket and a program behind --: one of them was expected")
	case t.socket != "" && t.stdio:
		return l.usage("-stdio is about a program behind --, and -socket is in its place")
	case t.socket == "" && len(l.program) == 0:
		return l.usage("the program to start was expected behind --, or a -socket")
	}
	return nil
}

func (t *target) cmd(s *streams, program []string) *exec.Cmd {
	cmd := exec.Command(program[0], program[1:]...)
	for i := range cmd.Args {
		if i > 0 && cmd.Args[i] == here {
			cmd.Args[i] = procspawn.Here
		}
	}
	if !t.capture {
		cmd.Stderr = s.err
		if !t.stdio {
			cmd.Stdout = s.err // stdout is for the replies
		}
	}
	return cmd
}

func (t *target) dial(ctx context.Context, s *streams) (*rpcpipe.Peer, error) {
	conn, err := t.dialConn(ctx)
	if err != nil {
		return nil, notStarted(ctx, err)
	}
	p, err := rpcpipe.New(ctx, conn, t.options(s))
	return p, notStarted(ctx, err)
}

// dialConn connects to a socket.
func (t *target) dialConn(ctx context.Context) (io.ReadWriteCloser, error) {
	network, address, ok := strings.Cut(t.socket, ":")
	if !ok || network != "unix" && network != "tcp" || address == "" {
		return nil, usage("-socket is %q: unix:path or tcp:host:port was expected", t.socket)
	}
	dialing, cancel := context.WithTimeout(ctx, t.start)
	defer cancel()
	return new(net.Dialer).DialContext(dialing, network, address)
}

// notStarted is err, of a program that was not reached, as a failure.
func notStarted(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f := new(failure); errors.As(err, &f) {
		return f
	}
	text := strings.ReplaceAll(clean(err.Error()), "procspawn.Here", here) // what it is called here
	var encoding *procspawn.EncodingError
	var app *procspawn.AppError
	switch {
	case errors.As(err, &encoding):
		text += fmt.Sprintf("\nviaduct calls programs whose encoding is msgpack, and this one has Options.Encoding %q", oneLine(encoding.Remote))
	case errors.As(err, &app) && !app.Remote:
		text += "\n-name and -app-version say what application this is announced as"
	case errors.Is(err, exec.ErrNotFound):
		text += "\na program in the current directory is ./program"
	}
	return &failure{codeNotStarted, text}
}

// endTime bounds how long the other side may take to finish what was begun.
const endTime = 10 * time.Second

// end ends the link in order, and the program, if err is nil; otherwise at once.
func end(ctx context.Context, p *rpcpipe.Peer, err error) {
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, endTime)
		defer cancel()
		p.Shutdown(ctx)
	}
	p.Close()
}

// limited returns ctx as long as an answer may take.
func (l *line) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, l.timeout)
}
