// Command before uses net/rpc over TCP to call methods in a process that it starts.
// See ../after for the same over viaduct.
package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/exec"
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
	cmd := exec.Command(os.Args[0], "serve")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	var address string
	if _, err := fmt.Fscanln(stdout, &address); err != nil {
		return nil, nil, err
	}
	client, err = rpc.Dial("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	stop = func() error {
		client.Close()
		return cmd.Wait()
	}
	return client, stop, nil
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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	conn, err := listener.Accept()
	if err != nil {
		return err
	}
	rpc.ServeConn(conn)
	return nil
}
