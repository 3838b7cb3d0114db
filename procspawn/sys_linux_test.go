package procspawn

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// awaitGone waits until a process that is not a child of this one has ended.
func awaitGone(t testing.TB, p *os.Process) {
	t.Helper()
	if fd, err := unix.PidfdOpen(p.Pid, 0); err == nil {
		defer unix.Close(fd)
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if err != unix.EINTR {
				require.NoError(t, err)
				return
			}
		}
	} else {
		require.Equal(t, unix.ESRCH, err)
	}
}

// bindThread binds the calling thread to the first CPU.
func bindThread(t testing.TB) {
	var set unix.CPUSet
	set.Set(0)
	require.NoError(t, unix.SchedSetaffinity(0, &set))
}
