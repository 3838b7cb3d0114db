// Bench compares ways to call methods in a child process: viaduct, net/rpc with gob, gRPC, ttrpc,
// yamux, drpc and go-plugin, each as its users use it, and a bare ping-pong as the floor.
//
//	go run -C bench .
//	go run -C bench . -quick
//	go run -C bench . -rows 'echo|stream' -contenders 'viaduct|gob'
//
// # How it measures
//
// Each contender has a child of its own, which is this program again. For a row, a piece of work,
// the children of all contenders are alive at once. In each round each contender works for a slice
// of time, one after another, and each round begins with another contender. So what disturbs the
// machine for a while disturbs all of them.
//
// Rows for one core and for two run in processes that are pinned to as many (on Linux). Start,
// memory and size are those of the programs in the directory minimal, each of which links one
// contender alone, as a user's program would. They are built by the go command.
//
// # How to read it
//
// A row has for each contender the median of the rounds. The ratio is to the row's base in the same
// round: to gob in most rows, to bare for a lone call, streams and the start, to grpc for small
// calls beside large ones. It is a figure divided by a figure: with times below 1 is better, with
// rates above 1. The quartiles show the spread: half of the rounds lie between them. On a shared
// machine figures change from minute to minute, and the ratios say more.
//
// Memory in the parent is heap and stacks in use behind a garbage collection, for each child. That
// of a child is what is resident and anonymous (not of a file). That of all is what all processes
// add to what the parent had before, where memory shared by several counts once. Size is that of a
// minimal program, as go build makes it, beyond that of an empty one. Processor time is that of
// both processes.
//
// # What it writes
//
// The text goes to stdout, and how far it is to stderr. -json has all figures of all rounds,
// -markdown and -svg make a page and its pictures of them, and -from makes them again of such a
// file without measuring. -gate fails if viaduct falls far below what it is known to do. Names of
// files are seen from the current directory, which is bench for go run -C bench.
//
// With -profile each contender works alone. What the processor time of both processes goes into is
// told, and written as WORK.CONTENDER.parent.pprof and WORK.CONTENDER.child.pprof for go tool pprof;
// a contender that kills its child has none of it. Figures of such a run are not to be compared, and
// rows about processes and programs are left out.
//
// All takes about a quarter of an hour, with -quick half a minute or a little more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
	"github.com/viaduct-go/viaduct/bench/internal/profile"
)

func main() {
	run := compare
	switch {
	case contender.IsChild():
		run = profiled
	case isWorker():
		run = serveWorker
	}
	if err := run(); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// profiled is the child of a contender, with a profile if one is wanted.
func profiled() error {
	stop, err := profile.Child()
	if err != nil {
		return err
	}
	return errors.Join(contender.Serve(), stop())
}

// compare is the program that was started by hand.
func compare() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait for anything
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}
