package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// line is a command line: flags and arguments in any order, up to --, and the program behind that.
type line struct {
	command   *command
	flags     *flag.FlagSet
	wantsHelp bool
	args      []string
	program   []string // nil: there is no --

	target  target
	timeout time.Duration
	json    bool
	untyped bool
	oneWay  bool
	calls   string
	once    bool
	every   time.Duration
	rows    int
	meta    pairs
	filter  filter
	svg     bool
}

func newLine(c *command) *line {
	l := &line{command: c, flags: flag.NewFlagSet(c.name, flag.ContinueOnError), meta: make(pairs)}
	l.flags.SetOutput(io.Discard)
	l.flags.Usage = func() {}
	if c.flags != nil {
		c.flags(l)
	}
	return l
}

// negative is an argument, not a flag.
var negative = regexp.MustCompile(`^-[0-9.]`)

// parse reads args. Its error is a usage.
func (l *line) parse(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		switch {
		case arg == "--":
			l.program = args[1:]
			return nil
		case arg == "-h" || arg == "-help" || arg == "--help":
			l.wantsHelp = true
			return nil
		case arg == "-" || !strings.HasPrefix(arg, "-") || negative.MatchString(arg):
			l.args = append(l.args, arg)
			args = args[1:]
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		f := l.flags.Lookup(name)
		if f == nil {
			return l.usage("there is no flag -%s%s", name, offer(name, l.flagNames()))
		}
		n := 1
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); !hasValue && !(ok && b.IsBoolFlag()) {
			n = 2
		}
		if n > len(args) || n == 2 && args[1] == "--" {
			return l.usage("-%s has no value: %s", name, f.Usage)
		}
		if err := l.flags.Parse(args[:n]); err != nil {
			return l.usage("%v", err)
		}
		args = args[n:]
	}
	return nil
}

func (l *line) flagNames() (names []string) {
	l.flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// usage is an error of the command line, with how it is meant.
func (l *line) usage(format string, args ...any) error {
	return usage("%s\nusage: viaduct %s %s\nviaduct help %s says more", fmt.Sprintf(format, args...), l.command.name, l.command.args, l.command.name)
}

// commonFlags are those of the commands that reach a program.
func commonFlags(l *line) {
	f, t := l.flags, &l.target
	f.StringVar(&t.socket, "socket", "", "`address` at which the program is reached, in place of -- program: unix:path or tcp:host:port")
	f.BoolVar(&t.stdio, "stdio", false, "the link runs over the program's standard input and output, as through ssh")
	f.StringVar(&t.name, "name", "", "`name` of the application that this is announced as, for programs that look at it")
	f.StringVar(&t.version, "app-version", "", "`version` of that application")
	f.DurationVar(&t.start, "start", 10*time.Second, "how long the program may take to say hello")
	f.DurationVar(&l.timeout, "timeout", 0, "how long a call, or an answer of another kind, may take, as in 5s; the method is told. 0: for ever")
}

// pairs is a flag that may be given several times: key=value.
type pairs map[string]string

func (p pairs) String() string { return "" }

func (p pairs) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	switch {
	case !ok || key == "":
		return errors.New("key=value was expected")
	case p[key] != "":
		return fmt.Errorf("the key %s comes twice", key)
	}
	p[key] = value
	return nil
}
