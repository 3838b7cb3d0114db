package testkit

import (
	"net/rpc"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArith calls the services of NewServer as Go's own tests of net/rpc do, by Call and by Go.
func TestArith(t *testing.T, call func(string, any, any) error, async func(string, any, any, chan *rpc.Call) *rpc.Call) {
	var reply Reply
	require.NoError(t, call("Arith.Add", &Args{7, 8}, &reply))
	require.Equal(t, 15, reply.C)
	require.NoError(t, call("Arith.Add", Args{7, -8}, &reply))
	require.Equal(t, -1, reply.C)
	require.NoError(t, call("Arith.Mul", &Args{7, 8}, &reply))
	require.Equal(t, 56, reply.C)

	err := call("Arith.BadOperation", &Args{7, 0}, &reply)
	require.ErrorContains(t, err, "rpc: can't find method ")
	require.IsType(t, rpc.ServerError(""), err)
	require.ErrorContains(t, call("Nobody.Add", &Args{7, 0}, &reply), "rpc: can't find service ")
	require.ErrorContains(t, call("Add", &Args{7, 0}, &reply), "ill-formed")
	require.ErrorContains(t, call("", &Args{7, 0}, &reply), "ill-formed")
	require.Equal(t, rpc.ServerError("divide by zero"), call("Arith.Div", &Args{7, 0}, &reply))

	require.ErrorContains(t, call("Arith.Add", &Reply{1}, &reply), "type")
	require.ErrorContains(t, call("Arith.Add", "text", &reply), "type")
	require.ErrorContains(t, call("Arith.Scan", 7, &reply), "type")

	mul := async("Arith.Mul", &Args{7, 8}, new(Reply), nil)
	add := async("Arith.Add", &Args{7, 8}, new(Reply), nil)
	require.Same(t, add, <-add.Done)
	require.NoError(t, add.Error)
	require.Equal(t, &Reply{15}, add.Reply)
	require.Same(t, mul, <-mul.Done)
	require.NoError(t, mul.Error)
	require.Equal(t, &Reply{56}, mul.Reply)

	str := "12345"
	require.NoError(t, call("Arith.Scan", &str, &reply))
	require.Equal(t, 12345, reply.C)
	require.NoError(t, call("Arith.String", &Args{27, 35}, &str))
	require.Equal(t, "27+35=62", str)

	require.NoError(t, call("Arith.Add", &Args{1, 1}, nil), "nobody wants the reply")
	var back []byte
	for _, size := range []int{0, 1, 255, 65536, 300_000} {
		sent := []byte(strings.Repeat("x", size))
		require.NoError(t, call("Raw.Echo", sent, &back))
		require.Equal(t, string(sent), string(back))
	}
}
