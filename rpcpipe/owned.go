package rpcpipe

import "net/rpc"

// OwnedClient returns a standard client whose Close closes the Peer as well, in the parent the
// child with it: for code that is handed an rpc.Client and knows of nothing else to close. That
// Close waits as [Peer.Close] does, and so it must not be called in Options.OnExit of a parent. A
// client that ends for itself, because of a reply that cannot be decoded, leaves the Peer as it is
// until it is closed. All else is as with [Peer.Client]; each call makes another client.
func (p *Peer) OwnedClient() *rpc.Client {
	return rpc.NewClientWithCodec(&ownedCodec{p.endpoint.ClientCodec(), p})
}

// ownedCodec closes its Peer. Only rpc.Client.Close calls Close: the codec within closes itself when
// reading from it fails.
type ownedCodec struct {
	rpc.ClientCodec
	peer *Peer
}

func (c *ownedCodec) Close() error {
	c.ClientCodec.Close() // its calls fail as those of a client that was closed
	return c.peer.Close()
}
