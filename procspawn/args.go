package procspawn

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/viaduct-go/viaduct/procspawn/internal/sentinel"
)

// Here, as an argument of a Cmd, is where Start puts the two words that tell the child about its
// link. It is for programs run by another one that takes the first arguments for itself:
//
//	exec.Command("python3", "child.py", procspawn.Here, "-v")
//
// Without it the words go first. The child does not see them. The NUL in Here cannot occur in a
// real argument.
const Here = "\x00viaduct:here"

// placeSentinel returns a copy of args with words put first behind the program's name, or in the
// place of Here.
func placeSentinel(args []string, words [2]string) ([]string, error) {
	at, behind := 1, 1
	for i, arg := range args {
		if arg != Here {
			if strings.Contains(arg, Here) {
				return nil, fmt.Errorf("procspawn: Here is a part of Args[%d]: it must be an argument of its own (for a shell: \"sh\", \"-c\", `exec child \"$@\"`, \"sh\", procspawn.Here)", i)
			}
			continue
		}
		switch {
		case i == 0:
			return nil, errors.New("procspawn: Here stands in Args[0], which is the program's name: put it among the arguments behind that")
		case behind != at:
			return nil, fmt.Errorf("procspawn: Here stands among the arguments twice (Args[%d] and Args[%d]): there is one link, write it once", at, i)
		}
		at, behind = i, i+1
	}
	if i := sentinel.Find(args[:at]); i > 0 {
		return nil, fmt.Errorf("procspawn: the arguments %q %q before Here look like a link's own and the child would take them for it: change them, or put Here before them",
			args[i], args[i+1])
	}
	out := make([]string, 0, len(args)+2)
	out = append(out, args[:at]...)
	out = append(out, words[0], words[1])
	return append(out, args[behind:]...), nil
}

// selectEnv returns the environment that rules leave of cmd's: see Options.Env.
func selectEnv(cmd *exec.Cmd, rules []string) ([]string, error) {
	if rules == nil {
		return cmd.Env, nil
	}
	selected := []string{} // not nil, which means all to package os/exec
	var set []string
	for _, rule := range rules {
		name, _, sets := strings.Cut(rule, "=")
		if name == "" || strings.ContainsRune(rule, 0) || strings.Contains(strings.TrimSuffix(name, "*"), "*") || sets && strings.HasSuffix(name, "*") {
			return nil, fmt.Errorf("procspawn: Options.Env has %q: NAME, PREFIX* or NAME=value was expected", rule)
		}
		if sets {
			set = append(set, rule)
		}
	}
	for _, variable := range cmd.Environ() {
		if passes(variable, rules) {
			selected = append(selected, variable)
		}
	}
	return append(selected, set...), nil
}

// passes reports whether a variable, as NAME=value, is listed.
func passes(variable string, rules []string) bool {
	name := variable
	// Windows has variables of its own whose names begin with one.
	if i := strings.Index(variable[min(1, len(variable)):], "="); i >= 0 {
		name = variable[:i+1]
	}
	for _, rule := range rules {
		prefix, many := strings.CutSuffix(rule, "*")
		if strings.Contains(rule, "=") {
			continue
		}
		if many && len(name) >= len(prefix) && sameName(name[:len(prefix)], prefix) || !many && sameName(name, rule) {
			return true
		}
	}
	return false
}

// sameName reports whether two names are of the same variable.
func sameName(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}
