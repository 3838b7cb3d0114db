module github.com/viaduct-go/viaduct/duplex/nettest

go 1.25.0

replace github.com/viaduct-go/viaduct => ../..

require (
	github.com/viaduct-go/viaduct v0.0.0
	golang.org/x/net v0.44.0
)
