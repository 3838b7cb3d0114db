// Package affinity starts programs on some of the processors alone.
package affinity

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Supported says whether programs can be pinned on this system.
const Supported = true

// Pick returns n of the processors that this process may use, of different cores if there are as
// many. It returns fewer if there are no more.
func Pick(n int) ([]int, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return nil, err
	}
	var first, others []int // the first processor of each core, and those beside it
	seen := map[string]bool{}
	for cpu := range len(allowed) * 64 {
		if !allowed.IsSet(cpu) {
			continue
		}
		core := siblings(cpu)
		if seen[core] {
			others = append(others, cpu)
			continue
		}
		seen[core] = true
		first = append(first, cpu)
	}
	list := append(first, others...)
	return list[:min(n, len(list))], nil
}

// siblings names the core of a processor by all its processors.
func siblings(cpu int) string {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu))
	if err != nil {
		return fmt.Sprint(cpu) // not told: a core of its own
	}
	return strings.TrimSpace(string(text))
}

// Start starts cmd on these processors. Its children inherit them.
func Start(cmd *exec.Cmd, cpus []int) error {
	var old, pinned unix.CPUSet
	for _, cpu := range cpus {
		pinned.Set(cpu)
	}
	// The child inherits the processors of the thread that forks. A thread that cannot be given its
	// own back is not used again: it ends with its goroutine, locked.
	failed := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.SchedGetaffinity(0, &old)
		if err == nil {
			err = unix.SchedSetaffinity(0, &pinned)
		}
		if err != nil {
			failed <- fmt.Errorf("pin to processors %v: %w", cpus, err)
			return
		}
		err = cmd.Start()
		if unix.SchedSetaffinity(0, &old) == nil {
			runtime.UnlockOSThread()
		}
		failed <- err
	}()
	return <-failed
}
