package procspawn

import (
	"fmt"
	"os/exec"
	"runtime"
	"strings"
)

// selectEnv returns the environment that rules leave of cmd's: see Options.Env.
func selectEnv(cmd *exec.Cmd, rules []string) ([]string, error) {
	if rules == nil {
		return cmd.Env, nil
	}
	selected := []string{} // nil would mean all to package exec
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
	if i := strings.Index(variable[min(1, len(variable)):], "="); i >= 0 { // the names of Windows' own begin with one
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

func sameName(a, b string) bool {
	if runtime.GOOS == "windows" {
		return strings.EqualFold(a, b)
	}
	return a == b
}
