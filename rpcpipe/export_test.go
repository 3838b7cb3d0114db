package rpcpipe

import "context"

// SuperviseWith is Supervise of peers that are started by start, which need no processes.
var SuperviseWith = supervise

// TermPatience is how long a child that was sent SIGTERM goes on serving.
const TermPatience = termPatience

// Settle waits until nothing goes on that p has given up.
func Settle(ctx context.Context, p *Peer) error { return p.endpoint.Settle(ctx) }

// NewPoolWith is NewPool of peers that are started by start, which need no processes.
var NewPoolWith = newPool

// LetsGoOfSIGTERM reports whether a child whose link is that of p, and has ended before it could wait
// for SIGTERM, lets go of the signal.
func LetsGoOfSIGTERM(p *Peer) (letsGo bool) {
	t := &termination{stop: func() { letsGo = true }, raise: func() {}}
	t.begin(p)
	return letsGo
}

// Break closes the connection of p from below, as if the process had died.
func Break(p *Peer) error { return p.link.Close() }
