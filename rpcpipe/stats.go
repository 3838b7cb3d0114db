package rpcpipe

import "github.com/viaduct-go/viaduct/duplex"

// Stats says what a Peer has done and is doing. The numbers are of one moment for each of its
// parts.
type Stats struct {
	Made   CallStats    // calls of this side
	Served ServeStats   // calls of the other side
	Stalls StallStats   // what waits, or has waited, for longer than Options.StallReport
	Link   duplex.Stats // what carries them; zero on a bare connection
}

// StallStats count what waits for longer than Options.StallReport, until the link ends.
type StallStats struct {
	Sending  int    // messages of this side that wait for credit or room now
	Handling int    // calls that wait for a place, and handlers that hold up notifications
	Total    uint64 // of either kind, ever
}

// CallStats are those of the calls that this side makes.
type CallStats struct {
	Calls         uint64 // begun, ever
	Failed        uint64 // of them, those that the other side answered with an error
	Cancelled     uint64 // given up by this side before their reply came, or before they were sent
	Notifications uint64 // sent, ever
	Pending       int    // calls that wait for their reply now
}

// ServeStats are those of the calls that the other side makes.
type ServeStats struct {
	Calls                uint64 // that have come in, ever
	Failed               uint64 // of them and of Notifications, those that failed
	Cancelled            uint64 // given up by the other side before they were answered
	Refused              uint64 // because too many were in flight
	Notifications        uint64 // that have come in, ever
	DroppedNotifications uint64 // of them, those that still waited when Wait gave up: see [Peer.Wait]
	Running              int    // methods that run now, for notifications included
	Waiting              int    // calls that wait for others to end: see Options.MaxHandlers
	WaitingNotifications int    // that wait for their turn
}

// Stats returns the numbers as they are now. It waits for nothing, and is cheap; it sends one ping,
// so that the next call knows the round trip.
func (p *Peer) Stats() Stats {
	calls := p.endpoint.Stats()
	s := Stats{Made: CallStats(calls.Made), Served: ServeStats(calls.Served), Stalls: StallStats(calls.Stalls)}
	if p.conn != nil {
		s.Link = p.conn.Stats()
	}
	return s
}
