package procspawn

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestLimitsJob: a job has the limits, the child is in it, and it runs.
func TestLimitsJob(t *testing.T) {
	for _, opts := range []*Options{{}, {Group: true}, {ParentDeath: KillWithParent}} {
		noLeaks(t)
		opts.Limits = Limits{Memory: 200 << 20, CPU: time.Hour, Processes: 7, Nice: 5}
		p := startChild(t, selfCmd("echo"), opts)
		echo(t, p, "there")
		exit := p.Stop()
		assert.Equal(t, 0, exit.Code)
		assert.Zero(t, exit.Limit)
	}
}
