package rpcpipe_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// children are the programs that this test binary plays when it is started as
// a child: the first argument names one. Each stands beside its test.
var children = map[string]func(args []string){}

// programs are what it plays when it is started as something else.
var programs = map[string]func(args []string){}

func TestMain(m *testing.M) {
	if rpcpipe.IsChild() {
		run := children[os.Args[1]]
		if run == nil {
			fmt.Fprintf(os.Stderr, "no child program %q\n", os.Args[1])
			os.Exit(2)
		}
		run(os.Args[2:])
		os.Exit(0)
	}
	if len(os.Args) > 1 && programs[os.Args[1]] != nil {
		programs[os.Args[1]](os.Args[2:])
		os.Exit(0)
	}
	// A program with the race detector sleeps for a second in os.Exit.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testkit.Parallel()
	os.Exit(m.Run())
}

// connect is Connect for children, which have nobody to return an error to.
func connect(opts *rpcpipe.Options) *rpcpipe.Peer {
	peer, err := rpcpipe.Connect(context.Background(), opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	return peer
}

// startChild starts one of children, and closes it at the end of the test.
func startChild(t *testing.T, name string) *rpcpipe.Peer {
	p, err := rpcpipe.Start(t.Context(), procspawn.Self(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
