package examples_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/viaduct-go/viaduct/internal/testkit"
)

// poolArgs has the example go on where the kernel has no sandbox, but not where all is to be tested,
// and with the race detector, which is slow, gives the bombs time to go off. Speeds are compared once.
func poolArgs(*testing.T) []string {
	args := []string{"-rounds=1"}
	if testkit.RaceEnabled {
		args = append(args, "-timeout=10s")
	}
	if os.Getenv("VIADUCT_MUST_RUN") == "" {
		args = append(args, "-unsandboxed")
	}
	return args
}

// poolAlike puts N in the place of the numbers of children, and of speeds, and hides whether there
// was a sandbox, which the tests of the example are about.
func poolAlike(output string) string {
	lines := strings.SplitAfter(output, "\n")
	for i, line := range lines {
		switch {
		case strings.HasPrefix(line, "children are sandboxed by "), strings.HasPrefix(line, "children are not sandboxed: "):
			lines[i] = "children are sandboxed, or not\n"
		case strings.HasPrefix(line, "harmless images: "):
			lines[i] = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`).ReplaceAllString(line, "N")
		default:
			lines[i] = regexp.MustCompile(`worker\[[0-9]+\]`).ReplaceAllString(line, "worker[N]")
		}
	}
	return strings.Join(lines, "")
}
