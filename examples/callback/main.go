// Command callback calls a method of a child which, before it returns, calls
// the parent back.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/rpc"
	"os"

	"github.com/viaduct-go/viaduct"
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

// User is the parent's service.
type User struct{}

// Confirm answers a question of the child.
func (User) Confirm(question string, yes *bool) error {
	*yes = question != "remove /etc?"
	fmt.Println("parent: asked", question, *yes)
	return nil
}

// Names is an argument whose method knows who calls.
type Names struct {
	viaduct.Caller
	List []string
}

// Cleaner is the child's service.
type Cleaner struct{}

// Clean replies with the names that the parent has agreed to remove.
func (Cleaner) Clean(names Names, removed *[]string) error {
	ctx := names.Context()
	parent := rpcpipe.FromContext(ctx)
	for _, name := range names.List {
		var yes bool
		if err := parent.CallContext(ctx, "User.Confirm", "remove "+name+"?", &yes); err != nil {
			return err
		}
		if yes {
			*removed = append(*removed, name)
		}
	}
	return nil
}

func parent() error {
	if err := rpc.Register(User{}); err != nil {
		return err
	}
	cmd := procspawn.Self()
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	defer peer.Close()
	var removed []string
	if err := peer.Call("Cleaner.Clean", Names{List: []string{"/tmp/a", "/etc", "/tmp/b"}}, &removed); err != nil {
		return err
	}
	fmt.Println("parent: the child has removed", removed)
	return nil
}

func child() error {
	if err := rpc.Register(Cleaner{}); err != nil {
		return err
	}
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{Logger: slog.Default()})
	if err != nil {
		return err
	}
	return peer.Wait()
}
