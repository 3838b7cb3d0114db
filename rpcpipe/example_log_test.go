package rpcpipe_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// What a child logs goes to a handler of its parent, which can say which child it was.
func ExamplePeer_LogHandler() {
	withoutTime := func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}
	handler := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})
	parent, child := rpcpipe.Pair(&rpcpipe.Options{
		LogHandler: handler.WithAttrs([]slog.Attr{slog.String("child", "worker")}),
	}, nil)

	log := slog.New(child.LogHandler(nil)) // in the child; perhaps for slog.SetDefault
	log.Info("started", "pid", 123)
	log.WithGroup("job").Warn("slow", "id", 7, "error", os.ErrDeadlineExceeded)

	err := parent.Shutdown(context.Background()) // waits for the handler, too
	fmt.Println(err)
	// Output:
	// level=INFO msg=started child=worker pid=123
	// level=WARN msg=slow child=worker job.id=7 job.error="i/o timeout"
	// <nil>
}

// A parent that shows all that its child says: what it logs, what it prints, and how it has crashed.
func ExampleOptions_logs() {
	cmd := exec.Command("./child")
	cmd.Stdout = os.Stdout // nil: the last 64 KiB are kept for the Exit
	// cmd.Stderr is nil: so are the last 64 KiB of that, and a crash whole.
	peer, err := rpcpipe.Start(context.Background(), cmd, &rpcpipe.Options{
		LogHandler: slog.Default().Handler().WithAttrs([]slog.Attr{slog.String("child", "worker")}),
		Logger:     slog.Default().With("about", "worker"),
		OnExit: func(exit *procspawn.Exit) {
			log.Print(exit)
			os.Stderr.Write(exit.Crash) // the stacks of a Go program, if it has crashed
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	peer.Wait()
}

// A child that logs to its parent from its first line on.
func ExamplePeer_LogHandler_child() {
	peer, err := rpcpipe.Connect(context.Background(), &rpcpipe.Options{
		Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err)
	}
	slog.SetDefault(slog.New(peer.LogHandler(nil))) // package log as well
	slog.Info("ready")
	if err := peer.Wait(); err != nil {
		log.Fatal(err) // the link has ended: this goes to stderr
	}
}
