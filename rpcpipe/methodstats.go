package rpcpipe

import (
	"time"

	"github.com/viaduct-go/viaduct/internal/tally"
)

// MethodStats are those of one method: of calls of this side, or of the other side. They count what
// has ended since methods are counted, see Options.MethodStats.
type MethodStats struct {
	Method string // "(others)" for all beyond 256; served, "(unknown)" for those that there are not
	Served bool   // the other side calls it; otherwise this side does

	Ended         uint64 // calls; served, also notifications that were handled
	Failed        uint64 // of Ended; of calls of this side also those given up or lost with the link
	Notifications uint64 // served: those of Ended that are ones; otherwise those that were sent

	// Took is how long those of Ended took. A call of this side: from when it had been encoded until its
	// reply came. One of the other side: from when a goroutine took it until its reply was on its
	// way. Total is the time of all of them together.
	Took  Latency
	Total time.Duration

	// Histogram has how many of Ended took from 2^i ns up to twice that, for each i up to that of the
	// longest.
	Histogram []uint64

	// Recent has how many ended, or were sent, in each of the last 60 seconds, the latest last. The
	// second that is not over yet is not among them.
	Recent []uint32
}

// MethodStats returns the numbers of each method as they are now: first those that this side calls,
// then those that the other side calls, each by their names. It is empty where nothing is counted: see
// Options.MethodStats. It waits for nothing.
func (p *Peer) MethodStats() []MethodStats {
	made, served := p.endpoint.MethodStats()
	list := make([]MethodStats, 0, len(made)+len(served))
	for _, s := range made {
		list = append(list, methodStatsOf(s, false))
	}
	for _, s := range served {
		list = append(list, methodStatsOf(s, true))
	}
	return list
}

func methodStatsOf(s tally.Stats, served bool) MethodStats {
	return MethodStats{
		Method: s.Method, Served: served, Ended: s.Ended, Failed: s.Failed, Notifications: s.Notifications,
		Took:  Latency{Count: s.Ended, P50: s.P50, P90: s.P90, P99: s.P99, Max: s.Max},
		Total: s.Total, Histogram: s.Histogram, Recent: s.Recent,
	}
}
