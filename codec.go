package viaduct

import (
	"io"
	"net"
	"net/rpc"
)

// NewClientCodec returns a codec for [rpc.NewClientWithCodec] that speaks
// MessagePack-RPC on conn.
func NewClientCodec(conn io.ReadWriteCloser) rpc.ClientCodec {
	return (*Options)(nil).NewClientCodec(conn)
}

// NewServerCodec returns a codec for [rpc.ServeCodec] that speaks
// MessagePack-RPC on conn. An argument with a method SetContext(context.Context) is given a context as by an [Endpoint].
func NewServerCodec(conn io.ReadWriteCloser) rpc.ServerCodec {
	return (*Options)(nil).NewServerCodec(conn)
}

// NewClient returns a client of the services at the other end of conn.
// It has net/rpc's own limits: a reply that cannot be decoded ends it.
func NewClient(conn io.ReadWriteCloser) *rpc.Client {
	return (*Options)(nil).NewClient(conn)
}

// ServeConn serves [rpc.DefaultServer] on conn. It blocks until the other side
// hangs up; use it in a go statement.
func ServeConn(conn io.ReadWriteCloser) {
	(*Options)(nil).ServeConn(conn)
}

// Dial connects to a MessagePack-RPC server. Networks and addresses are those of [net.Dial].
func Dial(network, address string) (*rpc.Client, error) {
	return (*Options)(nil).Dial(network, address)
}

// NewClientCodec is the function of the same name, with options.
func (o *Options) NewClientCodec(conn io.ReadWriteCloser) rpc.ClientCodec {
	return &clientCodec{conn: messagesOf(conn, o), opts: o, calls: make(map[uint32]sentCall)}
}

// NewServerCodec is the function of the same name, with options.
func (o *Options) NewServerCodec(conn io.ReadWriteCloser) rpc.ServerCodec {
	return newServerCodec(messagesOf(conn, o), o)
}

// NewClient is the function of the same name, with options.
func (o *Options) NewClient(conn io.ReadWriteCloser) *rpc.Client {
	return rpc.NewClientWithCodec(o.NewClientCodec(conn))
}

// ServeConn is the function of the same name, with options: it serves o.Server.
func (o *Options) ServeConn(conn io.ReadWriteCloser) {
	o.server().ServeCodec(o.NewServerCodec(conn))
}

// Dial is the function of the same name, with options.
func (o *Options) Dial(network, address string) (*rpc.Client, error) {
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return o.NewClient(conn), nil
}
