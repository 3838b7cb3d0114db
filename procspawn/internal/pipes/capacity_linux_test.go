package pipes

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// capacityOf returns what the pipe holds that c writes to.
func capacityOf(t *testing.T, c *Conn) int {
	n, err := c.fcntl(unix.F_GETPIPE_SZ, 0)
	require.NoError(t, err)
	return n
}

// pair returns a Conn and the end that reads what it writes.
func pair(t *testing.T) (*Conn, *os.File) {
	c, read, write, err := New()
	require.NoError(t, err)
	t.Cleanup(func() {
		c.Close()
		read.Close()
		write.Close()
	})
	return c, read
}

func TestSetLarge(t *testing.T) {
	c, other := pair(t)
	usual := capacityOf(t, c)
	require.True(t, c.SetLarge(true))
	require.True(t, c.SetLarge(true))
	require.Equal(t, largeCapacity, capacityOf(t, c))
	_, err := c.Write(make([]byte, largeCapacity)) // does not wait
	require.NoError(t, err)
	require.False(t, c.SetLarge(false), "there is more in it than it could hold")
	require.Equal(t, largeCapacity, capacityOf(t, c))
	_, err = other.Read(make([]byte, largeCapacity))
	require.NoError(t, err)
	require.True(t, c.SetLarge(false))
	require.True(t, c.SetLarge(false))
	require.Equal(t, usual, capacityOf(t, c))
	require.Zero(t, largePipes.Load())
	require.NoError(t, c.Close())
	require.False(t, c.SetLarge(true))
}

// TestSetLargeMany: a process takes a part of what its user has, and gives it back.
func TestSetLargeMany(t *testing.T) {
	var large []*Conn
	for {
		c, _ := pair(t)
		if !c.SetLarge(true) {
			require.NotEqual(t, largeCapacity, capacityOf(t, c))
			break
		}
		large = append(large, c)
	}
	require.Len(t, large, maxLarge)
	require.True(t, large[0].SetLarge(false))
	require.True(t, large[0].SetLarge(true))
	for _, c := range large {
		require.NoError(t, c.Close())
		c.Close()
	}
	require.Zero(t, largePipes.Load())
}

// TestSetLargeNoPipe: what is no pipe, as behind sshd, stays as it is.
func TestSetLargeNoPipe(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	c := newConn(os.NewFile(uintptr(ends[0]), "socket"), os.NewFile(uintptr(ends[1]), "socket"))
	defer c.Close()
	require.False(t, c.SetLarge(true))
	require.Zero(t, largePipes.Load())
}
