package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
)

var completionCommand = &command{
	name: "completion", args: "bash | zsh | fish",
	short: "write a script that completes commands and flags in a shell",
	examples: []string{
		`source <(viaduct completion bash)`,
		`source <(viaduct completion zsh)`,
		`viaduct completion fish | source`,
	},
	run: func(_ context.Context, s *streams, l *line) error {
		if len(l.args) != 1 {
			return l.usage("one shell was expected")
		}
		script, ok := completions[l.args[0]]
		if !ok {
			return l.usage("there is no completion for %q: bash, zsh and fish were expected", l.args[0])
		}
		_, err := io.WriteString(s.out, script())
		return err
	},
}

var completions = map[string]func() string{
	"bash": bashCompletion,
	"zsh":  func() string { return "autoload -U +X bashcompinit && bashcompinit\n" + bashCompletion() },
	"fish": fishCompletion,
}

// flagsOf are the flags of c as they are written.
func flagsOf(c *command) (names []string) {
	newLine(c).flags.VisitAll(func(f *flag.Flag) { names = append(names, "-"+f.Name) })
	return append(names, "-help")
}

// bashCompletion completes commands, their flags, and behind -- programs and files.
func bashCompletion() string {
	var cases strings.Builder
	for _, c := range commands {
		words := flagsOf(c)
		switch c.name {
		case "help":
			words = names()
		case "completion":
			words = []string{"bash", "zsh", "fish"}
		}
		fmt.Fprintf(&cases, "\t%s) words='%s' ;;\n", c.name, strings.Join(words, " "))
	}
	return fmt.Sprintf(`_viaduct() {
	local word=${COMP_WORDS[COMP_CWORD]} words= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			if ((i + 1 == COMP_CWORD)); then
				COMPREPLY=($(compgen -c -- "$word") $(compgen -f -- "$word"))
			else
				COMPREPLY=($(compgen -f -- "$word"))
			fi
			return
		fi
	done
	if ((COMP_CWORD == 1)); then
		COMPREPLY=($(compgen -W '%s' -- "$word"))
		return
	fi
	case ${COMP_WORDS[1]} in
%s	esac
	COMPREPLY=($(compgen -W "$words --" -- "$word"))
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-calls) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
	case ${COMP_WORDS[1]}$word in
	show-* | replay-*) ;;
	show* | replay*) COMPREPLY=($(compgen -f -- "$word")) ;;
	esac
}
complete -F _viaduct viaduct
`, strings.Join(names(), " "), cases.String())
}

func fishCompletion() string {
	var b strings.Builder
	fmt.Fprintf(&b, "complete -c viaduct -n __fish_use_subcommand -f -a '%s'\n", strings.Join(names(), " "))
	for _, c := range commands {
		seen := "__fish_seen_subcommand_from " + c.name
		newLine(c).flags.VisitAll(func(f *flag.Flag) {
			fmt.Fprintf(&b, "complete -c viaduct -n '%s' -o %s\n", seen, f.Name)
		})
	}
	fmt.Fprintf(&b, "complete -c viaduct -n '__fish_seen_subcommand_from help' -f -a '%s'\n", strings.Join(names(), " "))
	b.WriteString("complete -c viaduct -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n")
	return b.String()
}
