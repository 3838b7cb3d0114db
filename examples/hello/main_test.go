package main

import (
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

// In a test the program that starts itself is the test binary.
func TestMain(m *testing.M) {
	if rpcpipe.IsChild() {
		main()
		return
	}
	// With the race detector a program sleeps for 1 s when it exits, and a child
	// whose link is closed has less.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}

func TestHello(t *testing.T) {
	if err := parent(); err != nil {
		t.Fatal(err)
	}
}
