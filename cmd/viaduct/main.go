// Command viaduct looks at a program that serves methods, from a shell: it lists them, calls them,
// checks that the program is in order, shows what a tap has recorded and replays it.
//
//	viaduct methods -- ./child
//	viaduct call Arith.Add '{"A":1,"B":2}' -- ./child
//	viaduct check -- ./child
//	viaduct show app.tap
//	viaduct replay app.tap -- ./child
//	viaduct top http://localhost:6060/debug/viaduct/
//
// The program is started as a child, or is reached on a socket or through ssh; viaduct help says how.
// It is served as a peer in another language is, as the command does not say that it is a Go program.
// Arguments and replies are JSON, turned into MessagePack and back by the types that the program lists.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it as it would any program
	os.Exit(run(ctx, &streams{os.Stdin, os.Stdout, os.Stderr}, os.Args[1:]))
}

// streams are what a command reads and writes. The child's own output goes to err.
type streams struct {
	in  io.Reader
	out io.Writer
	err *os.File
}

// A command is one of those of viaduct.
type command struct {
	name, args, short string
	help              string // what it does, behind short
	examples          []string
	flags             func(*line)
	run               func(context.Context, *streams, *line) error
}

// commands are in the order in which help shows them. Set by init, as help shows them all.
var commands []*command

func init() {
	commands = []*command{methodsCommand, callCommand, checkCommand, topCommand, showCommand, replayCommand, completionCommand, helpCommand}
}

func commandOf(name string) *command {
	for _, c := range commands {
		if c.name == name {
			return c
		}
	}
	return nil
}

// run runs what args say and returns the exit code.
func run(ctx context.Context, s *streams, args []string) int {
	err := dispatch(ctx, s, args)
	if err == nil {
		return codeOK
	}
	f := failureOf(ctx, err)
	fmt.Fprintf(s.err, "viaduct: %s\n", f.text)
	return f.code
}

func dispatch(ctx context.Context, s *streams, args []string) error {
	if len(args) == 0 {
		return usage("a command was expected: %s\nviaduct help says more", commandNames())
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = helpCommand.name
	}
	c := commandOf(name)
	if c == nil {
		return usage("there is no command %q%s: there are %s", name, offer(name, names()), commandNames())
	}
	l := newLine(c)
	if err := l.parse(args[1:]); err != nil {
		return err
	}
	if l.wantsHelp {
		return c.writeHelp(s.out)
	}
	return c.run(ctx, s, l)
}
