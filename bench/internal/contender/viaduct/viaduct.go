// Package viaduct is the library of this repository, by its own calls and, as a contender of its
// own, through the standard client.
package viaduct

import (
	"context"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"sync"

	"github.com/viaduct-go/viaduct/bench/internal/work"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

const service = "Work"

type peer struct {
	*work.Client
	peer *rpcpipe.Peer

	mu     sync.Mutex
	stream net.Conn // opened when it is first asked for
}

// Start is a work.StartFunc.
func Start(ctx context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	p, err := start(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return &peer{Client: work.NewClient(p, service), peer: p}, nil
}

func start(ctx context.Context, cmd *exec.Cmd) (*rpcpipe.Peer, error) {
	server := rpc.NewServer()
	if err := server.RegisterName(service, work.Small{}); err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr // as README has it
	return rpcpipe.Start(ctx, cmd, &rpcpipe.Options{Server: server})
}

func (p *peer) Close() error {
	p.peer.Close()
	p.peer.Wait() // says that it was closed
	return nil
}

// Pour sends on one stream all that it is ever given.
func (p *peer) Pour(total, chunk int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		var err error
		if p.stream, err = p.peer.Open(context.Background()); err != nil {
			return err
		}
	}
	return work.Pour(p.stream, total, chunk)
}

func (p *peer) Notify(n int) error {
	ctx := context.Background()
	for i := range n {
		if err := p.peer.Notify(ctx, service+".Note", &work.Pair{A: i}); err != nil {
			return err
		}
	}
	if err := p.peer.Sync(ctx); err != nil {
		return err
	}
	var handled int
	if err := p.peer.Call(service+".Notes", struct{}{}, &handled); err != nil {
		return err
	}
	if handled != n {
		return fmt.Errorf("of %d notifications %d were handled", n, handled)
	}
	return nil
}

// Serve is the child.
func Serve() error {
	return serve(func(p *rpcpipe.Peer) work.Caller { return p })
}

// serve is the child of both contenders, which differ in how it calls its parent.
func serve(caller func(*rpcpipe.Peer) work.Caller) error {
	connected := make(chan struct{})
	var parent work.Adder
	s := &work.Service{Parent: func(uint32) (work.Adder, error) {
		<-connected
		return parent, nil
	}}
	if err := rpc.RegisterName(service, s); err != nil {
		return err
	}
	p, err := rpcpipe.Connect(context.Background(), nil)
	if err != nil {
		return err
	}
	parent = work.NewClient(caller(p), service)
	close(connected)
	for {
		conn, err := p.Accept()
		if err != nil {
			return p.Wait()
		}
		go func() {
			defer conn.Close()
			work.Sink(conn)
		}()
	}
}
