package endpoint

import (
	"strings"

	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/tally"
)

// count counts c, which has just ended, by its method: it has been answered, given up, or lost with
// the link. What the library itself asks the other side is no call of a method.
func (p *pendingCalls) count(c *pendingCall, failed bool) {
	if p.tally.On() && !strings.HasPrefix(c.method, message.OwnPrefix) {
		now := tally.Now()
		p.tally.Ended(c.method, now-c.since, now, failed, false)
	}
}

// countNotification counts one that was sent, unless err says that it was not.
func (p *pendingCalls) countNotification(method string, err error) {
	if err != nil {
		return
	}
	if p.tally.On() {
		p.tally.Notified(method)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Notifications++
}

// MethodStats returns the numbers of each method that this side has called, and that the other side
// has: those that were counted, see tally.Table.
func (e *Endpoint) MethodStats() (made, served []tally.Stats) {
	return e.pending.tally.Stats(), e.served.MethodStats()
}

// Running returns the methods that run for the other side, the oldest first: those that began while
// they were counted.
func (e *Endpoint) Running() []serve.Running { return e.served.RunningMethods() }
