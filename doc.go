// Package viaduct is a codec for net/rpc that speaks MessagePack-RPC, and the
// endpoint that viaduct's peers make and answer calls with.
//
// To call methods in another process, use package rpcpipe. This package is
// for those who have a connection and want the codec alone, in the shape of
// net/rpc/jsonrpc:
//
//	client, err := viaduct.Dial("tcp", address) // an *rpc.Client
//	go viaduct.ServeConn(conn)                  // serves rpc.DefaultServer
//
// It assumes below it either a bare connection (any [io.ReadWriteCloser], on
// which it finds the ends of messages itself) or a lane of package duplex,
// which carries whole messages. It knows nothing of frames, pipes or processes. Above it promises:
//
//   - A message is encoded whole before a byte of it leaves. What cannot be
//     encoded, decoded or accepted costs one call, never the connection.
//   - A peer's bytes do not panic or overflow the stack: sizes, structure and depth are checked
//     before anything is decoded.
//   - An [Endpoint] never stops reading to write or to run a handler.
//   - A call can be given up: [Endpoint.CallContext]. Its method is told, by the [Caller] in its argument.
//   - What the other side makes this one hold is bounded: calls beyond Options.MaxHandlers wait, and more are refused.
//   - An error keeps its parts, if its method says so by [Fail] and both sides are viaduct; a panic reaches the caller.
//   - When the connection ends every pending call fails, with one error that
//     says why.
//
// On a bare connection the other side may be any MessagePack-RPC program: [Params], [Positional],
// [Ext], Options.ServiceMethod and Options.AnswerLatestFirst are for what others do in ways of their own.
//
// The messages are described in PROTOCOL.md, section Messages.
package viaduct
