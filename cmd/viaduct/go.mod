module github.com/viaduct-go/viaduct/cmd/viaduct

go 1.25.0

replace github.com/viaduct-go/viaduct => ../..

require github.com/viaduct-go/viaduct v0.0.0

require (
	github.com/shamaton/msgpack/v2 v2.4.2 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
