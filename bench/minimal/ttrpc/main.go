// A minimal program with the contender ttrpc: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/ttrpc"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("ttrpc", ttrpc.Start, ttrpc.Serve) }
