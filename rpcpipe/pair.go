package rpcpipe

import "net"

// Pair returns two peers connected in memory, for tests. What one is asked,
// the other answers, with the codec and the limits of a real link.
func Pair(a, b *Options) (*Peer, *Peer) {
	one, other := net.Pipe()
	fullA, fullB := a.withDefaults(), b.withDefaults()
	fullA.Duplex.MaxSend = fullB.Duplex.MaxMessage
	fullB.Duplex.MaxSend = fullA.Duplex.MaxMessage
	fullA.Codec.GoPeer, fullB.Codec.GoPeer = true, true
	return newPeer(one, nil, fullA), newPeer(other, nil, fullB)
}
