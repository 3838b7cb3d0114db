package limits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/windows"
)

// TestJob: a job is told of the limits in the units of the system.
func TestJob(t *testing.T) {
	cfg := Config{Memory: 64 << 20, CPU: 1500 * time.Millisecond, Processes: 3, Nice: 5}
	got := cfg.job()
	assert.EqualValues(t, 64<<20, got.JobMemoryLimit)
	assert.EqualValues(t, 15_000_000, got.BasicLimitInformation.PerProcessUserTimeLimit)
	assert.EqualValues(t, 3, got.BasicLimitInformation.ActiveProcessLimit)
	assert.EqualValues(t, windows.BELOW_NORMAL_PRIORITY_CLASS, got.BasicLimitInformation.PriorityClass)
	const flags = windows.JOB_OBJECT_LIMIT_JOB_MEMORY | windows.JOB_OBJECT_LIMIT_PROCESS_TIME | windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS | windows.JOB_OBJECT_LIMIT_PRIORITY_CLASS
	assert.EqualValues(t, flags, got.BasicLimitInformation.LimitFlags)
	assert.Zero(t, (&Config{Wall: time.Second}).job())
}

func TestPriorityClass(t *testing.T) {
	for nice, want := range map[int]uint32{
		19: windows.IDLE_PRIORITY_CLASS, 10: windows.IDLE_PRIORITY_CLASS, 9: windows.BELOW_NORMAL_PRIORITY_CLASS,
		1: windows.BELOW_NORMAL_PRIORITY_CLASS, -1: windows.ABOVE_NORMAL_PRIORITY_CLASS, -9: windows.ABOVE_NORMAL_PRIORITY_CLASS,
		-10: windows.HIGH_PRIORITY_CLASS, -20: windows.HIGH_PRIORITY_CLASS,
	} {
		assert.Equal(t, want, priorityClass(nice), "%d", nice)
	}
}
