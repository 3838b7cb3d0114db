package procspawn

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ownCgroup makes a control group of version 2, and returns its directory.
func ownCgroup(t *testing.T) *os.File {
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var system unix.Statfs_t
		if unix.Statfs(root, &system) != nil || system.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir := filepath.Join(root, fmt.Sprint("viaduct-limits-", os.Getpid()))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		f, err := os.Open(dir)
		require.NoError(t, err)
		t.Cleanup(func() {
			f.Close()
			assert.NoError(t, os.Remove(dir), "processes are left")
		})
		return f
	}
	t.Skip("no control group of version 2 can be made here: that needs root, and a cgroup2 file system that is not read-only")
	return nil
}

// TestCgroup: the child is in the group from its start, and all that is in there ends with it.
func TestCgroup(t *testing.T) {
	noLeaks(t)
	dir := ownCgroup(t)
	seen := `while IFS=: read n c path; do case $n in 0) echo $path;; esac; done </proc/self/cgroup >&2; exit 3`
	_, err := Start(t.Context(), shell(seen), &Options{Limits: Limits{Cgroup: dir}})
	assert.ErrorContains(t, err, "stderr: /"+filepath.Base(dir.Name()))

	self := selfCmd("echo")
	words := []string{"-c", `setsid sleep 1000 & exec "$@"`, "sh", self.Path, Here}
	p := startChild(t, exec.Command("sh", append(words, self.Args[1:]...)...), &Options{Group: true, Limits: Limits{Cgroup: dir, Files: 100, Nice: 3}})
	echo(t, p, "there")
	p.Stop()
	awaitEmpty(t, dir)
}

// TestCgroupLimits: memory.max and pids.max are set, and end the child.
func TestCgroupLimits(t *testing.T) {
	noLeaks(t)
	dir := ownCgroup(t)
	limits := Limits{Cgroup: dir, Memory: 64 * mebibyte, Processes: 40}
	p, err := Start(t.Context(), selfCmd("greedy", "memory"), &Options{Limits: limits})
	if errors.Is(err, os.ErrNotExist) {
		assert.ErrorContains(t, err, "Limits.Memory: the control group has no memory.max: write +memory to cgroup.subtree_control")
		t.Skip("control groups of version 2 have no memory controller here")
	}
	require.NoError(t, err)
	<-p.Done()
	p.Stop()
	assertReached(t, p.Exit(), LimitMemory, true)
	assert.True(t, p.Exit().OutOfMemory)

	p = startGreedy(t, &Options{Limits: limits}, "threads")
	<-p.Done()
	assertReached(t, p.Exit(), LimitProcesses, true)
}

// awaitEmpty waits until no process is left in a control group.
func awaitEmpty(t *testing.T, dir *os.File) {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		events, err := os.ReadFile(filepath.Join(dir.Name(), "cgroup.events"))
		require.NoError(t, err)
		if strings.Contains(string(events), "populated 0") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("something is left in the control group")
}
