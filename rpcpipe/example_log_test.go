package rpcpipe_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

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
