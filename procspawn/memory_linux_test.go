package procspawn

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The hoards helper takes as many MiB as it is told, says so, and waits; with "drops" it gives them
// back first, with "exits" it exits instead, with "closes" it closes its link and lives on.
var _ = helper("hoards", func(args []string) {
	l := connect(&Options{ExitTimeout: -1})
	n, err := strconv.Atoi(args[0])
	must(err)
	hoard(n)
	io.WriteString(l, "ready")
	switch args[1] {
	case "exits":
		return
	case "closes":
		l.Close()
		select {}
	}
	l.Read(make([]byte, 1))
})

// hoard holds n MiB for a moment.
func hoard(n int) {
	kept := make([][]byte, n)
	for i := range kept {
		kept[i] = make([]byte, mebibyte)
		for j := 0; j < mebibyte; j += 4096 {
			kept[i][j] = 1
		}
	}
	runtime.KeepAlive(kept)
}

// assertPeak verifies a peak, in MiB.
func assertPeak(t *testing.T, exit *Exit, least, most int64) {
	t.Helper()
	assert.GreaterOrEqual(t, exit.PeakMemory, least*mebibyte)
	if !raceDetector { // which takes some itself
		assert.Less(t, exit.PeakMemory, most*mebibyte)
	}
}

// TestPeakMemory: the report has what the child has held, not what this process has.
func TestPeakMemory(t *testing.T) {
	hoard(200)
	t.Run("of a small child", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "1", "waits"), nil)
		expect(t, p, "ready")
		assertPeak(t, p.Stop(), 2, 60)
	})
	t.Run("of one that exits", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "1", "exits"), nil)
		<-p.Done()
		assertPeak(t, p.Exit(), 0, 60) // it may have been seen at its start alone
	})
	t.Run("that is over", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "100", "drops"), nil)
		expect(t, p, "ready")
		assertPeak(t, p.Stop(), 100, 160)
	})
	t.Run("of one that closes its link", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "100", "closes"), &Options{CloseTimeout: -1})
		_, err := readLink(p.Link())
		assert.Equal(t, io.EOF, err)
		assertPeak(t, p.Stop(), 100, 160)
	})
	t.Run("of one that is killed here", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "100", "waits"), nil)
		expect(t, p, "ready")
		require.NoError(t, p.Kill())
		<-p.Done()
		assertPeak(t, p.Exit(), 100, 160)
	})
	t.Run("of one that others kill", func(t *testing.T) {
		p := startChild(t, selfCmd("hoards", "600", "waits"), nil)
		expect(t, p, "ready")
		require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGKILL))
		<-p.Done()
		assertPeak(t, p.Exit(), 600, 700)
		assert.False(t, p.Exit().OutOfMemory)
	})
}

// memoryGroup makes a control group with a limit, in MiB, and returns its directory.
func memoryGroup(t *testing.T, limit int) string {
	for _, version := range []struct{ root, limit string }{
		{"/sys/fs/cgroup", "memory.max"},
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	} {
		if _, err := os.Stat(filepath.Join(version.root, "cgroup.procs")); err != nil {
			continue // it holds those of version 1
		}
		dir := filepath.Join(version.root, fmt.Sprintf("viaduct-test-%d-%d", os.Getpid(), limit))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { os.Remove(dir) })
		if os.WriteFile(filepath.Join(dir, version.limit), fmt.Appendln(nil, limit*mebibyte), 0) == nil {
			return dir
		}
	}
	t.Skip("no control group can be made here")
	return ""
}

// moved is a Cmd for a helper that is moved to a control group first.
func moved(dir, name string, args ...string) *exec.Cmd {
	self := selfCmd(name, args...)
	words := []string{"-c", `echo $$ >"$0"/cgroup.procs && exec "$@"`, dir, self.Path, Here}
	return exec.Command("sh", append(words, self.Args[1:]...)...)
}

// TestOutOfMemory: the system kills a child that takes too much, and the report says so; not of
// another child of the group that somebody kills.
func TestOutOfMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes more than the control group gives")
	}
	dir := memoryGroup(t, 64)
	other := startChild(t, moved(dir, "echo"), nil)
	echo(t, other, "there")
	p := startChild(t, moved(dir, "hoards", "200", "waits"), nil)
	_, err := readEnd(p)
	<-p.Done()
	exit := p.Exit()
	require.Equal(t, os.Kill, exit.Signal, "%v, %v", exit, err)
	assert.True(t, exit.OutOfMemory)
	assert.Equal(t, BySignal, exit.By)
	assert.True(t, strings.HasPrefix(exit.Error(), fmt.Sprintf("child %d: signal: killed (out of memory)", p.Pid())), exit.Error())
	echo(t, other, "still there")
	require.NoError(t, syscall.Kill(other.Pid(), syscall.SIGKILL))
	<-other.Done()
	assert.Equal(t, os.Kill, other.Exit().Signal)
	assert.False(t, other.Exit().OutOfMemory)
}
