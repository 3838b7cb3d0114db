#!/bin/sh
# Makes the generated code of this directory. Needs protoc (Debian: protobuf-compiler) and
#
#	go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
#	go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
#	go install github.com/containerd/ttrpc/cmd/protoc-gen-go-ttrpc@v1.2.10
#	go install storj.io/drpc/cmd/protoc-gen-go-drpc@v1.0.0
#
# Each service has a package of its own, so that no program links the libraries of another.
set -eu
cd "$(dirname "$0")"
here=github.com/viaduct-go/viaduct/bench/internal/wire
mkdir -p grpcwire ttrpcwire drpcwire
protoc --go_out=. --go_opt=paths=source_relative messages.proto
for kind in grpc ttrpc drpc; do
	protoc "--go-${kind}_out=${kind}wire" "--go-${kind}_opt=paths=source_relative" \
		"--go-${kind}_opt=Mmessages.proto=$here,Mservice.proto=$here/${kind}wire;${kind}wire" service.proto
done
