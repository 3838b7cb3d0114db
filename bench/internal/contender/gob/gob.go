// Package gob is the standard library's net/rpc, with its own encoding, over a pair of pipes.
package gob

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"os/exec"
	"slices"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

const (
	service  = "Work"
	callBack = "callback" // tells a child that it has a second link

	// inFlight is how many calls that nobody waits for may be on their way. The service begins a
	// goroutine for each, so without a bound there would be hundreds of thousands.
	inFlight = 512
)

type peer struct {
	*work.Client
	client *rpc.Client
	child  *child.Child
}

// Start is a work.StartFunc. Calls go one way on a connection of net/rpc, so a child that calls its
// parent has a second one.
func Start(_ context.Context, cmd *exec.Cmd, opts work.Options) (work.Peer, error) {
	links := 1
	if opts.CallBack {
		links = 2
		cmd.Args = append(cmd.Args, callBack)
	}
	c, ends, err := child.StartLinks(cmd, links)
	if err != nil {
		return nil, err
	}
	if opts.CallBack {
		server := rpc.NewServer()
		server.RegisterName(service, work.Small{})
		go server.ServeConn(ends[1])
	}
	client := rpc.NewClient(ends[0])
	return &peer{work.NewClient(client, service), client, c}, nil
}

func (p *peer) Close() error {
	err := p.client.Close()
	p.child.End()
	return err
}

// Notify does what net/rpc can do: it does not wait for each call before it makes the next.
func (p *peer) Notify(n int) error {
	var err error
	done := make(chan *rpc.Call, inFlight)
	for sent, returned := 0, 0; returned < n; {
		if sent < n && sent-returned < inFlight {
			p.client.Go(service+".Note", &work.Pair{A: sent}, nil, done)
			sent++
			continue
		}
		err = errors.Join(err, (<-done).Error)
		returned++
	}
	if err != nil {
		return err
	}
	var handled int
	if err := p.client.Call(service+".Notes", struct{}{}, &handled); err != nil {
		return err
	}
	if handled != n {
		return fmt.Errorf("of %d notifications %d were handled", n, handled)
	}
	return nil
}

// Serve is the child.
func Serve() error {
	link, err := child.Inherited(0)
	if err != nil {
		return err
	}
	s := new(work.Service)
	if slices.Contains(os.Args, callBack) {
		back, err := child.Inherited(1)
		if err != nil {
			return err
		}
		parent := work.NewClient(rpc.NewClient(back), service)
		s.Parent = func(uint32) (work.Adder, error) { return parent, nil }
	}
	if err := rpc.RegisterName(service, s); err != nil {
		return err
	}
	rpc.ServeConn(link)
	return nil
}
