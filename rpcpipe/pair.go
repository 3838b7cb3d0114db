package rpcpipe

import (
	"net"
	"os"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/tap"
	"github.com/viaduct-go/viaduct/procspawn"
)

// Pair returns two peers connected in memory, for tests. What one is asked, the other answers, with
// the codec and the limits of a real link. It panics with what New would return: if their encodings
// differ, or an option has no meaning.
func Pair(a, b *Options) (*Peer, *Peer) {
	one, other := net.Pipe()
	x, y := newConfig(a), newConfig(b)
	for _, c := range []*config{x, y} {
		if err := c.check(); err != nil {
			panic(err)
		}
	}
	if here, there := encodingName(x.opts.Encoding), encodingName(y.opts.Encoding); here != there {
		panic(&procspawn.EncodingError{Local: here, Remote: there})
	}
	for _, c := range []*config{x, y} {
		if err := c.openTaps(tap.Peer); err != nil {
			x.taps.release()
			panic(err)
		}
	}
	x.agree(y.hello(), handles.Frames{})
	y.agree(x.hello(), handles.Frames{})
	return newPeer("pair", one, nil, x), newPeer("pair", other, nil, y)
}

// lang is the language that this side says it is written in.
func (c *config) lang() string {
	if c.opts.Dialect == viaduct.PlainDialect {
		return ""
	}
	return "go"
}

// hello is what the other side is told, as far as agree, and users, need it.
func (c *config) hello() procspawn.Hello {
	return procspawn.Hello{
		Name:       c.opts.Name,
		AppVersion: c.opts.Version,
		Lang:       c.lang(),
		Pid:        os.Getpid(),
		Encoding:   encodingName(c.opts.Encoding),
		MaxMessage: uint64(c.opts.MaxMessage),
		Bodies:     c.opts.bodies(),
		Features:   c.opts.features(),
	}
}
