// A minimal program with the contender go-plugin: it starts itself and makes a call.
package main

import (
	"github.com/viaduct-go/viaduct/bench/internal/contender/plugin"
	"github.com/viaduct-go/viaduct/bench/minimal"
)

func main() { minimal.Main("go-plugin", plugin.StartNet, plugin.ServeNet) }
