// Command parallel lets many goroutines of a parent and of its child call the
// other side, all at once, and checks every reply.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"sync"
	"sync/atomic"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

const (
	callers = 32  // goroutines on each side
	each    = 250 // calls of each goroutine
)

func main() {
	log.SetFlags(0)
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// Squares is the service of both sides. Its methods are called concurrently.
type Squares struct {
	served atomic.Int64
	called chan error // how this side's own calls went
}

func (s *Squares) Square(n int, reply *int) error {
	s.served.Add(1)
	*reply = n * n
	return nil
}

// Served waits until all calls made by the side that is asked have returned,
// and replies how many it has served.
func (s *Squares) Served(_ struct{}, reply *int64) error {
	err := <-s.called
	*reply = s.served.Load()
	return err
}

// callAll makes all calls of one side.
func callAll(peer *rpcpipe.Peer) error {
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				n := i*each + j
				var square int
				if err := peer.Call("Squares.Square", n, &square); err != nil {
					errs[i] = err
					return
				}
				if square != n*n {
					errs[i] = fmt.Errorf("the square of %d came back as %d", n, square)
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func parent() error {
	squares := new(Squares)
	if err := rpc.Register(squares); err != nil {
		return err
	}
	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer peer.Close()
	if err := callAll(peer); err != nil {
		return err
	}
	var served int64
	if err := peer.Call("Squares.Served", struct{}{}, &served); err != nil {
		return err
	}
	fmt.Println("the child served", served, "calls of the parent")
	fmt.Println("the parent served", squares.served.Load(), "calls of the child")
	if served != callers*each || squares.served.Load() != callers*each {
		return fmt.Errorf("%d calls each way were expected", callers*each)
	}
	return nil
}

func child() error {
	squares := &Squares{called: make(chan error, 1)}
	if err := rpc.Register(squares); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	squares.called <- callAll(peer)
	return peer.Wait()
}
