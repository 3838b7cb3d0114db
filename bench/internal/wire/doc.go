// Package wire has the messages of the contenders that use protocol buffers. Their services lie in
// grpcwire, ttrpcwire and drpcwire.
package wire

//go:generate ./generate.sh
