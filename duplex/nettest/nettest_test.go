// Package nettest runs what golang.org/x/net asks of a net.Conn with the
// streams of duplex. It is a module of its own for the sake of its dependency.
package nettest

import (
	"context"
	"io"
	"net"
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/duplex"
	"golang.org/x/net/nettest"
)

// pipe is one end of two pipes.
type pipe struct{ r, w *os.File }

func (p *pipe) Read(b []byte) (int, error)  { return p.r.Read(b) }
func (p *pipe) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p *pipe) Close() error {
	p.w.Close()
	return p.r.Close()
}

func pipes() (x, y io.ReadWriteCloser, err error) {
	r1, w1, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		r1.Close()
		w1.Close()
		return nil, nil, err
	}
	return &pipe{r1, w2}, &pipe{r2, w1}, nil
}

func memory() (x, y io.ReadWriteCloser, err error) {
	x, y = net.Pipe()
	return x, y, nil
}

// opened returns the ends of a stream that a opens by Open.
func opened(a, b *duplex.Conn) (x, y net.Conn, err error) {
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := b.Accept()
		if err != nil {
			c = nil
		}
		accepted <- c
	}()
	if x, err = a.Open(context.Background()); err != nil {
		return nil, nil, err
	}
	return x, <-accepted, nil
}

// offered returns the ends of a stream that b offers.
func offered(a, b *duplex.Conn) (x, y net.Conn, err error) {
	name, y := b.Offer()
	x, err = a.OpenOffer(context.Background(), name)
	return x, y, err
}

// TestConn runs the tests over each kind of link and stream, with either end first.
func TestConn(t *testing.T) {
	links := map[string]func() (x, y io.ReadWriteCloser, err error){"memory": memory, "pipes": pipes}
	streams := map[string]func(a, b *duplex.Conn) (x, y net.Conn, err error){"open": opened, "offer": offered}
	options := map[string]*duplex.Options{"default": nil, "small window": {StreamWindow: 1000}}
	for linkName, link := range links {
		for streamName, stream := range streams {
			for optionsName, opts := range options {
				for _, swapped := range []bool{false, true} {
					name := linkName + " " + streamName + " " + optionsName
					if swapped {
						name += " swapped"
					}
					t.Run(name, func(t *testing.T) {
						nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
							x, y, err := link()
							if err != nil {
								return nil, nil, nil, err
							}
							a, b := duplex.New(x, opts), duplex.New(y, opts)
							stop = func() {
								a.Close()
								b.Close()
								a.Wait()
								b.Wait()
							}
							if c1, c2, err = stream(a, b); err != nil {
								stop()
								return nil, nil, nil, err
							}
							if swapped {
								c1, c2 = c2, c1
							}
							return c1, c2, stop, nil
						})
					})
				}
			}
		}
	}
}

// TestListener has its streams come from a listener.
func TestListener(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		x, y := net.Pipe()
		a, b := duplex.New(x, nil), duplex.New(y, nil)
		l := b.Listener()
		accepted := make(chan net.Conn, 1)
		go func() {
			c, _ := l.Accept()
			accepted <- c
		}()
		if c1, err = a.Open(context.Background()); err != nil {
			return nil, nil, nil, err
		}
		return c1, <-accepted, func() {
			l.Close()
			a.Close()
			a.Wait()
			b.Wait()
		}, nil
	})
}
