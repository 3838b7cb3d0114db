package main

import (
	"context"
	"errors"
	"io"
	"math/big"
	"time"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A deed is what the victim does with a liar besides calling it.
type deed string

const (
	asks      deed = ""         // nothing
	asksAny   deed = "any"      // the reply is to become an any
	asksList  deed = "list"     // a []any
	asksPairs deed = "map"      // a map[string]any
	asksInts  deed = "ints"     // an []int
	asksNum   deed = "number"   // a *big.Int
	lists     deed = "listing"  // asks what there is to call
	opens     deed = "stream"   // opens a stream, writes and reads
	offers    deed = "offer"    // offers a stream
	sendsBig  deed = "big"      // sends calls of nearly 1 MiB
	notifies  deed = "notify"   // sends notifications
	shutsDown deed = "shutdown" // shuts the link down
)

// reply is where the reply of the first call goes.
func (d deed) reply() any {
	switch d {
	case asksAny:
		return new(any)
	case asksList:
		return new([]any)
	case asksPairs:
		return new(map[string]any)
	case asksInts:
		return new([]int)
	case asksNum:
		return new(big.Int)
	}
	return new(Data)
}

// do is what is done besides.
func (d deed) do(ctx context.Context, p *rpcpipe.Peer) error {
	switch d {
	case lists:
		_, err := p.Methods(ctx)
		return err
	case opens:
		c, err := p.Open(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		return through(ctx, c, 300_000)
	case offers:
		_, c := p.Offer()
		defer c.Close()
		return through(ctx, c, 300_000)
	case sendsBig:
		var all []error
		done := make(chan error)
		for range 4 {
			go func() { done <- p.CallContext(ctx, "Service.Echo", &Data{Bytes: make([]byte, 900_000)}, nil) }()
		}
		for range 4 {
			all = append(all, <-done)
		}
		return errors.Join(all...)
	case notifies:
		for {
			if err := p.Notify(ctx, "Service.Note", &Data{Bytes: make([]byte, 1000)}); err != nil {
				return err
			}
		}
	case shutsDown:
		return p.Shutdown(ctx)
	}
	return nil
}

// through sends bytes through a stream and then waits for its end. A time that is over is that of ctx.
func through(ctx context.Context, c io.ReadWriter, size int) error {
	stream := c.(interface {
		SetDeadline(time.Time) error
		CloseWrite() error
	})
	until, _ := ctx.Deadline()
	stream.SetDeadline(until)
	_, err := c.Write(make([]byte, size))
	if err == nil {
		err = stream.CloseWrite()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, c)
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return context.DeadlineExceeded
	}
	return err
}
