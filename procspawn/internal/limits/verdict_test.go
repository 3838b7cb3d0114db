package limits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestHints: what a program prints last points to a limit that it has, and to no other.
func TestHints(t *testing.T) {
	all := Config{Memory: 1, CPU: 1, Processes: 1, Files: 1, FileSize: 1}
	for _, tt := range []struct {
		cfg    Config
		stderr string
		want   Limit
	}{
		{all, "fatal error: runtime: out of memory", Memory},
		{all, "runtime: cannot allocate memory", Memory},
		{all, "runtime: failed to create new OS thread (have 9 already; errno=11)\nfatal error: newosproc", Processes},
		{Config{Memory: 1}, "fatal error: newosproc", Memory},
		{all, "runtime/cgo: pthread_create failed: Resource temporarily unavailable", Processes},
		{all, "runtime: epollcreate failed with 24\nfatal error: runtime: netpollinit failed", Files},
		{all, "open /dev/null: too many open files", Files},
		{all, "write f: file too large", FileSize},
		{all, "SIGSYS: bad system call", SystemCall},
		{Config{Wall: 1}, "out of memory, newosproc, netpollinit failed, file too large", None},
		{all, "sorry", None},
	} {
		for _, o := range []Outcome{{Code: 2, Stderr: []byte(tt.stderr)}, {Code: 2, Crash: []byte(tt.stderr)}} {
			o.Filtered = tt.want == SystemCall
			r := tt.cfg.judge(&o)
			assert.Equal(t, tt.want, r.Limit, tt.stderr)
			assert.False(t, r.Certain)
			o.Stopped = true
			assert.Zero(t, tt.cfg.judge(&o), "of one that was stopped")
		}
		assert.Zero(t, tt.cfg.judge(&Outcome{Stderr: []byte(tt.stderr)}), "of one that has not failed")
	}
	assert.Equal(t, Reached{CPU, true, "it has said so"}, all.judge(&Outcome{Code: 2, Crash: []byte("panic: " + CPUReached)}))
}

// TestPause: memory is looked at in time for what can be taken until then, within bounds.
func TestPause(t *testing.T) {
	assert.Equal(t, 100*time.Millisecond, pause(1<<40))
	assert.Equal(t, 62500*time.Microsecond, pause(256<<20))
	assert.Equal(t, 5*time.Millisecond, pause(1))
	assert.Equal(t, 5*time.Millisecond, pause(0))
}
