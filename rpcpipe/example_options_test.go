package rpcpipe_test

import (
	"context"
	"log"
	"log/slog"
	"net/rpc"
	"os/exec"
	"time"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// What programs most often choose.
func ExampleOptions_common() {
	server := rpc.NewServer() // with just what a child may call

	ordinary := &rpcpipe.Options{
		Server: server,
		Logger: slog.Default(),
		OnExit: func(exit *procspawn.Exit) { log.Print(exit) },
	}
	elsewhere := &rpcpipe.Options{
		Server: server,
		Stdio:  true, // behind ssh, docker exec -i and the like
	}
	watched := &rpcpipe.Options{
		Server:     server,
		Keepalive:  5 * time.Second, // ends the link with a child that is stopped or hangs
		LogHandler: slog.Default().Handler(),
	}
	plugin := &rpcpipe.Options{
		Server:  server,
		Version: "2.1",
		// Others are refused, with an error that says what to install.
		NeedName: "thumbnails", MinVersion: "1.4", MaxVersion: "1",
	}
	untrusted := &rpcpipe.Options{
		Server:      server,
		MaxMessage:  1 << 20,
		MaxHandlers: 16, MaxWaiting: 64,
		Env:         []string{"PATH", "LANG", "LC_*"},
		ParentDeath: procspawn.KillWithParent,
		Group:       true, // what it starts ends with it
	}
	for _, opts := range []*rpcpipe.Options{ordinary, elsewhere, watched, plugin, untrusted} {
		peer, err := rpcpipe.Start(context.Background(), exec.Command("./child"), opts)
		if err != nil {
			log.Print(err)
			continue
		}
		peer.Close()
	}
}
