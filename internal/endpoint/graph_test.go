package endpoint_test

import (
	"errors"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Graph is a node that shares those before it: written as a tree it has no end to speak of.
type Graph struct {
	viaduct.Caller
	Before [3]*Graph
}

func graph() *Graph {
	var nodes []*Graph
	for i := range 120 {
		g := new(Graph)
		if i >= 3 {
			copy(g.Before[:], nodes[i-3:])
		}
		nodes = append(nodes, g)
	}
	return nodes[len(nodes)-1]
}

// Graphs is a service that has them.
type Graphs struct{}

func (Graphs) Take(*Graph, *int) error             { return nil }
func (Graphs) Give(_ int, g *Graph) error          { *g = *graph(); return nil }
func (Graphs) Fail(a FailArg, _ *int) error        { return a.Fail(&viaduct.Error{Code: 5, Data: graph()}) }
func (Graphs) Add(args [2]int, sum *int) (_ error) { *sum = args[0] + args[1]; return }

// TestGraphsAreTooLarge: arguments, replies and the data of errors, on every kind of link, cost one
// call.
func TestGraphsAreTooLarge(t *testing.T) {
	testkit.NoneLeft(t)
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("G", Graphs{}))
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: server})
	x, y := bareEndpoints(t, 0, &endpoint.Options{MaxMessage: maxMessage}, &endpoint.Options{Server: server, MaxMessage: maxMessage})
	defer y.Close()
	for _, e := range []*endpoint.Endpoint{a, x} {
		var size *viaduct.SizeError
		require.ErrorAs(t, e.Call("G.Take", graph(), nil), &size)
		require.Equal(t, maxMessage, size.Limit)
		require.Greater(t, size.Size, maxMessage)
		require.ErrorAs(t, e.Notify(t.Context(), "G.Take", graph()), &size)
		err := e.Call("G.Give", 1, nil)
		require.ErrorContains(t, err, "is over the limit of 4194304 bytes")
		require.Equal(t, e == a, errors.As(err, &size))
		err = e.Call("G.Fail", FailArg{}, nil)
		require.ErrorContains(t, err, "error 5")
		var sum int
		require.NoError(t, e.Call("G.Add", [2]int{1, 2}, &sum))
		require.Equal(t, 3, sum)
	}
}
