// A minimal program with the contender grpc: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/grpc"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("grpc", grpc.Start, grpc.Serve) }
