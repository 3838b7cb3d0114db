// A minimal program with the contender viaduct: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/viaduct"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("viaduct", viaduct.Start, viaduct.Serve) }
