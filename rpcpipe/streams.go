package rpcpipe

import (
	"context"
	"errors"
	"net"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
)

// Open opens a byte stream beside the calls and waits until the other side has taken it, by Accept
// or a Listener, or has refused it ([duplex.ErrRefused]). It is a full [net.Conn], a
// [*duplex.Stream], with half-close. ctx bounds the opening, not the life of the stream.
//
// A stream that nobody reads holds up neither calls nor other streams, but its own writer, once 64
// KiB of it, or more where both sides have kept up, wait to be read. Streams beyond
// Options.Backlog that wait for Accept are refused at once: who opens many at once does well
// to bound how many.
//
// Errors of streams are those of package duplex, see [duplex.Stream]. When the link has ended they
// unwrap to what ended it, as those of calls do.
func (p *Peer) Open(ctx context.Context) (net.Conn, error) {
	if p.conn == nil {
		return nil, noStreams("open")
	}
	stream, err := p.conn.Open(ctx)
	var op *net.OpError
	if errors.Is(err, duplex.ErrShutdown) && errors.As(err, &op) { // as calls say it
		op.Err = &viaduct.ShutdownError{Err: op.Err}
	}
	return stream, err
}

// Accept waits for the next stream that the other side opens by Open, and takes it. It may be
// called by several at once. When the link has ended it returns a [*net.OpError] that unwraps to
// why, on a bare connection at once [duplex.ErrNoStreams].
func (p *Peer) Accept() (net.Conn, error) {
	if p.conn == nil {
		return nil, noStreams("accept")
	}
	return p.conn.Accept()
}

// Listener returns a listener for the streams that the other side opens: for an
// [net/http.Server], for instance. Closing it ends neither the link nor the
// child. See [duplex.Conn.Listener].
func (p *Peer) Listener() net.Listener {
	if p.conn == nil {
		return noListener{}
	}
	return p.conn.Listener()
}

// A StreamName names a stream in an argument or a reply, so that a method can take a stream, or
// return one. Zero names none.
type StreamName uint32

// Offer returns a stream for the other side, and its name, which is to be sent there in an argument
// or a reply. What is written waits until the other side has opened the stream by [Peer.OpenOffer]
// or [StreamName.Open]; it does not go through Accept there. To end what is written use the
// [*duplex.Stream]'s CloseWrite, which may come before the stream is opened, as with an empty file.
// Close takes back an offer that nobody has opened: so close the stream when the call has ended.
// One that was sent in a reply to a caller who has given up is never opened: a deadline ends its
// Write. [Peer.Shutdown] waits for offers, also for one that is made meanwhile, although no call
// can carry its name any more: close that. If the other side does not know streams the name is 0,
// and Read and Write fail with [duplex.ErrNoStreams].
func (p *Peer) Offer() (StreamName, net.Conn) {
	if p.conn == nil {
		return noOffer()
	}
	name, conn := p.conn.Offer()
	return StreamName(name), conn
}

// OpenOffer opens a stream that the other side has offered, once. ctx bounds the opening. If there
// is no such offer any more the error is [duplex.ErrRefused], in the sense of errors.Is.
func (p *Peer) OpenOffer(ctx context.Context, name StreamName) (net.Conn, error) {
	if p.conn == nil {
		return nil, noStreams("open")
	}
	return p.conn.OpenOffer(ctx, uint32(name))
}

// Open opens a stream that the caller has offered. It is [Peer.OpenOffer] for a method
// that has the context of its call, see [FromContext]. With any other context it fails.
func (n StreamName) Open(ctx context.Context) (net.Conn, error) {
	p := FromContext(ctx)
	if p == nil {
		return nil, errNoPeer
	}
	return p.OpenOffer(ctx, n)
}

var errNoPeer = errors.New("rpcpipe: this is not the context of a call: use Peer.OpenOffer")

// peerKey is the key under which the contexts of handlers have their Peer.
type peerKey struct{}

// FromContext returns the Peer that has called a method, to call it back, given the context of the
// call (see [viaduct.Caller]), or one derived from it. It returns nil for any other context.
func FromContext(ctx context.Context) *Peer {
	if ctx == nil { // of an argument without SetContext
		return nil
	}
	p, _ := ctx.Value(peerKey{}).(*Peer)
	if p != nil {
		<-p.up // a call may come in before the Peer is whole
	}
	return p
}
