// Package buffer keeps the buffers that messages are encoded into, small and large ones apart: a small
// message must not take a large one, and a new one for each large message keeps the garbage collector
// busy, which small messages wait for.
package buffer

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

const (
	// small is the capacity up to which a buffer is a small one.
	small = 64 << 10
	// largeBits and mostBits are of the least and the greatest capacity of large ones that are kept:
	// 128 KiB to 16 MiB. Each power of two has a pool.
	largeBits = 17
	mostBits  = 24
)

var (
	smalls = sync.Pool{New: func() any { return new([]byte) }}
	larges [mostBits - largeBits + 1]sync.Pool // of *[]byte
)

// Get returns an empty buffer, for Put to take back.
func Get() *[]byte { return smalls.Get().(*[]byte) }

// Put keeps b for later. Nobody may use it any more.
func Put(b *[]byte) {
	*b = (*b)[:0]
	if cap(*b) <= small {
		smalls.Put(b)
		return
	}
	if n := bits.Len(uint(cap(*b))) - 1; n >= largeBits && n <= mostBits && tuning.LargeBuffers {
		larges[n-largeBits].Put(b)
	}
}

// Grow returns b with room for n bytes more. Then b itself is not to be used any more.
func Grow(b []byte, n int) []byte {
	if n <= cap(b)-len(b) {
		return b
	}
	size := len(b) + n
	if size <= small || !tuning.LargeBuffers {
		return slices.Grow(b, n)
	}
	power := max(bits.Len(uint(size-1)), largeBits)
	if power > mostBits {
		return slices.Grow(b, n)
	}
	if kept, ok := larges[power-largeBits].Get().(*[]byte); ok {
		return append(*kept, b...)
	}
	return append(make([]byte, 0, 1<<power), b...)
}
