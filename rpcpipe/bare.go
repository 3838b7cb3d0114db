package rpcpipe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/handles"
)

// NewBare makes calls to any program that speaks MessagePack-RPC at the other end of conn, and
// answers its calls. The Peer owns conn.
//
// There is no hello, so nothing is agreed upon: types that are particular to Go go as plain
// MessagePack unless Options.Dialect says otherwise, metadata cannot be attached, deadlines do not
// cross, and errors cross as text. There are no frames, so a large message holds up those behind
// it, and there are no streams: Open, Accept and what Offer returns fail with
// [duplex.ErrNoStreams], and Ping with [errors.ErrUnsupported]. [Peer.Shutdown] waits for what this
// side knows of: its own calls, and those it is handling.
//
// The connection has no flow control but its own. Calls beyond Options.MaxHandlers and MaxWaiting
// are refused, and a peer that sends notifications faster than they are handled ends the link once
// 4 MiB of them wait, each counted with 128 bytes on top.
//
// Options that have no meaning, and those that cannot be had here, Keepalive, Checksum, Tap and what
// the other side must announce, make a Peer that has ended, with an error that names the option:
// see [Peer.Err].
func NewBare(conn io.ReadWriteCloser, opts *Options) *Peer {
	c := newConfig(opts)
	isGo := c.opts.Dialect == viaduct.GoDialect
	c.endpoint.Message.Body.GoPeer, c.endpoint.Message.Body.Zones = isGo, isGo
	refused := cmp.Or(c.check(), c.opts.checkBare())
	if refused != nil {
		conn = &refusedConn{conn, refused}
	}
	p := preparePeer("bare", conn, c)
	p.endpoint = endpoint.NewBare(conn, nil, c.opts.MaxMessage, c.withPeer(p))
	if refused != nil {
		p.endpoint.Fail(refused)
	}
	c.noTapOfEnv()
	close(p.up)
	live.enterPeer(p)
	go p.supervise()
	return p
}

// refusedConn is a connection from which nothing is read, as its options are refused.
type refusedConn struct {
	io.ReadWriteCloser
	why error
}

func (c *refusedConn) Read([]byte) (int, error) { return 0, c.why }

// checkBare reports options that ask for what a bare connection cannot give.
func (o *Options) checkBare() error {
	for _, x := range []struct {
		set         bool
		field, what string
	}{
		{o.Tap != nil, "Tap", "what goes over a bare connection is not recorded"},
		{o.Keepalive > 0, "Keepalive", "a bare connection has no pings"},
		{o.Checksum, "Checksum", "a bare connection has no frames"},
		{o.NeedName != "", "NeedName", "the other side of a bare connection says no hello"},
		{o.MinVersion != "", "MinVersion", "the other side of a bare connection says no hello"},
		{o.MaxVersion != "", "MaxVersion", "the other side of a bare connection says no hello"},
	} {
		if x.set {
			return fmt.Errorf("rpcpipe: Options.%s is set, and %s: leave it out, or use New with a viaduct peer", x.field, x.what)
		}
	}
	return nil
}

// errNoPing is the error of Ping on a bare connection.
var errNoPing = fmt.Errorf("rpcpipe: a bare connection has no pings: %w", errors.ErrUnsupported)

func noStreams(op string) error {
	return &net.OpError{Op: op, Net: "viaduct", Err: duplex.ErrNoStreams}
}

// noListener is the listener of a bare connection.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, noStreams("accept") }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return duplex.Addr("listener") }

// noOffer is an offer on a bare connection.
func noOffer() (StreamName, net.Conn) { return 0, handles.NoStream() }
