package viaduct_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"net/rpc"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// serve serves s on conn and returns a channel that is closed when that has ended.
func serve(opts *viaduct.Options, conn io.ReadWriteCloser) <-chan struct{} {
	served := make(chan struct{})
	go func() {
		defer close(served)
		opts.ServeConn(conn)
	}()
	return served
}

// TestNetRPC is what Go's own tests of net/rpc expect.
func TestNetRPC(t *testing.T) {
	testkit.OverConns(t, func(t *testing.T, x, y io.ReadWriteCloser) {
		served := serve(&viaduct.Options{Server: testkit.NewServer(nil)}, y)
		client := viaduct.NewClient(x)
		testkit.TestArith(t, client.Call, client.Go)
		require.NoError(t, client.Close())
		<-served
		require.Equal(t, rpc.ErrShutdown, client.Call("Arith.Add", &Args{7, 9}, new(Reply)))
		require.Equal(t, rpc.ErrShutdown, client.Close())
	})
}

func TestDial(t *testing.T) {
	testkit.NoneLeft(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	opts := &viaduct.Options{Server: testkit.NewServer(nil)}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { opts.ServeConn(conn) })
		}
	})
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			client, err := viaduct.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			var calls sync.WaitGroup
			for j := range 10 {
				calls.Go(func() {
					for range 20 {
						var reply Reply
						if err := client.Call("Arith.Add", Args{i, j}, &reply); err != nil || reply.C != i+j {
							t.Errorf("%d + %d = %d, %v", i, j, reply.C, err)
							return
						}
					}
				})
			}
			calls.Wait()
		})
	}
	clients.Wait()
	l.Close()
	serving.Wait()

	_, err = viaduct.Dial("tcp", l.Addr().String())
	require.Error(t, err)
}

type Default struct{}

func (Default) Which(_ int, reply *string) error { *reply = "default"; return nil }

var registerDefault = sync.OnceFunc(func() {
	if err := rpc.Register(Default{}); err != nil {
		panic(err)
	}
})

// TestDefaultServer: ServeConn without options serves what rpc.Register registers.
func TestDefaultServer(t *testing.T) {
	registerDefault()
	x, y := net.Pipe()
	go viaduct.ServeConn(y)
	client := viaduct.NewClient(x)
	defer client.Close()
	var which string
	require.NoError(t, client.Call("Default.Which", 0, &which))
	require.Equal(t, "default", which)
}

// TestHalfClosed: a call made before the client stops sending is still answered.
func TestHalfClosed(t *testing.T) {
	testkit.NoneLeft(t)
	x, y := testkit.TCPPair(t)
	gate := make(chan struct{})
	served := serve(&viaduct.Options{Server: testkit.NewServer(testkit.Hooks{"Gate": func(string) (string, error) {
		<-gate
		return "through", nil
	}})}, y)
	client := viaduct.NewClient(x)
	var reply string
	call := client.Go("Gate.Do", "", &reply, nil)
	require.NoError(t, x.(*net.TCPConn).CloseWrite())
	close(gate)
	<-call.Done
	require.NoError(t, call.Error)
	require.Equal(t, "through", reply)
	<-served
	client.Close()
}

// TestServeRequest: the server codec works with ServeRequest too.
func TestServeRequest(t *testing.T) {
	testkit.OverConns(t, func(t *testing.T, x, y io.ReadWriteCloser) {
		client := viaduct.NewClient(x)
		server, codec := testkit.NewServer(nil), viaduct.NewServerCodec(y)
		for i := range 10 {
			served := make(chan error, 1)
			go func() { served <- server.ServeRequest(codec) }()
			var reply Reply
			require.NoError(t, client.Call("Arith.Add", Args{i, 1}, &reply))
			require.NoError(t, <-served)
			require.Equal(t, Reply{i + 1}, reply)
		}
		client.Close()
		require.Error(t, server.ServeRequest(codec))
		require.NoError(t, codec.Close())
		require.NoError(t, codec.Close())
	})
}

// TestDropIn: a service gives the same over gob and over this codec.
func TestDropIn(t *testing.T) {
	for _, tt := range []struct {
		method string
		args   any
		reply  func() any
	}{
		{"Arith.Add", Args{1, 2}, func() any { return new(Reply) }},
		{"Arith.Add", &Args{1, 0}, func() any { return new(Reply) }},
		{"Arith.Add", struct{ B, A, Z int }{1, 2, 3}, func() any { return new(Reply) }},
		{"Arith.Add", struct{ A int }{4}, func() any { return new(Reply) }},
		{"Arith.Mul", Args{-1 << 40 >> 20, 3}, func() any { return new(Reply) }},
		{"Arith.Div", Args{1, 0}, func() any { return new(Reply) }},
		{"Arith.String", Args{1, 2}, func() any { return new(string) }},
		{"Arith.Scan", "17", func() any { return new(Reply) }},
		{"Arith.Scan", "no number", func() any { return new(Reply) }},
		{"Arith.Nope", 1, func() any { return new(int) }},
		{"Raw.Echo", []byte("abc"), func() any { return new([]byte) }},
		{"Bad.NoText", 1, func() any { return new(int) }},
		{"Kinds.Map", map[string][]int{"a": {1, 2}, "b": {}}, func() any { return new(map[string]int) }},
		{"Kinds.Deep", Deep{Name: "x", Next: &Deep{Name: "y", Tags: []string{"1", "2"}}}, func() any { return new(Deep) }},
		{"Kinds.Array", [3]float64{1, 2.5, -3}, func() any { return new([2]float64) }},
	} {
		t.Run(fmt.Sprintf("%s %v", tt.method, tt.args), func(t *testing.T) {
			server := testkit.NewServer(nil)
			require.NoError(t, server.Register(Kinds{}))
			run := func(serve func(net.Conn), client func(net.Conn) *rpc.Client) (any, error) {
				x, y := net.Pipe()
				go serve(y)
				c := client(x)
				defer c.Close()
				reply := tt.reply()
				err := c.Call(tt.method, tt.args, reply)
				return reply, err
			}
			wantReply, wantErr := run(func(c net.Conn) { server.ServeConn(c) }, func(c net.Conn) *rpc.Client { return rpc.NewClient(c) })
			opts := &viaduct.Options{Server: server}
			gotReply, gotErr := run(func(c net.Conn) { opts.ServeConn(c) }, func(c net.Conn) *rpc.Client { return viaduct.NewClient(c) })
			require.Equal(t, wantErr, gotErr)
			require.Equal(t, wantReply, gotReply)
		})
	}
}

type Deep struct {
	Name string
	Tags []string
	Next *Deep
}

type Kinds struct{}

func (Kinds) Map(args map[string][]int, reply *map[string]int) error {
	*reply = make(map[string]int)
	for k, v := range args {
		(*reply)[k] = len(v)
	}
	return nil
}

func (Kinds) Deep(args *Deep, reply *Deep) error { *reply = *args; return nil }

func (Kinds) Array(args [3]float64, reply *[2]float64) error {
	copy(reply[:], args[1:])
	return nil
}

// TestClientClose: pending calls fail with rpc.ErrShutdown itself.
func TestClientClose(t *testing.T) {
	gate, at := make(chan struct{}), make(chan bool, 10)
	server := testkit.NewServer(testkit.Hooks{"Gate": func(string) (string, error) { at <- true; <-gate; return "", nil }})
	t.Cleanup(func() { close(gate) })
	for _, c := range testkit.Conns {
		for _, lanes := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lanes %v", c.Name, lanes), func(t *testing.T) {
				x, y := c.Make(t)
				if lanes {
					a, b := testkit.DuplexPair(t, x, y, nil)
					x, y = a.ClientLane(), b.ServerLane()
				}
				serve(&viaduct.Options{Server: server}, y)
				client := viaduct.NewClient(x)
				call := client.Go("Gate.Do", "", nil, nil)
				<-at
				require.NoError(t, client.Close())
				<-call.Done
				require.Equal(t, rpc.ErrShutdown, call.Error)
			})
		}
	}
}

// TestLimitsBelowZero: they mean the defaults.
func TestLimitsBelowZero(t *testing.T) {
	opts := &viaduct.Options{MaxMessage: -1, MaxDepth: math.MinInt, Server: testkit.NewServer(testkit.Hooks{})}
	x, y := net.Pipe()
	go opts.ServeConn(y)
	client := opts.NewClient(x)
	defer client.Close()
	var echo []byte
	require.NoError(t, client.Call("Raw.Echo", make([]byte, 10<<20), &echo))
	require.Len(t, echo, 10<<20)
}
