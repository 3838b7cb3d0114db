//go:build unix

package body_test

import (
	"math"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
)

// TestBytesTooMany: the length of a bin has 32 bits and must not wrap.
func TestBytesTooMany(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("no slice is as long")
	}
	size := uint64(math.MaxUint32) + 1
	huge, err := syscall.Mmap(-1, 0, int(size), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Skip("no address space:", err)
	}
	defer syscall.Munmap(huge)
	_, err = new(body.Codec).Append(nil, huge)
	require.EqualError(t, err, "4294967296 bytes are more than MessagePack can carry")
}
