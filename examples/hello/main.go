// Command hello starts itself as a child process. Each side then sends the
// other three notifications and one request, both at the same time.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var name = flag.String("name", "Ada", "the child's name")

func main() {
	log.SetFlags(0)
	flag.Parse() // sees the same in the child: what Start was given, and nothing else
	run := parent
	if rpcpipe.IsChild() {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// Parent is what the child may call.
type Parent struct{ heard chan string }

// Tell is called one way: no reply goes back.
func (p *Parent) Tell(word string, _ *struct{}) error {
	p.heard <- word
	return nil
}

func (p *Parent) Greet(name string, reply *string) error {
	*reply = "hello, " + name
	return nil
}

// Child is what the parent may call.
type Child struct {
	heard chan string
	ready chan struct{} // closed when the child has nothing more to say
}

func (c *Child) Tell(word string, _ *struct{}) error {
	c.heard <- word
	return nil
}

// Farewell lets the parent wait until the child has finished.
func (c *Child) Farewell(_ struct{}, reply *string) error {
	<-c.ready
	*reply = "goodbye from " + *name
	return nil
}

// options are those of both sides.
func options(server *rpc.Server) *rpcpipe.Options {
	return &rpcpipe.Options{
		Server: server,         // what the other side may call
		Logger: slog.Default(), // is told of what would otherwise vanish
	}
}

func parent() error {
	service := &Parent{heard: make(chan string, 3)}
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		return err
	}
	ctx := context.Background()
	cmd := procspawn.Self("-name", *name)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	peer, err := rpcpipe.Start(ctx, cmd, options(server))
	if err != nil {
		return err
	}
	defer peer.Close()

	for _, word := range []string{"one", "two", "three"} {
		if err := peer.Notify(ctx, "Child.Tell", word); err != nil {
			return err
		}
	}
	var reply string
	if err := peer.Call("Child.Farewell", struct{}{}, &reply); err != nil {
		return err
	}
	fmt.Printf("parent: the child told me %s, %s, %s\n", <-service.heard, <-service.heard, <-service.heard)
	fmt.Printf("parent: the child replied %q\n", reply)

	peer.Close() // the child's Wait returns
	return peer.Wait()
}

func child() error {
	service := &Child{heard: make(chan string, 3), ready: make(chan struct{})}
	server := rpc.NewServer()
	if err := server.Register(service); err != nil {
		return err
	}
	ctx := context.Background()
	peer, err := rpcpipe.Connect(ctx, options(server))
	if err != nil {
		return err
	}

	for _, word := range []string{"un", "deux", "trois"} {
		if err := peer.Notify(ctx, "Parent.Tell", word); err != nil {
			return err
		}
	}
	var reply string
	if err := peer.Call("Parent.Greet", *name, &reply); err != nil {
		return err
	}
	fmt.Printf("child: my name is %s\n", *name)
	fmt.Printf("child: the parent told me %s, %s, %s\n", <-service.heard, <-service.heard, <-service.heard)
	fmt.Printf("child: the parent replied %q\n", reply)

	close(service.ready)
	return peer.Wait()
}
