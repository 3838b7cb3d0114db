package memory

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestCounters(t *testing.T) {
	assert.Equal(t, []string{
		"/sys/fs/cgroup/a/b/memory.events.local", "/sys/fs/cgroup/a/b/memory.events",
		"/sys/fs/cgroup/memory.events.local", "/sys/fs/cgroup/memory.events",
	}, counters("0::/a/b\n"))
	assert.Equal(t, []string{"/sys/fs/cgroup/memory/a:b/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control"},
		counters("5:cpu:/x\n4:memory:/a:b\nnonsense\n"))
	assert.Empty(t, counters(""))
}

func TestReadKills(t *testing.T) {
	for text, want := range map[string]int{
		"low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\noom_group_kill 5\n": 4,
		"oom_kill_disable 0\nunder_oom 0\noom_kill 7\n":               7,
		"oom_kill 1": 1,
		"oom 3\n":    -1,
		"oom_kill x": -1,
		"":           -1,
	} {
		file := filepath.Join(t.TempDir(), "counter")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		n, ok := readKills(file)
		if !ok {
			n = -1
		}
		assert.Equal(t, want, n, "%q", text)
	}
	_, ok := readKills("/no/such")
	assert.False(t, ok)
}

// TestAccounting: each kill is accounted for by one child at most.
func TestAccounting(t *testing.T) {
	g := newGroup(filepath.Join(t.TempDir(), "counter"))
	g.users = 9
	kills := 0
	count := func(n int) {
		kills += n
		require.NoError(t, os.WriteFile(g.counter, []byte("oom_kill "+strconv.Itoa(kills)), 0o600))
	}
	count(3) // before any child was there
	first, second := kills, kills
	assert.False(t, g.leave(first, true), "killed by somebody")
	count(1)
	third := kills
	assert.False(t, g.leave(third, true), "the kill was before it")
	assert.False(t, g.leave(third, false), "it was not killed")
	assert.True(t, g.leave(second, true))
	assert.False(t, g.leave(second, true), "another one has accounted for the kill")
	count(2)
	assert.True(t, g.leave(first, true))
	assert.True(t, g.leave(third, true))
	assert.Equal(t, 2, g.users)
	assert.False(t, (*group)(nil).leave(0, true))
}

// TestIsAlive: a process that was killed is not, also while nobody has waited for it.
func TestIsAlive(t *testing.T) {
	assert.True(t, isAlive(os.Getpid()))
	assert.False(t, isAlive(1<<30))
	cmd := exec.Command("cat")
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	assert.True(t, isAlive(pid))
	require.NoError(t, cmd.Process.Kill())
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
	}
	require.NoError(t, err)
	assert.False(t, isAlive(pid))
	require.Error(t, cmd.Wait())
	assert.False(t, isAlive(pid))
}
