package rpcpipe_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestPoolLimits: a job that takes more memory than its child may have ends with that, is not tried
// for ever, and says so.
func TestPoolLimits(t *testing.T) {
	if raceEnabled {
		t.Skip("a program with the race detector maps more than a limit of memory allows")
	}
	p := labourPool(t, &rpcpipe.PoolOptions{Size: 2, Attempts: 2, Supervise: &rpcpipe.SuperviseOptions{
		Peer: &rpcpipe.Options{Limits: procspawn.Limits{Memory: 100 << 20}},
	}})
	for range 3 {
		err := p.Call("Labour.Overeat", 400<<20, nil)
		var job *rpcpipe.JobError
		require.ErrorAs(t, err, &job)
		require.Equal(t, 2, job.Attempts)
		require.NotNil(t, job.Exit)
		require.Equal(t, procspawn.LimitMemory, job.Exit.Limit.Limit, "%v", err)
		require.NoError(t, p.Call("Labour.Pid", 0, nil))
	}
	require.EqualValues(t, 6, p.Stats().Lost)
}

// TestPoolOverMachines: the children may be behind several sshd.
func TestPoolOverMachines(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	machines := [][]string{testkit.StartSSHD(t), testkit.StartSSHD(t)}
	self, err := os.Executable()
	require.NoError(t, err)
	starts := make(chan int, 1)
	starts <- 0
	p, err := rpcpipe.NewPool(t.Context(), func(rpcpipe.Incarnation) (*exec.Cmd, error) {
		n := <-starts
		starts <- n + 1
		ssh := append(machines[n%2], self, procspawn.Here, "labour")
		return exec.Command(ssh[0], ssh[1:]...), nil
	}, &rpcpipe.PoolOptions{Size: 4, Supervise: &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Stdio: true}}})
	require.NoError(t, err)
	require.Equal(t, 4, p.Stats().Up)
	pids := make(map[int]bool)
	args := func(yield func(int) bool) {
		for len(pids) < 4 && yield(0) {
		}
	}
	for job, err := range rpcpipe.Map[int](t.Context(), p, "Labour.Pid", args, nil) {
		require.NoError(t, err)
		pids[job.Reply] = true
	}
	var job *rpcpipe.JobError
	require.ErrorAs(t, p.Call("Labour.Exit", 5, nil), &job)
	require.Equal(t, 5, job.Exit.Code, "ssh hands it on")
	require.NoError(t, p.Call("Labour.Pid", 0, nil))
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
}
