package viaduct

import (
	"context"
	"os/exec"

	"github.com/viaduct-go/viaduct/bench/internal/work"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// client calls through the standard rpc.Client.
type client struct {
	*work.Client
	peer *rpcpipe.Peer
}

// StartClient is a work.StartFunc.
func StartClient(ctx context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	p, err := start(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return &client{work.NewClient(p.Client(), service), p}, nil
}

func (c *client) Close() error {
	c.peer.Close()
	c.peer.Wait() // says that it was closed
	return nil
}

// ServeClient is the child.
func ServeClient() error {
	return serve(func(p *rpcpipe.Peer) work.Caller { return p.Client() })
}
