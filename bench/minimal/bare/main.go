// A minimal program with the contender bare: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/bare"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("bare", bare.Start, bare.Serve) }
