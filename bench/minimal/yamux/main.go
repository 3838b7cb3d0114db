// A minimal program with the contender yamux: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/yamux"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("yamux", yamux.Start, yamux.Serve) }
