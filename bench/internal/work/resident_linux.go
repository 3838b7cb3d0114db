package work

import (
	"fmt"
	"os"
	"strings"
)

// resident reads what the kernel says of this process: the anonymous memory that it has, and its
// part of all.
func resident() (anonymous, proportional int64, err error) {
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "Anonymous: %d kB", &kib); n == 1 {
			anonymous = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
			proportional = kib << 10
		}
	}
	if anonymous == 0 || proportional == 0 {
		return 0, 0, fmt.Errorf("smaps_rollup has no Anonymous and Pss:\n%s", text)
	}
	return anonymous, proportional, nil
}
