package rpcpipe_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A server that ends in order upon Ctrl-C and SIGTERM, and its child with it. The context of the
// signals is for main to wait for. It is not given to exec.CommandContext, which would kill the
// child while the server still needs it.
func ExampleStart_signals() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	peer, err := rpcpipe.Start(ctx, exec.Command("./child"), nil) // ctx: for the start alone
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "localhost:8080"} // its handlers call the child
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Print(err)
			stop()
		}
	}()
	select {
	case <-ctx.Done():
	case <-peer.Done(): // the child has ended
	}
	if err := server.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
	if err := peer.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
}
