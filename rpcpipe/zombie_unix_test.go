//go:build unix

package rpcpipe_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireNoZombies fails if a child of this process has not been waited for.
func requireNoZombies(t *testing.T) {
	t.Helper()
	pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
	require.Equal(t, syscall.ECHILD, err, "a child is left: pid %d", pid)
}
