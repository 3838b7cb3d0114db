package procspawn

import (
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const mebibyte = 1 << 20

// The holds helper has 100 MiB until its link ends.
var _ = helper("holds", func([]string) {
	l := connect(nil)
	held := make([]byte, 100*mebibyte)
	for i := 0; i < len(held); i += 4096 {
		held[i] = 1
	}
	io.WriteString(l, "ready")
	l.Read(make([]byte, 1))
	runtime.KeepAlive(held)
})

// TestMemory: a Process tells what it holds now.
func TestMemory(t *testing.T) {
	p := startChild(t, selfCmd("holds"), nil)
	expect(t, p, "ready")
	held := p.Memory()
	switch runtime.GOOS {
	case "linux", "darwin", "windows":
		assert.Greater(t, held, int64(100*mebibyte))
		assert.Less(t, held, int64(400*mebibyte))
	default:
		assert.Zero(t, held)
	}
	p.Stop()
	require.Zero(t, p.Memory())
}
