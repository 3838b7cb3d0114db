// Package grpc is google.golang.org/grpc on a unix socket.
package grpc

import (
	"context"
	"math"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/contender/grpcwork"
	"github.com/viaduct-go/viaduct/bench/internal/contender/protowork"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// backSuffix makes of the child's socket the one on which its parent listens.
const backSuffix = ".back"

type peer struct {
	grpcwork.Client
	child *child.Child
	path  string
	conn  *grpc.ClientConn
	back  *grpc.Server // nil if the child calls nobody
}

func dial(path string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))
}

// Start is a work.StartFunc. The server of a connection of gRPC calls nobody, so a parent that is
// called listens, too.
func Start(_ context.Context, cmd *exec.Cmd, opts work.Options) (work.Peer, error) {
	c, path, err := child.StartSocket(cmd)
	if err != nil {
		return nil, err
	}
	p := &peer{child: c, path: path}
	if opts.CallBack {
		l, err := net.Listen("unix", path+backSuffix)
		if err != nil {
			p.Close()
			return nil, err
		}
		p.back = grpc.NewServer()
		grpcwork.Register(p.back, new(protowork.Server))
		go p.back.Serve(l)
	}
	if p.conn, err = dial(path); err != nil {
		p.Close()
		return nil, err
	}
	p.Client = grpcwork.NewClient(p.conn)
	return p, nil
}

func (p *peer) CallBack(callers int, d time.Duration) (int, error) {
	return p.Client.CallBack(0, callers, d)
}

func (p *peer) Close() error {
	var err error
	if p.conn != nil {
		err = p.conn.Close()
	}
	p.child.End()
	if p.back != nil {
		p.back.Stop() // removes its socket
	}
	os.Remove(p.path)
	return err
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
		conn, err := dial(path + backSuffix)
		if err != nil {
			return nil, err
		}
		return grpcwork.NewClient(conn), nil
	})
	server := grpc.NewServer(grpcwork.Large)
	grpcwork.Register(server, &protowork.Server{Parent: func(uint32) (work.Adder, error) { return parent() }})
	return server.Serve(l)
}
