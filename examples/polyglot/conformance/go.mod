module github.com/viaduct-go/viaduct/examples/polyglot/conformance

go 1.25.0

replace github.com/viaduct-go/viaduct => ../../..

require (
	github.com/stretchr/testify v1.12.1
	github.com/viaduct-go/viaduct v0.0.0
)

require (
	github.com/shamaton/msgpack/v2 v2.4.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.47.0 // indirect
)
