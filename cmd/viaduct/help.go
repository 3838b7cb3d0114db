package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

var helpCommand = &command{
	name: "help", args: "[command]",
	short: "say what there is, or what a command does",
	run: func(_ context.Context, s *streams, l *line) error {
		switch len(l.args) {
		case 0:
			return writeHelp(s.out)
		case 1:
			c := commandOf(l.args[0])
			if c == nil {
				return usage("there is no command %q%s: there are %s", l.args[0], offer(l.args[0], names()), commandNames())
			}
			return c.writeHelp(s.out)
		}
		return l.usage("one command was expected")
	},
}

func names() (names []string) {
	for _, c := range commands {
		names = append(names, c.name)
	}
	return names
}

func commandNames() string { return strings.Join(names(), ", ") }

func writeHelp(w io.Writer) error {
	var b strings.Builder
	b.WriteString("viaduct looks at a program that serves methods: it lists them, calls them, checks the program,\nand shows and replays what a tap has recorded.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  viaduct %-10s  %s\n", c.name, c.short)
	}
	b.WriteString(`
The program is started behind --, or is reached by -socket unix:path or tcp:host:port. If another program
runs it, as an interpreter does, viaduct:here stands where its own arguments begin:
    viaduct methods -- python3 child.py viaduct:here Ada
Through ssh the link runs over standard input and output:
    viaduct methods -stdio -- ssh -T host ./child
What the program prints, and what it logs through its link, goes to standard error.

Exit codes:
`)
	for _, c := range codeTexts {
		fmt.Fprintf(&b, "  %3d  %s\n", c.code, c.text)
	}
	b.WriteString("\nviaduct help command says more, with examples.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *command) writeHelp(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "usage: viaduct %s %s\n\n%s\n", c.name, c.args, c.short)
	if c.help != "" {
		fmt.Fprintf(&b, "\n%s\n", c.help)
	}
	if c.examples != nil {
		b.WriteString("\nExamples:\n")
		for _, e := range c.examples {
			fmt.Fprintf(&b, "  %s\n", e)
		}
	}
	l := newLine(c)
	first := true
	l.flags.VisitAll(func(f *flag.Flag) {
		if first {
			b.WriteString("\nFlags, anywhere before --:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(&b, "  %-22s %s", strings.TrimSpace("-"+f.Name+" "+value), text)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" {
			fmt.Fprintf(&b, " (default %s)", f.DefValue)
		}
		b.WriteByte('\n')
	})
	_, err := io.WriteString(w, b.String())
	return err
}
