package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"time"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Data is an argument and a reply.
type Data struct {
	viaduct.Caller
	N     int
	Depth int // how often Nest is to call back
	Bytes []byte
}

// Service is what both sides serve.
type Service struct{}

// Echo gives back what it gets.
func (Service) Echo(arg Data, reply *Data) error {
	reply.N, reply.Bytes = arg.N, arg.Bytes
	return nil
}

// Nest calls the other side's Nest, Depth times in all, and returns how deep it went.
func (Service) Nest(arg Data, reply *Data) error {
	if arg.Depth == 0 {
		reply.N = arg.N
		return nil
	}
	p := rpcpipe.FromContext(arg.Context())
	err := p.CallContext(arg.Context(), "Service.Nest", &Data{N: arg.N + 1, Depth: arg.Depth - 1}, reply)
	return arg.Fail(err)
}

// Note takes a notification.
func (Service) Note(Data, *struct{}) error { return nil }

// Wait returns when its caller has given up.
func (Service) Wait(arg Data, reply *Data) error {
	<-arg.Context().Done()
	return arg.Fail(arg.Context().Err())
}

// Work has the side that serves it keep the other one busy, with N goroutines for a second. It fails
// with the first finding.
func (Service) Work(arg Data, reply *Data) error {
	stop := make(chan struct{})
	time.AfterFunc(time.Second, func() { close(stop) })
	l := loadUntil(rpcpipe.FromContext(arg.Context()), arg.N, uint64(arg.Depth), stop)
	<-l.done
	reply.N = l.ops
	for kind, err := range l.samples {
		if kind != "" {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// options are those of both sides.
func options() *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.Register(Service{}); err != nil {
		panic(err)
	}
	return &rpcpipe.Options{Server: server}
}

// echoStreams gives back what comes on streams, until the link ends.
func echoStreams(p *rpcpipe.Peer) {
	for {
		c, err := p.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// errWrong is a wrong answer.
var errWrong = errors.New("wrong answer")

// op does one thing with the other side, and verifies the answer.
func op(p *rpcpipe.Peer, r *rand.Rand) error {
	n := r.IntN(1 << 30)
	switch k := r.IntN(100); {
	case k < 50:
		return echo(p, n, r.IntN(200))
	case k < 60:
		return echo(p, n, r.IntN(200_000))
	case k < 61:
		return echo(p, n, 4<<20)
	case k < 72:
		depth := r.IntN(6)
		var reply Data
		err := p.Call("Service.Nest", &Data{N: n, Depth: depth}, &reply)
		if err == nil && reply.N != n+depth {
			return fmt.Errorf("%w: Nest %d deep made %d of %d", errWrong, depth, reply.N, n)
		}
		return err
	case k < 85:
		return p.Notify(context.Background(), "Service.Note", &Data{N: n, Bytes: make([]byte, r.IntN(50_000))})
	case k < 93:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(3000))*time.Microsecond)
		defer cancel()
		err := p.CallContext(ctx, "Service.Wait", &Data{}, nil)
		if err == nil {
			return fmt.Errorf("%w: a call that only its caller ends has ended", errWrong)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	default:
		return stream(p, r)
	}
}

func echo(p *rpcpipe.Peer, n, size int) error {
	var reply Data
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(n + i)
	}
	err := p.Call("Service.Echo", &Data{N: n, Bytes: body}, &reply)
	if err == nil && (reply.N != n || !bytes.Equal(reply.Bytes, body)) {
		return fmt.Errorf("%w: Echo of %d bytes", errWrong, size)
	}
	return err
}

// stream sends bytes there and back.
func stream(p *rpcpipe.Peer, r *rand.Rand) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	sent := make([]byte, r.IntN(150_000))
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		if err == nil {
			err = c.(interface{ CloseWrite() error }).CloseWrite()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = nil // it waits for 50 ms: the end arrives later
			}
		}
		wrote <- err
	}()
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, sent) {
		err = fmt.Errorf("%w: %d of %d bytes of a stream, and its end", errWrong, len(got), len(sent))
	}
	if err := <-wrote; err != nil {
		return err
	}
	return err
}

// known reports whether err is of a kind that a caller is told of: see the documentation of rpcpipe.
func known(err error) bool {
	var exit *procspawn.Exit
	var start *procspawn.StartError
	var op *net.OpError // of a stream: it wraps net.ErrClosed, or why the link has ended
	return errors.As(err, &op) || errors.As(err, &exit) || errors.As(err, &start) || errors.Is(err, rpc.ErrShutdown) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, viaduct.ErrNotBegun) || errors.Is(err, viaduct.ErrOverload) || errors.Is(err, context.Canceled)
}
