package rpcpipe_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// largePipes returns how many ends of pipes this process has that hold 1 MiB, or, as a child has them,
// 256 KiB.
func largePipes(t *testing.T) (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		require.NoError(t, err)
		if size, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil && size >= 256<<10 {
			n++
		}
	}
	return n
}

// TestCapacity: the pipes to and from a child hold much while nothing small goes through them, and
// only then.
func TestCapacity(t *testing.T) {
	if !tuning.Capacity {
		t.Skip("it is turned off")
	}
	p := startChild(t, "service")
	before := largePipes(t)
	data := make([]byte, 1<<20)
	echo := func() {
		var back []byte
		require.NoError(t, p.Call("Service.Echo", data, &back))
		require.Equal(t, data, back)
	}
	// The child may have sent its first small messages, or had its turn, late.
	for begin := time.Now(); largePipes(t) != before+2; echo() {
		require.Less(t, time.Since(begin), time.Minute)
	}
	require.NoError(t, p.Call("Service.Echo", []byte("small"), new([]byte)))
	require.Eventually(t, func() bool { return largePipes(t) == before }, time.Minute, time.Millisecond)
	echo()
	require.Equal(t, before, largePipes(t), "a small one was there just now")
}
