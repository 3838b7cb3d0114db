package rpcpipe

import (
	"net"

	"github.com/viaduct-go/viaduct/procspawn"
)

// Pair returns two peers connected in memory, for tests. What one is asked,
// the other answers, with the codec and the limits of a real link. It panics if their encodings differ, with which
// no link would come about.
func Pair(a, b *Options) (*Peer, *Peer) {
	one, other := net.Pipe()
	fullA, fullB := a.withDefaults(), b.withDefaults()
	if here, there := encodingName(fullA.Codec.Encoding), encodingName(fullB.Codec.Encoding); here != there {
		panic(&procspawn.EncodingError{Local: here, Remote: there})
	}
	fullA.Duplex.MaxSend = fullB.Duplex.MaxMessage
	fullB.Duplex.MaxSend = fullA.Duplex.MaxMessage
	fullA.Codec.GoPeer, fullB.Codec.GoPeer = true, true
	fullA.Codec.Extended, fullB.Codec.Extended = true, true
	fullA.Codec.LogPeer, fullB.Codec.LogPeer = fullB.Codec.LogHandler != nil, fullA.Codec.LogHandler != nil
	return newPeer(one, nil, fullA), newPeer(other, nil, fullB)
}
