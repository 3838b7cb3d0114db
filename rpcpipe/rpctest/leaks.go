package rpctest

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// leakTime is how long NoneLeft waits for what is on its way out. Tests of what stays set it.
var leakTime = 5 * time.Second

// NoneLeft fails the test if, at its end, there are goroutines, open descriptors or child processes
// (zombies included) that were not there when it was called. It names them. What is on its way out
// has 5 s for that. Call it first: what is cleaned up later, by [Pair] for instance, is looked at
// too.
//
// It looks at the whole process, so it is not for tests that run in parallel, nor for a bubble of
// testing/synctest, which itself finds goroutines that stay: call it outside. Descriptors and
// processes are seen on Linux; elsewhere only goroutines are.
func NoneLeft(tb testing.TB) {
	tb.Helper()
	before := TakeCensus()
	tb.Cleanup(func() {
		tb.Helper()
		if left := before.Left(); len(left) > 0 {
			tb.Errorf("rpctest: left behind:\n%s", strings.Join(left, "\n"))
		}
	})
}

// A Census is what there is in this process at a moment: for programs that are no tests. See
// [NoneLeft] for what it sees.
type Census struct {
	// Each by a name that does not change while it is there.
	goroutines, descriptors, processes map[string]string
}

// TakeCensus looks at what there is.
func TakeCensus() Census {
	return Census{goroutines(), descriptors(), processes()}
}

// Left returns what is there now and was not there at c, a text for each. If that is anything, it
// waits for it to go, for 5 s.
func (c Census) Left() []string {
	left := c.left(TakeCensus())
	for deadline := time.Now().Add(leakTime); len(left) > 0 && time.Now().Before(deadline); {
		runtime.Gosched()
		left = c.left(TakeCensus())
	}
	return left
}

// left returns what is in now and not in c.
func (c Census) left(now Census) (left []string) {
	for _, kind := range []struct {
		name        string
		before, now map[string]string
	}{
		{"goroutine", c.goroutines, now.goroutines},
		{"descriptor", c.descriptors, now.descriptors},
		{"process", c.processes, now.processes},
	} {
		for _, key := range slices.Sorted(maps.Keys(kind.now)) {
			if was, ok := kind.before[key]; !ok || kind.name == "descriptor" && was != kind.now[key] {
				left = append(left, fmt.Sprintf("%s %s: %s", kind.name, key, kind.now[key]))
			}
		}
	}
	return left
}

// goroutines returns the stacks of all goroutines but the one that asks and those that the runtime
// and the test framework have for themselves.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	list := make(map[string]string)
	for i, g := range strings.Split(string(buf), "\n\n") {
		if i == 0 || !lasts(g) {
			continue
		}
		head, stack, _ := strings.Cut(g, "\n")
		id, _, _ := strings.Cut(strings.TrimPrefix(head, "goroutine "), " ")
		list[id] = strings.TrimSpace(stack)
	}
	return list
}

// lasts reports whether a goroutine is one that somebody is to end.
func lasts(stack string) bool {
	for _, of := range []string{"created by testing.", "created by os/signal.", "testing.Main(", "runtime.goexit0("} {
		if strings.Contains(stack, of) {
			return false
		}
	}
	return true
}
