package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/rpc"
	"os"
	"os/exec"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Parent is what the child may call.
type Parent struct{}

func (Parent) Moo(times int, sound *string) error {
	for range times {
		*sound += "moo"
	}
	return nil
}

// Child is what the parent may call.
type Child struct{ told chan string }

func (c *Child) Frontflip(height float64, landed *bool) error {
	if height < 0 {
		return errors.New("below the ground")
	}
	*landed = height < 1.5
	return nil
}

func (c *Child) Tell(word string, _ *struct{}) error {
	c.told <- word
	return nil
}

// The parent starts a program and calls a method in it. The program is the
// one of the example of Connect.
func ExampleStart() {
	if err := rpc.Register(new(Parent)); err != nil { // before Start
		log.Fatal(err)
	}
	cmd := exec.Command("./child", "-v")
	cmd.Stderr = os.Stderr // where the child logs
	peer, err := rpcpipe.Start(context.Background(), cmd, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close() // ends the child
	var landed bool
	err = peer.Call("Child.Frontflip", 1.2, &landed)
	log.Println(landed, err)
}

// The child connects to the parent that started it and calls a method there.
func ExampleConnect() {
	if err := rpc.Register(new(Child)); err != nil { // before Connect
		log.Fatal(err)
	}
	peer, err := rpcpipe.Connect(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	var sound string
	err = peer.Call("Parent.Moo", 2, &sound)
	log.Println(sound, err)
	err = peer.Wait() // until the parent has closed the link
	log.Println(err)
}

// A child that may not call everything that is registered with package rpc
// gets a server of its own. OnExit is told how it has ended.
func ExampleOptions() {
	server := rpc.NewServer()
	if err := server.Register(new(Parent)); err != nil {
		log.Fatal(err)
	}
	peer, err := rpcpipe.Start(context.Background(), exec.Command("./child"), &rpcpipe.Options{
		Server: server,
		OnExit: func(exit *procspawn.Exit) { log.Println(exit) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
}

// Two peers in one process, to test services without a child.
func ExamplePair() {
	parentServer, childServer := rpc.NewServer(), rpc.NewServer()
	parentServer.Register(new(Parent))
	childServer.Register(new(Child))
	child, parent := rpcpipe.Pair(&rpcpipe.Options{Server: parentServer}, &rpcpipe.Options{Server: childServer})
	defer child.Close()
	defer parent.Close()

	var landed bool
	fmt.Println(child.Call("Child.Frontflip", 1.2, &landed), landed)
	var sound string
	fmt.Println(parent.Call("Parent.Moo", 2, &sound), sound)
	// Output:
	// <nil> true
	// <nil> moomoo
}

// newChild returns a peer that serves Child.
func newChild(service *Child) *rpcpipe.Peer {
	server := rpc.NewServer()
	server.Register(service)
	child, _ := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
	return child
}

// What went wrong can be told from the type of an error.
func ExamplePeer_Call() {
	peer := newChild(new(Child))
	var landed bool

	err := peer.Call("Child.Frontflip", -1.0, &landed)
	var failed rpc.ServerError
	fmt.Println(errors.As(err, &failed), err)

	peer.Close()
	err = peer.Call("Child.Frontflip", 1.2, &landed)
	fmt.Println(errors.Is(err, rpc.ErrShutdown), err)
	// Output:
	// true below the ground
	// true connection is shut down
}

// Many calls can be pending at the same time.
func ExamplePeer_Go() {
	peer := newChild(new(Child))
	defer peer.Close()
	var low, high bool
	first := peer.Go("Child.Frontflip", 0.5, &low, nil)
	second := peer.Go("Child.Frontflip", 2.5, &high, nil)
	<-first.Done
	<-second.Done
	fmt.Println(first.Error, low)
	fmt.Println(second.Error, high)
	// Output:
	// <nil> true
	// <nil> false
}

// Notifications are served in the order in which they were sent.
func ExamplePeer_Notify() {
	service := &Child{told: make(chan string)}
	peer := newChild(service)
	defer peer.Close()
	for _, word := range []string{"one", "two", "three"} {
		if err := peer.Notify(context.Background(), "Child.Tell", word); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(<-service.told, <-service.told, <-service.told)
	// Output: one two three
}

// Existing code can go on using an rpc.Client.
func ExamplePeer_Client() {
	peer := newChild(new(Child))
	defer peer.Close()
	var client *rpc.Client = peer.Client()
	var landed bool
	err := client.Call("Child.Frontflip", 1.2, &landed)
	fmt.Println(landed, err)
	// Output: true <nil>
}

// New works over any connection, with New at its other end as well.
func ExampleNew() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		server := rpc.NewServer()
		server.Register(new(Child))
		if _, err := rpcpipe.New(context.Background(), conn, &rpcpipe.Options{Server: server}); err != nil {
			log.Fatal(err)
		}
	}()

	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	peer, err := rpcpipe.New(context.Background(), conn, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	var landed bool
	err = peer.Call("Child.Frontflip", 1.2, &landed)
	fmt.Println(landed, err)
	// Output: true <nil>
}
