package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestUsage: a command line that is not understood says what was expected.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "a command was expected: methods, call, check"},
		{[]string{"cal"}, `there is no command "cal" (is it call?)`},
		{[]string{"call"}, "a method was expected"},
		{[]string{"call", "M"}, "the program to start was expected behind --"},
		{[]string{"call", "M", "--"}, "the program to start was expected behind --"},
		{[]string{"call", "M", "1", "2"}, `there is "2" behind them: has the JSON quotes`},
		{[]string{"call", "-onway", "M"}, "there is no flag -onway (is it oneway?)"},
		{[]string{"call", "-timeout"}, "-timeout has no value"},
		{[]string{"call", "-timeout", "--", "x"}, "-timeout has no value"},
		{[]string{"call", "-timeout", "5", "M"}, `invalid value "5" for flag -timeout`},
		{[]string{"call", "-timeout", "-5s", "M", "--", "x"}, "-timeout is -5s"},
		{[]string{"call", "-start", "0", "M", "--", "x"}, "-start is 0s"},
		{[]string{"call", "-meta", "x", "M"}, "key=value was expected"},
		{[]string{"call", "-meta", "x=1", "-meta", "x=2", "M"}, "comes twice"},
		{[]string{"call", "-calls", "f", "M"}, "one of them was expected"},
		{[]string{"call", "-stdio", "-socket", "unix:x", "M"}, "-stdio is about a program"},
		{[]string{"show"}, "the file of a tap was expected"},
		{[]string{"show", "a", "b"}, `one file was expected, and there is "b" behind it`},
		{[]string{"show", "-json", "-svg", "a"}, "one of them was expected"},
		{[]string{"show", "-method", "[", "a"}, "a name was expected, in which"},
		{[]string{"show", "-longer", "-1s", "a"}, "-longer is -1s"},
		{[]string{"replay", "a"}, "the program to start was expected behind --"},
		{[]string{"replay", "--", "x"}, "the file of a tap was expected"},
		{[]string{"help", "nope"}, `there is no command "nope"`},
		{[]string{"help", "call", "check"}, "one command was expected"},
		{[]string{"completion"}, "one shell was expected"},
		{[]string{"completion", "tcsh"}, "bash, zsh and fish were expected"},
	} {
		r := viaductIn(t, "", tt.args...)
		r.want(t, codeUsage, "", tt.want)
	}
}

// TestHelp: each command says what it is, all its flags, and examples that are understood.
func TestHelp(t *testing.T) {
	all := viaductIn(t, "", "help")
	all.want(t, 0, all.out)
	for _, c := range commands {
		if !strings.Contains(all.out, "  viaduct "+c.name+" ") {
			t.Errorf("help does not name %s", c.name)
		}
		r := viaductIn(t, "", "help", c.name)
		r.want(t, 0, r.out)
		viaductIn(t, "", c.name, "-h").want(t, 0, r.out)
		for _, name := range newLine(c).flagNames() {
			if !strings.Contains(r.out, "\n  -"+name+" ") {
				t.Errorf("help %s does not name -%s", c.name, name)
			}
		}
		for _, e := range c.examples {
			args := words(t, e)
			i := slices.Index(args, "viaduct")
			args = args[i+1:]
			if end := slices.Index(args, "|"); end >= 0 {
				args = args[:end]
			}
			if args[0] != c.name {
				t.Errorf("an example of %s is about %s", c.name, args[0])
			}
			if err := newLine(c).parse(args[1:]); err != nil {
				t.Errorf("%s: %v", e, err)
			}
		}
	}
	viaductIn(t, "", "--help").want(t, 0, all.out)
}

// words splits an example as a shell does, as far as examples go.
func words(t *testing.T, s string) (list []string) {
	s = strings.NewReplacer("<(", " ", ")", " ").Replace(s)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		end := strings.IndexByte(s, ' ')
		if s[0] == '\'' {
			end = strings.IndexByte(s[1:], '\'') + 2
		}
		if end < 0 {
			end = len(s)
		}
		list = append(list, strings.Trim(s[:end], "'"))
		s = s[end:]
	}
	if !slices.Contains(list, "viaduct") {
		t.Fatalf("no viaduct in %q", list)
	}
	return list
}

// TestCompletion: in bash, what each word may be.
func TestCompletion(t *testing.T) {
	for shell := range completions {
		if r := viaductIn(t, "", "completion", shell); r.code != 0 || !strings.Contains(r.out, "oneway") {
			t.Errorf("%s: %+v", shell, r)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is needed")
	}
	for line, want := range map[string][]string{
		"viaduct ":                      names(),
		"viaduct c":                     {"call", "check", "completion"},
		"viaduct call -o":               {"-oneway"},
		"viaduct show -s":               {"-svg"},
		"viaduct show line_t":           {"line_test.go"},
		"viaduct check -s":              {"-socket", "-start", "-stdio"},
		"viaduct help m":                {"methods"},
		"viaduct completion z":          {"zsh"},
		"viaduct call -calls line_t":    {"line_test.go"},
		"viaduct call X -- ./child lin": {"line.go", "line_test.go"},
	} {
		list := strings.Split(line, " ")
		script := bashCompletion() + `
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_viaduct
printf '%s\n' "${COMPREPLY[@]}"`
		out, err := exec.Command(bash, append([]string{"-c", script, "bash"}, list...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, want := strings.Fields(string(out)), slices.Clone(want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, %q was expected", line, got, want)
		}
	}
}
