package rpcpipe_test

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// watchAll has a test leave all as it was: goroutines, descriptors, processes with all that they
// start, and threads. Orphans become children of this process, so that it sees them.
func watchAll(t *testing.T) {
	t.Helper()
	require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	before, had := snapshot(), threads()
	// It does not call FailNow: behind subtests that ran beside each other, a cleanup that does so has
	// package testing say nothing but FAIL.
	t.Cleanup(func() {
		defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
		for deadline := time.Now().Add(5 * time.Second); ; {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err == syscall.ECHILD {
				break
			}
			if pid <= 0 && !assert.Less(t, time.Now(), deadline, "left behind: %s", childList()) {
				return
			}
			runtime.Gosched()
		}
		before.assertSame(t)
		assert.LessOrEqual(t, threads(), had+20) // the runtime keeps those that it has needed
	})
}

// reports are what a child, and what it starts, write about themselves.
type reports struct {
	state  *os.File // for the child to say that it is in its state
	r      *os.File
	lines  *bufio.Scanner
	leaves []int // processes that a child means to leave behind
}

func newReports(t *testing.T) *reports {
	t.Helper()
	r, state, err := os.Pipe()
	require.NoError(t, err)
	return &reports{state: state, r: r, lines: bufio.NewScanner(r)}
}

// awaitReady waits until the child is in its state.
func (w *reports) awaitReady(t *testing.T) {
	t.Helper()
	for w.lines.Scan() {
		ready, stops := w.line(t)
		for stops != 0 && !stopped(stops) {
			runtime.Gosched()
		}
		if ready || stops != 0 {
			return
		}
	}
	require.Fail(t, "the child has not come into its state")
}

// line reads a line of the child's: that it is in its state, or about to stop itself, or what it
// leaves behind.
func (w *reports) line(t *testing.T) (ready bool, stops int) {
	t.Helper()
	text, pid := w.lines.Text(), 0
	if text == "ready" {
		return true, 0
	}
	if _, err := fmt.Sscanf(text, "stops %d", &stops); err == nil {
		return false, stops
	}
	if _, err := fmt.Sscanf(text, "leaves %d", &pid); err != nil {
		require.Fail(t, text)
	}
	w.leaves = append(w.leaves, pid)
	return false, 0
}

// finish ends what is meant to be left behind, and verifies that no other process of the child's lives.
func (w *reports) finish(t *testing.T) {
	t.Helper()
	w.r.SetReadDeadline(time.Now().Add(5 * time.Second))
	for w.lines.Scan() {
		w.line(t)
	}
	require.NoError(t, w.lines.Err(), "a child lives on: %s", childList())
	for _, pid := range w.leaves {
		require.NoError(t, syscall.Kill(pid, 0), "what the child means to leave behind is gone")
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	w.r.Close()
}

// stopped reports whether a process, which need not be a child of this one, is stopped.
func stopped(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "T")
}

func threads() int {
	list, _ := os.ReadDir("/proc/self/task")
	return len(list)
}

// childList lists the children of this process.
func childList() string {
	var list []string
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		pids, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for pid := range strings.FieldsSeq(string(pids)) {
			cmdline, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			list = append(list, fmt.Sprintf("%s %q", pid, cmdline))
		}
	}
	return strings.Join(list, "; ")
}
