package rpcpipe_test

import (
	"context"
	"log"
	"os/exec"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A child whose traffic is recorded: viaduct show app.tap shows it.
func ExampleTap() {
	ctx, cmd := context.Background(), exec.Command("./child")

	tap := &rpcpipe.Tap{File: "app.tap"} // Contents: true records all that is said
	peer, err := rpcpipe.Start(ctx, cmd, &rpcpipe.Options{Tap: tap})
	if err != nil {
		log.Fatal(err)
	}
	peer.Wait()
}

// A program that whoever starts it can have recorded: APP_TAP=app.tap ./app.
func ExampleOptions_tapEnv() {
	opts := &rpcpipe.Options{TapEnv: "APP_TAP"}
	peer, err := rpcpipe.Start(context.Background(), exec.Command("./child"), opts)
	if err != nil {
		log.Fatal(err)
	}
	peer.Wait()
}
