package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOtherLanguages: programs that are not written in Go are looked at as others are.
func TestOtherLanguages(t *testing.T) {
	for _, l := range []struct {
		name, file   string
		interpreters []string
		args         []string // which succeed where it has what the child needs
	}{
		{"python", "python/child.py", []string{"python3", "/usr/bin/python3"}, []string{"-c", "import msgpack"}},
		{"node", "node/child.mjs", []string{"node"}, []string{"--input-type=module", "-e", "import '@msgpack/msgpack'"}},
	} {
		t.Run(l.name, func(t *testing.T) {
			const dir = "../../examples/polyglot"
			interpreter := ""
			for _, candidate := range l.interpreters {
				cmd := exec.Command(candidate, l.args...)
				cmd.Dir = dir
				if interpreter == "" && cmd.Run() == nil {
					interpreter = candidate
				}
			}
			switch {
			case interpreter != "":
			case os.Getenv("VIADUCT_MUST_RUN") != "":
				t.Fatalf("none of %q runs the child", l.interpreters)
			default:
				t.Skip("there is none that runs the child")
			}
			in := func(args ...string) ran {
				return viaductIn(t, "", append(args, "--", interpreter, filepath.Join(dir, l.file), here, "Ada")...)
			}
			in("methods", "Child.Divide").want(t, 0, `Child.Divide(Division) float64
    Divides A by B.
    as in {"A":0.5,"B":0.5}

Division
    A  float64
    B  float64
`)
			in("call", "Child.Divide", `{"A":7,"B":2}`).want(t, 0, "3.5\n")
			in("call", "Child.Divide", `{"A":7,"B":0}`).want(t, codeFailed, "", "Child.Divide: ", "division by zero")
			in("call", "Child.Echo", `"aGk="`).want(t, 0, "\"aGk=\"\n")
			in("call", "-timeout", "1m", "Child.Greet", `"Go"`).want(t, 0, "\"hello, Go, from Ada\"\n")
			in("call", "-meta", "k=v", "Child.Greet", `"Go"`).want(t, 0, "\"hello, Go, from Ada\"\n")
			in("call", "Child.Grete").want(t, codeNoMethod, "", "(is it Child.Greet")
			r := in("check")
			r.want(t, 0, r.out)
			if !strings.Contains(r.out, "ok   methods  8, with 1 types\n") || strings.Contains(r.out, "BAD") {
				t.Error(r.out)
			}
		})
	}
}
