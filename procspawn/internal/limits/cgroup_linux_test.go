package limits

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeCgroup makes a directory that has the files of a control group.
func fakeCgroup(t *testing.T, files map[string]string) (dir string, c *cgroup) {
	dir = t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	f, err := os.Open(dir)
	require.NoError(t, err)
	c = &cgroup{dir: f}
	t.Cleanup(c.close)
	return dir, c
}

func content(t *testing.T, dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return string(text)
}

// TestCgroupFiles: limits are written, taken back, and what cannot be written is named.
func TestCgroupFiles(t *testing.T) {
	cfg := &Config{Memory: 12345678, Processes: 50}
	dir, c := fakeCgroup(t, map[string]string{"memory.max": "max\n", "pids.max": "max\n"})
	require.NoError(t, c.set(cfg))
	assert.Equal(t, "12345678", content(t, dir, "memory.max")[:8])
	assert.Equal(t, "50", content(t, dir, "pids.max")[:2])
	c.undo()
	assert.Equal(t, "max\n", content(t, dir, "memory.max")[:4])
	assert.Equal(t, "max\n", content(t, dir, "pids.max")[:4])

	dir, c = fakeCgroup(t, map[string]string{"memory.max": "max\n"})
	err := c.set(cfg)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "Limits.Processes: the control group has no pids.max: write +pids")
	c.undo()
	assert.Equal(t, "max\n", content(t, dir, "memory.max")[:4])

	dir, c = fakeCgroup(t, nil)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "memory.max"), 0o700))
	err = c.set(cfg)
	require.Error(t, err)
	assert.ErrorContains(t, err, "Limits.Memory: memory.max of the control group cannot be set")
}

// TestCgroupVerdict: the counters of the group make certain what has happened.
func TestCgroupVerdict(t *testing.T) {
	dir, c := fakeCgroup(t, map[string]string{
		"memory.max": "max\n", "pids.max": "max\n", "pids.events": "max 3\n",
		"memory.events.local": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 0\n",
	})
	cfg := &Config{Memory: 12345678, Processes: 50}
	require.NoError(t, c.set(cfg))
	assert.Equal(t, counters{2, 1, 3}, c.kept)
	killed := &Outcome{Signal: syscall.SIGKILL, Code: -1}
	crashed := &Outcome{Code: 2, Crash: []byte("fatal error: newosproc")}
	assert.Zero(t, c.judge(cfg, killed))
	assert.Equal(t, Reached{Processes, false, `its crash has "newosproc"`}, c.judge(cfg, crashed))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "memory.events.local"), []byte("oom 3\noom_kill 2\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pids.events"), []byte("max 4\n"), 0o600))
	assert.Equal(t, Reached{Memory, true, "memory.events of its control group"}, c.judge(cfg, killed))
	assert.Equal(t, Reached{Processes, true, `its crash has "newosproc", and pids.events of its control group`}, c.judge(cfg, crashed))
	assert.Zero(t, c.judge(cfg, &Outcome{Signal: syscall.SIGKILL, Code: -1, Stopped: true}))
	assert.Zero(t, c.judge(&Config{Processes: 50}, killed))
}
