// Package yamux is net/rpc with gob on streams of one yamux session over a unix socket.
package yamux

import (
	"context"
	"io"
	"net"
	"net/rpc"
	"os/exec"
	"sync"

	"github.com/hashicorp/yamux"

	"github.com/viaduct-go/viaduct/bench/internal/child"
	"github.com/viaduct-go/viaduct/bench/internal/work"
)

const service = "Work"

// What a stream is for is its first byte.
const (
	calls = iota
	bytes
)

type peer struct {
	*work.Client // on one stream
	child        *child.Child
	session      *yamux.Session

	mu     sync.Mutex
	stream net.Conn // opened when it is first asked for
	bulk   map[int]work.Echoer
}

// config is the default, but for the log.
func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	return c
}

func open(s *yamux.Session, kind byte) (net.Conn, error) {
	conn, err := s.Open()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{kind}); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// serve serves every stream that the other side opens.
func serve(s *yamux.Session, receiver any) error {
	server := rpc.NewServer()
	if err := server.RegisterName(service, receiver); err != nil {
		return err
	}
	for {
		conn, err := s.Accept()
		if err != nil {
			return nil // the session has ended
		}
		go func() {
			defer conn.Close()
			var kind [1]byte
			if _, err := io.ReadFull(conn, kind[:]); err != nil {
				return
			}
			if kind[0] == bytes {
				work.Sink(conn)
			} else {
				server.ServeConn(conn)
			}
		}()
	}
}

// Start is a work.StartFunc.
func Start(_ context.Context, cmd *exec.Cmd, opts work.Options) (work.Peer, error) {
	c, conn, err := child.Dial(cmd)
	if err != nil {
		return nil, err
	}
	session, err := yamux.Client(conn, config())
	if err != nil {
		conn.Close()
		c.End()
		return nil, err
	}
	stream, err := open(session, calls)
	if err != nil {
		session.Close()
		c.End()
		return nil, err
	}
	if opts.CallBack {
		go serve(session, work.Small{})
	}
	return &peer{Client: work.NewClient(rpc.NewClient(stream), service), child: c, session: session, bulk: map[int]work.Echoer{}}, nil
}

func (p *peer) Close() error {
	err := p.session.Close()
	p.child.End()
	return err
}

// Bulk calls on a stream of its own: that small calls do not wait for large ones is what yamux is
// for.
func (p *peer) Bulk(i int) (work.Echoer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bulk[i] == nil {
		stream, err := open(p.session, calls)
		if err != nil {
			return nil, err
		}
		p.bulk[i] = work.NewClient(rpc.NewClient(stream), service)
	}
	return p.bulk[i], nil
}

func (p *peer) Pour(total, chunk int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream == nil {
		var err error
		if p.stream, err = open(p.session, bytes); err != nil {
			return err
		}
	}
	return work.Pour(p.stream, total, chunk)
}

// Serve is the child.
func Serve() error {
	l, err := child.Listen()
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	session, err := yamux.Server(conn, config())
	if err != nil {
		return err
	}
	parent := sync.OnceValues(func() (work.Adder, error) {
		stream, err := open(session, calls)
		if err != nil {
			return nil, err
		}
		return work.NewClient(rpc.NewClient(stream), service), nil
	})
	return serve(session, &work.Service{Parent: func(uint32) (work.Adder, error) { return parent() }})
}
