// Package grpcwork is what grpc alone and grpc in go-plugin share.
package grpcwork

import (
	"context"
	"math"

	"google.golang.org/grpc"

	"github.com/viaduct-go/viaduct/bench/internal/contender/protowork"
	"github.com/viaduct-go/viaduct/bench/internal/wire"
	"github.com/viaduct-go/viaduct/bench/internal/wire/grpcwire"
)

// Large has a server take messages of any size. The default is 4 MiB.
var Large = grpc.MaxRecvMsgSize(math.MaxInt32)

// Client does the work.
type Client struct {
	protowork.Client
	stub grpcwire.WorkClient
}

// NewClient returns one that calls over the connection.
func NewClient(conn grpc.ClientConnInterface) Client {
	stub := grpcwire.NewWorkClient(conn)
	return Client{protowork.Client{Calls: calls{stub}}, stub}
}

// Pour is work.Pourer's.
func (c Client) Pour(total, chunk int) error {
	stream, err := c.stub.Sink(context.Background())
	if err != nil {
		return err
	}
	return protowork.Pour(stream, total, chunk)
}

// Notify is work.Notifier's.
func (c Client) Notify(n int) error {
	stream, err := c.stub.Notes(context.Background())
	if err != nil {
		return err
	}
	return protowork.Notify(stream, n)
}

// calls leaves out the options.
type calls struct{ stub grpcwire.WorkClient }

func (c calls) Add(ctx context.Context, m *wire.Pair) (*wire.Sum, error) { return c.stub.Add(ctx, m) }

func (c calls) Echo(ctx context.Context, m *wire.Bytes) (*wire.Bytes, error) {
	return c.stub.Echo(ctx, m)
}

func (c calls) Update(ctx context.Context, m *wire.Record) (*wire.Record, error) {
	return c.stub.Update(ctx, m)
}

func (c calls) EchoFloats(ctx context.Context, m *wire.Floats) (*wire.Floats, error) {
	return c.stub.EchoFloats(ctx, m)
}

func (c calls) Usage(ctx context.Context, m *wire.Want) (*wire.Usage, error) {
	return c.stub.Usage(ctx, m)
}

func (c calls) CallBack(ctx context.Context, m *wire.Drive) (*wire.Count, error) {
	return c.stub.CallBack(ctx, m)
}

type server struct {
	unimplemented
	*protowork.Server
}

// unimplemented puts what gRPC wants embedded one level below the methods that are implemented.
type unimplemented struct {
	grpcwire.UnimplementedWorkServer
}

// Register has g serve the work.
func Register(g grpc.ServiceRegistrar, s *protowork.Server) {
	grpcwire.RegisterWorkServer(g, server{Server: s})
}

func (server) Sink(s grpcwire.Work_SinkServer) error {
	count, err := protowork.Sink(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(count)
}

func (server) Notes(s grpcwire.Work_NotesServer) error {
	count, err := protowork.Notes(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(count)
}
