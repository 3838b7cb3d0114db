module github.com/viaduct-go/viaduct

go 1.25.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/shamaton/msgpack/v2 v2.4.2
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.47.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
