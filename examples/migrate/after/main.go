// Command after uses net/rpc over viaduct to call methods in a process that it starts.
// See ../before for the same over TCP.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/rpc"
	"os"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func main() {
	log.SetFlags(0)
	run := use
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		run = serve
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// Numbers are the arguments of Arith's methods.
type Numbers struct{ A, B int }

// Arith is the service.
type Arith struct{}

func (Arith) Multiply(n *Numbers, product *int) error {
	*product = n.A * n.B
	return nil
}

func (Arith) Divide(n *Numbers, quotient *int) error {
	if n.B == 0 {
		return errors.New("divide by zero")
	}
	*quotient = n.A / n.B
	return nil
}

// use calls the service.
func use() error {
	client, stop, err := connect()
	if err != nil {
		return err
	}
	var product, quotient int
	if err := client.Call("Arith.Multiply", Numbers{6, 7}, &product); err != nil {
		return err
	}
	fmt.Println("6 * 7 =", product)
	division := <-client.Go("Arith.Divide", Numbers{42, 7}, &quotient, nil).Done
	if division.Error != nil {
		return division.Error
	}
	fmt.Println("42 / 7 =", quotient)
	err = client.Call("Arith.Divide", Numbers{42, 0}, &quotient)
	var failed rpc.ServerError
	if !errors.As(err, &failed) {
		return fmt.Errorf("a division by zero returned %v", err)
	}
	fmt.Println("42 / 0:", failed)
	return stop()
}

// connect starts the server and returns a client, and a function that ends both.
func connect() (client *rpc.Client, stop func() error, err error) {
	cmd := procspawn.Self("serve")
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, nil)
	if err != nil {
		return nil, nil, err
	}
	return peer.Client(), peer.Close, nil
}

// serve is what the server does.
func serve() error {
	if err := rpc.Register(Arith{}); err != nil {
		return err
	}
	return serveParent()
}

// serveParent serves whoever started this process until it has had enough.
func serveParent() error {
	peer, err := rpcpipe.Connect(context.Background(), nil)
	if err != nil {
		return err
	}
	return peer.Wait()
}
