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
	"time"

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

// A service that has 10 s to end: it ends a child that hangs before it is killed itself.
func ExampleOptions_service() {
	opts := &rpcpipe.Options{
		ShutdownTimeout: 5 * time.Second, // for what is going on
		CloseTimeout:    time.Second,     // then for the child to exit
		TermTimeout:     time.Second,     // then upon SIGTERM; then it is killed
	}
	peer, err := rpcpipe.Start(context.Background(), exec.Command("./child"), opts)
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Shutdown(context.Background())
}
