package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCrashScan(t *testing.T) {
	for _, tt := range []struct{ stderr, crash, fault string }{
		{"", "", ""},
		{"panic: a\n", "", ""},
		{"goroutine 1 [running]:\n", "", ""},
		{"x\npanic: a\n\tpanic: b\n\ngoroutine 1 [running]:\ny\n", "panic: a\n\tpanic: b\n\ngoroutine 1 [running]:\ny\n", "panic: b"},
		{"panic: old\npanic: new\n\ngoroutine 1 [running]:\n", "panic: new\n\ngoroutine 1 [running]:\n", "panic: new"},
		{"runtime: log\nx\nruntime: 1\nruntime: 2\nfatal error: f\n\nruntime stack:\ngoroutine 1:\n", "runtime: 1\nruntime: 2\nfatal error: f\n\nruntime stack:\ngoroutine 1:\n", "fatal error: f"},
		{"SIGQUIT: quit\nPC=1\n\ngoroutine 0 [idle]:", "SIGQUIT: quit\nPC=1\n\ngoroutine 0 [idle]:", "SIGQUIT: quit"},
		{"fatal error: f\n\nruntime stack:\nruntime.throw()\n", "fatal error: f\n\nruntime stack:\nruntime.throw()\n", "fatal error: f"},
		{"fatal error: f\nruntime: panic before malloc heap initialized\n\nruntime stack:\nx\n", "fatal error: f\nruntime: panic before malloc heap initialized\n\nruntime stack:\nx\n", "fatal error: f"},
		{"runtime: out of memory\nfatal error: out of memory\n\nruntime stack:\nx\n", "runtime: out of memory\nfatal error: out of memory\n\nruntime stack:\nx\n", "fatal error: out of memory"},
		{"runtime stack:\nx\n", "", ""},
		{"fatal error: f\nthe runtime stack:\n", "", ""},
		{"SIGNALS are no crash\ngoroutine 0 [idle]:", "", ""},
	} {
		for size := 1; size <= len(tt.stderr); size++ {
			var c crashScan
			for part := range slicesOf(tt.stderr, size) {
				c.Add([]byte(part))
			}
			got := wholeCrash(nil, c.bytes(), true)
			require.Equal(t, tt.crash, string(got), "in pieces of %d", size)
			require.Equal(t, tt.fault, Fault(got))
			require.Nil(t, wholeCrash(nil, c.bytes(), false))
		}
	}
	assert.Equal(t, "\nx", string(wholeCrash([]byte("\nx"), nil, true)))
	assert.Equal(t, "runtime: a\nfatal error: b\n\nx", string(wholeCrash([]byte("\nx"), []byte("runtime: a\nfatal error: b\n\ngoroutine 1:"), true)))
	assert.Equal(t, "panic: x", string(wholeCrash([]byte("panic: x"), []byte("fatal error: b\n\ngoroutine 1:"), true)))
	var c crashScan
	c.Add([]byte(strings.Repeat("runtime: again\n", 1000) + "fatal error: " + strings.Repeat("x", 100_000) + "\n"))
	assert.Less(t, len(c.bytes()), maxScanGroup+maxScanLine+1)
	for range 30 {
		c.Add([]byte(strings.Repeat("x", 100_000) + "\n"))
	}
	assert.Len(t, c.bytes(), crashSize)
	assert.Nil(t, (*crashScan)(nil).bytes())
}

// slicesOf cuts s into pieces.
func slicesOf(s string, size int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i < len(s); i += size {
			if !yield(s[i:min(i+size, len(s))]) {
				return
			}
		}
	}
}
