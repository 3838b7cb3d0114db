package viaduct_test

import (
	"encoding/gob"
	"net"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type (
	Crate struct{ In any }
	Grape struct{ N int8 }
	// Crates is a service for what crosses as with gob alone.
	Crates struct{}
)

func init() { gob.Register(Grape{}) }

func (Crates) Echo(in Crate, out *Crate) error             { *out = in; return nil }
func (Crates) Fruit(in struct{ In Grape }, n *int8) error  { *n = in.In.N; return nil }
func (Crates) Hour(at time.Time, hour *int) error          { *hour = at.Hour(); return nil }
func (Crates) Add(in struct{ A, B int }, sum *int) error   { *sum = in.A + in.B; return nil }
func (Crates) Names(in map[string]any, n *int) (err error) { *n = len(in); return nil }

func crates(t *testing.T) *rpc.Server {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("C", Crates{}))
	return server
}

// TestCodecAloneIsGo: nothing but the constructors is to be changed.
func TestCodecAloneIsGo(t *testing.T) {
	testkit.NoneLeft(t)
	x, y := net.Pipe()
	go crates(t).ServeCodec(viaduct.NewServerCodec(y))
	client := viaduct.NewClient(x)
	defer client.Close()
	var out Crate
	for _, v := range []any{Grape{5}, int8(3), uint64(7), []string(nil), time.Minute} {
		gob.Register(v)
		require.NoError(t, client.Call("C.Echo", Crate{v}, &out))
		require.Equal(t, Crate{v}, out)
	}
	var hour int
	require.NoError(t, client.Call("C.Hour", time.Date(2024, 1, 1, 9, 0, 0, 0, time.FixedZone("", 11*3600)), &hour))
	require.Equal(t, 9, hour)
}

// TestDialectsDiffer: what one side does not take is an error that names the option, and costs that
// call alone.
func TestDialectsDiffer(t *testing.T) {
	testkit.NoneLeft(t)
	x, y := net.Pipe()
	go (&viaduct.Options{Server: crates(t), Dialect: viaduct.PlainDialect}).ServeConn(y)
	client := (&viaduct.Options{Dialect: viaduct.GoDialect}).NewClient(x)
	defer client.Close()
	var n int8
	require.ErrorContains(t, client.Call("C.Fruit", Crate{Grape{5}}, &n), "Options.Dialect")
	require.ErrorContains(t, client.Call("C.Echo", Crate{Grape{5}}, nil), "Options.Dialect")
	require.ErrorContains(t, client.Call("C.Names", map[string]any{"a": Grape{5}}, nil), "Options.Dialect")
	var sum, hour int
	require.NoError(t, client.Call("C.Add", struct{ A, B int }{1, 2}, &sum))
	require.Equal(t, 3, sum)
	require.NoError(t, client.Call("C.Hour", time.Date(2024, 1, 1, 9, 0, 0, 0, time.FixedZone("", 11*3600)), &hour))
	require.Equal(t, 9, hour, "taken from anybody")
}
