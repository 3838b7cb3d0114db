// Package ttrpc is containerd's ttrpc on a unix socket.
package ttrpc

import (
	"context"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/containerd/ttrpc"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/contender/protowork"
	"github.com/viaduct-go/viaduct/bench/internal/wire"
	"github.com/viaduct-go/viaduct/bench/internal/wire/ttrpcwire"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// backSuffix makes of the child's socket the one on which its parent listens.
const backSuffix = ".back"

type peer struct {
	protowork.Client
	stub   ttrpcwire.WorkClient
	child  *child.Child
	path   string
	client *ttrpc.Client
	back   *ttrpc.Server // nil if the child calls nobody
}

func dial(path string) (*ttrpc.Client, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(conn), nil
}

func newServer(s *protowork.Server) (*ttrpc.Server, error) {
	server, err := ttrpc.NewServer()
	if err != nil {
		return nil, err
	}
	ttrpcwire.RegisterWorkService(server, service{s})
	return server, nil
}

// Start is a work.StartFunc. The server of a connection of ttrpc calls nobody, so a parent that is
// called listens, too, as containerd does.
func Start(_ context.Context, cmd *exec.Cmd, opts work.Options) (work.Peer, error) {
	c, path, err := child.StartSocket(cmd)
	if err != nil {
		return nil, err
	}
	p := &peer{child: c, path: path}
	if err := p.connect(opts); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *peer) connect(opts work.Options) (err error) {
	if opts.CallBack {
		l, err := net.Listen("unix", p.path+backSuffix)
		if err != nil {
			return err
		}
		if p.back, err = newServer(new(protowork.Server)); err != nil {
			l.Close()
			return err
		}
		go p.back.Serve(context.Background(), l)
	}
	if p.client, err = dial(p.path); err != nil {
		return err
	}
	p.stub = ttrpcwire.NewWorkClient(p.client)
	p.Client = protowork.Client{Calls: p.stub}
	return nil
}

func (p *peer) CallBack(callers int, d time.Duration) (int, error) {
	return p.Client.CallBack(0, callers, d)
}

func (p *peer) Pour(total, chunk int) error {
	stream, err := p.stub.Sink(context.Background())
	if err != nil {
		return err
	}
	return protowork.Pour(stream, total, chunk)
}

func (p *peer) Notify(n int) error {
	stream, err := p.stub.Notes(context.Background())
	if err != nil {
		return err
	}
	return protowork.Notify(stream, n)
}

func (p *peer) Close() error {
	var err error
	if p.client != nil {
		err = p.client.Close()
	}
	p.child.End()
	if p.back != nil {
		p.back.Close() // removes its socket
	}
	os.Remove(p.path)
	return err
}

type service struct{ *protowork.Server }

func (service) Sink(_ context.Context, s ttrpcwire.Work_SinkServer) (*wire.Count, error) {
	return protowork.Sink(s.Recv)
}

func (service) Notes(_ context.Context, s ttrpcwire.Work_NotesServer) (*wire.Count, error) {
	return protowork.Notes(s.Recv)
}

// Serve is the child.
func Serve() error {
	l, err := child.Listen()
	if err != nil {
		return err
	}
	path, err := child.Socket()
	if err != nil {
		return err
	}
	parent := sync.OnceValues(func() (work.Adder, error) {
		client, err := dial(path + backSuffix)
		if err != nil {
			return nil, err
		}
		return protowork.Client{Calls: ttrpcwire.NewWorkClient(client)}, nil
	})
	server, err := newServer(&protowork.Server{Parent: func(uint32) (work.Adder, error) { return parent() }})
	if err != nil {
		return err
	}
	return server.Serve(context.Background(), l)
}
