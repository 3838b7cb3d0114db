package capture

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbered returns n bytes that show a gap.
func numbered(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%07d,", i)
	}
	return b.Bytes()[:n]
}

func TestTail(t *testing.T) {
	all := numbered(5*TailSize + 4321)
	for _, step := range []int{97, 4096, 16 << 10, TailSize - 1, TailSize, TailSize + 1, 3 * TailSize} {
		var tl Tail
		for i := 0; i < len(all); i += step {
			end := min(i+step, len(all))
			tl.Add(all[i:end])
			if i%17 == 0 || end == len(all) {
				got, kept := tl.Bytes()
				require.True(t, kept)
				require.True(t, bytes.Equal(all[max(0, end-TailSize):end], got), "step %d at %d", step, i)
			}
			require.LessOrEqual(t, len(tl.buf), 2*TailSize)
		}
	}
	_, kept := (*Tail)(nil).Bytes()
	assert.False(t, kept)
}

func TestHead(t *testing.T) {
	var h head
	for range 3 * crashSize / 1000 {
		h.Add(bytes.Repeat([]byte{'x'}, 1000))
	}
	assert.Len(t, h.bytes(), crashSize)
	assert.Nil(t, (*head)(nil).bytes())
}
