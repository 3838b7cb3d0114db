package main

import (
	"os"
	"testing"

	"github.com/viaduct-go/viaduct/bench/internal/contender"
)

// asProgram, in the environment, has the test binary be the program.
const asProgram = "VIADUCT_TEST_BENCH"

func TestMain(m *testing.M) {
	if contender.IsChild() || isWorker() || os.Getenv(asProgram) != "" {
		main()
		return
	}
	// With the race detector a program sleeps for 1 s when it exits.
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	os.Exit(m.Run())
}
