package buffer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// TestGrow: what there was stays, and there is room for what is said.
func TestGrow(t *testing.T) {
	for _, size := range []int{0, 1, small - 1, small, small + 1, 1 << 17, 1<<17 + 1, 3 << 20, 1 << 24, 1<<24 + 1, 40 << 20} {
		for _, on := range []bool{true, false} {
			old := tuning.LargeBuffers
			tuning.LargeBuffers = on
			for range 3 {
				b := Get()
				require.Empty(t, *b)
				require.LessOrEqual(t, cap(*b), small)
				grown := Grow(append(*b, "head"...), size)
				require.Equal(t, "head", string(grown))
				require.GreaterOrEqual(t, cap(grown)-len(grown), size)
				*b = append(grown, make([]byte, size)...)
				require.Len(t, *b, 4+size)
				Put(b)
			}
			tuning.LargeBuffers = old
		}
	}
}

// TestLargeKept: a large buffer is used again, by one that fits.
func TestLargeKept(t *testing.T) {
	if !tuning.LargeBuffers {
		t.Skip("large buffers are not kept")
	}
	n := testing.AllocsPerRun(100, func() {
		b := Get()
		*b = Grow(*b, 3<<20)
		Put(b)
	})
	require.Less(t, n, 1.5) // what tells of the buffer, and now and then a collection that drops it
	b := Get()
	*b = Grow(*b, 100<<10)
	require.Less(t, cap(*b), 1<<20)
}
