// A minimal program with the contender drpc: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/drpc"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("drpc", drpc.Start, drpc.Serve) }
