package plugin

import (
	"context"
	"net/rpc"
	"os/exec"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/viaduct-go/viaduct/bench/internal/lifeline"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// service is the name that go-plugin gives to all services.
const service = "Plugin"

type netPeer struct {
	worker
	client *plugin.Client
}

func (p netPeer) Close() error {
	p.client.Kill()
	return nil
}

// StartNet is a work.StartFunc.
func StartNet(_ context.Context, cmd *exec.Cmd, _ work.Options) (work.Peer, error) {
	client, w, err := start(cmd, plugin.ProtocolNetRPC, netPlugin{})
	if err != nil {
		return nil, err
	}
	return netPeer{w, client}, nil
}

// netPlugin makes both ends.
type netPlugin struct{}

// Server is called in the child.
func (netPlugin) Server(b *plugin.MuxBroker) (any, error) {
	var mu sync.Mutex
	parents := map[uint32]work.Adder{}
	return &work.Service{Parent: func(id uint32) (work.Adder, error) {
		mu.Lock()
		defer mu.Unlock()
		if parents[id] == nil {
			conn, err := b.Dial(id)
			if err != nil {
				return nil, err
			}
			parents[id] = work.NewClient(rpc.NewClient(conn), service)
		}
		return parents[id], nil
	}}, nil
}

// Client is called in the parent.
func (netPlugin) Client(b *plugin.MuxBroker, c *rpc.Client) (any, error) {
	return &netWorker{Client: work.NewClient(c, service), broker: b}, nil
}

type netWorker struct {
	*work.Client
	broker *plugin.MuxBroker

	once sync.Once
	id   uint32 // of the way back
}

func (w *netWorker) CallBack(callers int, d time.Duration) (int, error) {
	w.once.Do(func() {
		w.id = w.broker.NextId()
		go w.broker.AcceptAndServe(w.id, work.Small{})
	})
	return w.CallBackBy(w.id, callers, d)
}

// ServeNet is the child.
func ServeNet() error {
	lifeline.Watch()
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake, Plugins: plugin.PluginSet{name: netPlugin{}}, Logger: hclog.NewNullLogger(),
	})
	return nil
}
