// Package contender lists those who are compared.
package contender

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/viaduct-go/viaduct/bench/internal/contender/bare"
	"github.com/viaduct-go/viaduct/bench/internal/contender/drpc"
	"github.com/viaduct-go/viaduct/bench/internal/contender/gob"
	"github.com/viaduct-go/viaduct/bench/internal/contender/grpc"
	"github.com/viaduct-go/viaduct/bench/internal/contender/plugin"
	"github.com/viaduct-go/viaduct/bench/internal/contender/ttrpc"
	"github.com/viaduct-go/viaduct/bench/internal/contender/viaduct"
	"github.com/viaduct-go/viaduct/bench/internal/contender/yamux"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

// Contender is a way to call methods in a child.
type Contender struct {
	Name   string
	About  string
	Module string // its code, if it is neither this repository nor Go itself

	// Program is the directory in minimal that has a program with nothing else.
	Program string

	start work.StartFunc
	serve func() error
}

// All are the contenders, in the order in which tables and plots show them.
var All = []*Contender{
	{"bare", "a ping-pong of fixed messages over the pipes: the floor", "", "bare", bare.Start, bare.Serve},
	{"viaduct", "rpcpipe.Peer.Call", "", "viaduct", viaduct.Start, viaduct.Serve},
	{"viaduct-client", "the standard rpc.Client of an rpcpipe.Peer", "", "viaduct", viaduct.StartClient, viaduct.ServeClient},
	{"gob", "net/rpc with gob over the same kind of pipes", "", "gob", gob.Start, gob.Serve},
	{"grpc", "gRPC on a unix socket", "google.golang.org/grpc", "grpc", grpc.Start, grpc.Serve},
	{"ttrpc", "containerd's ttrpc on a unix socket", "github.com/containerd/ttrpc", "ttrpc", ttrpc.Start, ttrpc.Serve},
	{"yamux", "net/rpc with gob on streams of yamux on a unix socket", "github.com/hashicorp/yamux", "yamux", yamux.Start, yamux.Serve},
	{"drpc", "storj's drpc over the same kind of pipes; one call at a time", "storj.io/drpc", "drpc", drpc.Start, drpc.Serve},
	{"go-plugin", "hashicorp's go-plugin with net/rpc", "github.com/hashicorp/go-plugin", "plugin", plugin.StartNet, plugin.ServeNet},
	{"go-plugin-grpc", "hashicorp's go-plugin with gRPC", "github.com/hashicorp/go-plugin", "plugingrpc", plugin.StartGRPC, plugin.ServeGRPC},
}

// Names returns the names of all.
func Names() []string {
	var list []string
	for _, c := range All {
		list = append(list, c.Name)
	}
	return list
}

// ByName returns a contender.
func ByName(name string) (*Contender, error) {
	for _, c := range All {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("there is no contender %q; there are %s", name, strings.Join(Names(), ", "))
}

// ChildWord is the first argument of a child. The second is the contender's name.
const ChildWord = "child"

// Start starts program as a child of this contender. The context kills it.
func (c *Contender) Start(ctx context.Context, program string, opts work.Options) (work.Peer, error) {
	p, err := c.start(ctx, exec.CommandContext(ctx, program, ChildWord, c.Name), opts)
	if err != nil {
		return nil, fmt.Errorf("start of a child of %s: %w", c.Name, err)
	}
	return p, nil
}

// IsChild says whether this process is a child of a contender.
func IsChild() bool { return len(os.Args) > 2 && os.Args[1] == ChildWord }

// Serve is the main function of a child. It returns when the parent is gone.
func Serve() error {
	c, err := ByName(os.Args[2])
	if err != nil {
		return err
	}
	return c.serve()
}
