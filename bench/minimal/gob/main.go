// A minimal program with the contender gob: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/gob"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("gob", gob.Start, gob.Serve) }
