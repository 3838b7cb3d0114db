package plugin

import (
	"context"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/viaduct-go/viaduct/bench/internal/contender/grpcwork"
	"github.com/viaduct-go/viaduct/bench/internal/contender/protowork"
	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// grpcPeer has besides what worker has the streams of gRPC.
type grpcPeer struct {
	*grpcWorker
	client *plugin.Client
}

func (p grpcPeer) Close() error {
	p.client.Kill()
	return nil
}

// StartGRPC is a work.StartFunc.
func StartGRPC(_ context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	client, w, err := start(cmd, plugin.ProtocolGRPC, &grpcPlugin{})
	if err != nil {
		return nil, err
	}
	return grpcPeer{w.(*grpcWorker), client}, nil
}

// grpcPlugin makes both ends.
type grpcPlugin struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer is called in the child.
func (*grpcPlugin) GRPCServer(b *plugin.GRPCBroker, g *grpc.Server) error {
	var mu sync.Mutex
	parents := map[uint32]work.Adder{}
	grpcwork.Register(g, &protowork.Server{Parent: func(id uint32) (work.Adder, error) {
		mu.Lock()
		defer mu.Unlock()
		if parents[id] == nil {
			conn, err := b.Dial(id)
			if err != nil {
				return nil, err
			}
			parents[id] = grpcwork.NewClient(conn)
		}
		return parents[id], nil
	}})
	return nil
}

// GRPCClient is called in the parent.
func (*grpcPlugin) GRPCClient(_ context.Context, b *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return &grpcWorker{Client: grpcwork.NewClient(conn), broker: b}, nil
}

type grpcWorker struct {
	grpcwork.Client
	broker *plugin.GRPCBroker

	once sync.Once
	id   uint32 // of the way back
}

func (w *grpcWorker) CallBack(callers int, d time.Duration) (int, error) {
	w.once.Do(func() {
		w.id = w.broker.NextId()
		go w.broker.AcceptAndServe(w.id, func(opts []grpc.ServerOption) *grpc.Server {
			server := grpc.NewServer(opts...)
			grpcwork.Register(server, new(protowork.Server))
			return server
		})
	})
	return w.Client.CallBack(w.id, callers, d)
}

// ServeGRPC is the child.
func ServeGRPC() error {
	lifeline.Watch()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake, Plugins: plugin.PluginSet{name: &grpcPlugin{}}, Logger: hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(append(opts, grpcwork.Large)...) },
	})
	return nil
}
