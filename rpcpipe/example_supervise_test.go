package rpcpipe_test

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A server whose work is done by a child. The child is started again when it crashes, and replaced
// by a new version upon SIGHUP, without a call being lost. What happens to it, and what it logs and
// prints, is logged here.
func ExampleSupervise() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("./worker"), nil }
	worker, err := rpcpipe.Supervise(context.Background(), command, &rpcpipe.SuperviseOptions{
		Name:   "worker",
		Peer:   &rpcpipe.Options{Logger: slog.Default(), LogHandler: slog.Default().Handler()},
		Stderr: os.Stderr,
	})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/greet", func(w http.ResponseWriter, r *http.Request) {
		var text string
		err := worker.CallContext(r.Context(), "Worker.Greet", r.FormValue("name"), &text)
		if none := new(rpcpipe.NoChildError); errors.As(err, &none) {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		} else if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		w.Write([]byte(text))
	})
	server := &http.Server{Addr: "localhost:8080"}
	go server.ListenAndServe()
	for s := range signals {
		if s != syscall.SIGHUP {
			break
		}
		if err := worker.Swap(context.Background(), nil); err != nil { // what now stands at ./worker
			log.Print(err) // and the old one goes on
		}
	}
	if err := errors.Join(server.Shutdown(context.Background()), worker.Shutdown(context.Background())); err != nil {
		log.Print(err)
	}
}

func Example_supervised() {
	command := func(rpcpipe.Incarnation) (*exec.Cmd, error) { return exec.Command("./child"), nil }
	child, err := rpcpipe.Supervise(context.Background(), command, &rpcpipe.SuperviseOptions{
		Idempotent: func(method string) bool { return method == "Child.Look" },
	})
	if err != nil {
		log.Fatal(err) // the first child did not come up
	}
	defer child.Close()
	err = child.Call("Child.Frontflip", 1.2, nil) // by the child that is up, or the next one
	log.Println(err)
}
