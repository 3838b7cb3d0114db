// Command remote runs its child behind another program that hands on nothing but standard input and
// output. Without arguments that is env, on this machine. To have the child on another one, copy
// this program there and say how it is reached:
//
//	remote ssh -T host bin/remote
//	remote docker exec -i container /bin/remote
//
// What the child prints goes to its standard error, the link being its standard output.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
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

func parent() error {
	words := os.Args[1:]
	if len(words) == 0 {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		words = []string{"env", self}
	}
	remote, err := start(words)
	if err != nil {
		return err
	}
	defer remote.Close()
	var answer string
	if err := remote.Call("Child.Greet", "parent", &answer); err != nil {
		return err
	}
	fmt.Println("the child says:", answer)
	return remote.Close()
}

// keepalive is how long a side hears nothing before it asks whether the other one is there. A machine
// that is gone does not say so.
const keepalive = 10 * time.Second

// start starts the child, of which words are the command.
func start(words []string) (*rpcpipe.Peer, error) {
	cmd := exec.Command(words[0], append(words[1:], procspawn.Here)...)
	cmd.Stderr = os.Stderr
	return rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
		Stdio:     true,
		Keepalive: keepalive,
		Logger:    slog.Default(),
	})
}

// Child is the service of the child.
type Child struct{}

// Greet greets.
func (Child) Greet(name string, answer *string) error {
	*answer = "hello, " + name
	return nil
}

func child() error {
	if err := rpc.Register(Child{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Keepalive: keepalive, Logger: slog.Default()})
	if err != nil {
		return err
	}
	return peer.Wait()
}
