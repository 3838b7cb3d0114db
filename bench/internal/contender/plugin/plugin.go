// Package plugin is hashicorp/go-plugin, with net/rpc and with gRPC, as its examples use it.
package plugin

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// name is that of the one plugin that a child has.
const name = "work"

var handshake = plugin.HandshakeConfig{ProtocolVersion: 1, MagicCookieKey: "VIADUCT_BENCH", MagicCookieValue: "work"}

// worker is what the plugin gives out in the parent: all of a work.Peer but its end.
type worker interface {
	work.Adder
	work.Echoer
	work.Updater
	work.FloatsEchoer
	work.CallBacker
	Usage(memory bool) (work.Usage, error)
}

// start starts cmd as a plugin and returns what it gives out.
func start(cmd *exec.Cmd, kind plugin.Protocol, p plugin.Plugin) (*plugin.Client, worker, error) {
	// The child's socket lies where this process has its own.
	cmd.Env = append(cmd.Env, plugin.EnvUnixSocketDir+"="+os.TempDir())
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		Plugins:          plugin.PluginSet{name: p},
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{kind},
		Logger:           hclog.NewNullLogger(),
		SyncStderr:       os.Stderr,
	})
	protocol, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	given, err := protocol.Dispense(name)
	if err != nil {
		client.Kill()
		return nil, nil, err
	}
	w, ok := given.(worker)
	if !ok {
		client.Kill()
		return nil, nil, fmt.Errorf("the plugin gives out a %T", given)
	}
	return client, w, nil
}
