package rpcpipe

import (
	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
)

// Stats says what a Peer has done and is doing.
type Stats struct {
	Made   viaduct.CallStats  // calls of this side
	Served viaduct.ServeStats // calls of the other side
	Link   duplex.Stats       // what carries them
}

// Stats returns the numbers as they are now. It waits for nothing, and is cheap; it sends one ping, so that the next call knows the round trip.
func (p *Peer) Stats() Stats {
	calls := p.endpoint.Stats()
	return Stats{calls.Made, calls.Served, p.conn.Stats()}
}
