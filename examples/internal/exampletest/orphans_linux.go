package exampletest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// CountOrphans returns how many processes of those that f starts have outlived
// the ones that started them, once they have all ended.
func CountOrphans(t *testing.T, f func()) (n int, known bool) {
	// Whoever has lost its parent becomes a child of this process.
	require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	f()
	ended := make(chan int, 1)
	go func() {
		n := 0
		for {
			_, err := unix.Wait4(-1, nil, 0, nil)
			switch err {
			case nil:
				n++
			case unix.EINTR:
			default: // no child is left
				ended <- n
				return
			}
		}
	}()
	select {
	case n := <-ended:
		return n, true
	case <-time.After(10 * time.Second):
		t.Fatal("a process is left behind")
		return 0, false
	}
}
