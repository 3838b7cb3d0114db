//go:build unix

package rpcpipe_test

import (
	"encoding/gob"
	"math/big"
	"net"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// dialects is a service that says what has arrived.
type dialects struct{}

type dialectValue struct{ N int8 }

func init() { gob.Register(dialectValue{}) }

func (dialects) Clock(at time.Time, reply *[]int) error {
	_, offset := at.Zone()
	*reply = []int{at.Hour(), offset}
	return nil
}

func (dialects) Same(v *any, reply *any) error { *reply = *v; return nil }

func dialectServer(t *testing.T) *rpc.Server {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("D", dialects{}))
	return server
}

// TestOffsetsCross between Peers that say so in their hello; one that does not gets the timestamp
// that it knows.
func TestOffsetsCross(t *testing.T) {
	nine := time.Date(2024, 1, 1, 9, 0, 0, 0, time.FixedZone("", 2*3600))
	var got []int
	a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: dialectServer(t)})
	defer func() { a.Close(); b.Close() }()
	require.NoError(t, a.Call("D.Clock", nine, &got))
	require.Equal(t, []int{9, 2 * 3600}, got)
	old, _ := withOldPeer(t, nil, dialectServer(t))
	defer old.Close()
	require.NoError(t, old.Call("D.Clock", nine, &got))
	require.Equal(t, []int{7, 0}, got)
}

// TestBareDialect: plain unless both sides say otherwise.
func TestBareDialect(t *testing.T) {
	nine := time.Date(2024, 1, 1, 9, 0, 0, 0, time.FixedZone("", 2*3600))
	for dialect, hour := range map[viaduct.Dialect]int{viaduct.AutoDialect: 7, viaduct.PlainDialect: 7, viaduct.GoDialect: 9} {
		x, y := net.Pipe()
		a := rpcpipe.NewBare(x, &rpcpipe.Options{Dialect: dialect})
		b := rpcpipe.NewBare(y, &rpcpipe.Options{Dialect: dialect, Server: dialectServer(t)})
		var got []int
		require.NoError(t, a.Call("D.Clock", nine, &got))
		require.Equal(t, hour, got[0])
		var v, same any = dialectValue{3}, nil
		require.NoError(t, a.Call("D.Same", &v, &same))
		if dialect == viaduct.GoDialect {
			require.Equal(t, v, same)
		} else {
			require.Equal(t, map[string]any{"N": 3}, same)
		}
		a.Close()
		b.Close()
	}
}

// Foreign is a service whose types a Go program sees as they are, and others do not.
type Foreign struct{ dialects }

func (Foreign) Big(_ struct{}, n *any) error { *n = big.NewInt(5); return nil }

// TestPlainHello: a Peer that does not say that it is a Go program is served as none.
func TestPlainHello(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.Register(Foreign{}))
	x, y := net.Pipe()
	served := make(chan *rpcpipe.Peer, 1)
	go func() {
		p, err := rpcpipe.New(t.Context(), y, &rpcpipe.Options{Server: server})
		if err != nil {
			t.Error(err)
		}
		served <- p
	}()
	a, err := rpcpipe.New(t.Context(), x, &rpcpipe.Options{Dialect: viaduct.PlainDialect})
	require.NoError(t, err)
	b := <-served
	defer func() { a.Close(); b.Close() }()
	require.Equal(t, "go", a.Remote().Language)
	require.Empty(t, b.Remote().Language)

	var v, got any = dialectValue{3}, nil
	require.NoError(t, a.Call("Foreign.Same", &v, &got))
	require.Equal(t, map[string]any{"N": 3}, got)
	require.NoError(t, a.Call("Foreign.Big", struct{}{}, &got))
	require.Equal(t, "5", got)
}
