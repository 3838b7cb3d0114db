package rpcpipe_test

import (
	"context"
	"log"
	"os"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A child that is reached through a program which hands on nothing but standard input and output.
func Example_remote() {
	start := func(words ...string) (*rpcpipe.Peer, error) {
		cmd := exec.Command(words[0], append(words[1:], procspawn.Here)...)
		cmd.Stderr = os.Stderr
		return rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
			Stdio: true,
		})
	}
	peer, err := start("ssh", "-T", "host", "bin/child")
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
}

// A machine that is gone says nothing. Both sides ask: the parent learns that it is, and the child ends.
func ExampleOptions_keepalive() {
	cmd := exec.Command("ssh", "-T", "-o", "BatchMode=yes", "host", "bin/child", procspawn.Here)
	cmd.Stderr = os.Stderr
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
		Stdio:     true,
		Keepalive: 10 * time.Second, // and the same in the options of the child's Connect
	})
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
}
