package limits

import (
	"fmt"
	"time"
)

const (
	// fastest is how much memory a process is taken to be able to touch, in bytes a second. One
	// thread was seen to touch 2.4 GB.
	fastest = 4 << 30

	// shortest and longest bound the time between two looks at the memory of a process. A look
	// takes some 2 µs of one process, so this is 0.04 % of a processor at most.
	shortest = 5 * time.Millisecond
	longest  = 100 * time.Millisecond
)

// pause is how long memory need not be looked at when so much is left until its limit. Nothing
// tells when a process has taken more, so it is asked again and again.
func pause(left int64) time.Duration {
	return max(shortest, min(time.Duration(float64(left)/fastest*float64(time.Second)), longest))
}

// watch is the goroutine that kills a process whose memory is above its limit.
func (g *Guard) watch() {
	defer close(g.watched)
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-g.quit:
			return
		case <-t.C:
		}
		held := g.system.held()
		if held > g.cfg.Memory {
			g.reach(Reached{Memory, true, fmt.Sprintf("it held %d MiB, %d MiB is the limit", held>>20, g.cfg.Memory>>20)})
			return
		}
		t.Reset(pause(g.cfg.Memory - held))
	}
}
