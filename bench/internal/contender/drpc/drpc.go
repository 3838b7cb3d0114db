// Package drpc is storj.io/drpc over a pair of pipes. It does one call at a time on a connection:
// other callers wait for their turn.
package drpc

import (
	"context"
	"os/exec"

	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmanager"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"
	"storj.io/drpc/drpcwire"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/contender/protowork"
	service "github.com/viaduct-go/viaduct/bench/internal/wire/drpcwire"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// options take messages of up to 64 MiB. The default is 4 MiB.
var options = drpcmanager.Options{Reader: drpcwire.ReaderOptions{MaximumBufferSize: 64 << 20}}

type peer struct {
	protowork.Client
	stub  service.DRPCWorkClient
	child *child.Child
	conn  *drpcconn.Conn
}

// Start is a work.StartFunc.
func Start(_ context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	c, links, err := child.StartLinks(cmd, 1)
	if err != nil {
		return nil, err
	}
	conn := drpcconn.NewWithOptions(links[0], drpcconn.Options{Manager: options})
	stub := service.NewDRPCWorkClient(conn)
	return &peer{protowork.Client{Calls: stub}, stub, c, conn}, nil
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
	err := p.conn.Close()
	p.child.End()
	return err
}

type server struct{ *protowork.Server }

func (server) Sink(s service.DRPCWork_SinkStream) error {
	count, err := protowork.Sink(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(count)
}

func (server) Notes(s service.DRPCWork_NotesStream) error {
	count, err := protowork.Notes(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(count)
}

// Serve is the child.
func Serve() error {
	link, err := child.Inherited(0)
	if err != nil {
		return err
	}
	mux := drpcmux.New()
	if err := service.DRPCRegisterWork(mux, server{new(protowork.Server)}); err != nil {
		return err
	}
	drpcserver.NewWithOptions(mux, drpcserver.Options{Manager: options}).ServeOne(context.Background(), link) // until the parent is gone
	return nil
}
