package viaduct_test

import (
	"encoding/gob"
	"net"
	"net/rpc"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestParamsOnTheWire: none, one and many are the params array itself.
func TestParamsOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		args any
		hex  string
	}{
		{viaduct.Params{}, "90"},
		{viaduct.Params(nil), "90"},
		{(*viaduct.Params)(nil), "90"},
		{viaduct.Params{1}, "91 01"},
		{&viaduct.Params{1, "a", nil, []byte{7}}, "94 01 a1 61 c0 c4 01 07"},
		{[]any{1, 2}, "91 92 01 02"}, // one argument, a list
		{nil, "91 c0"},
		{Located{X: 1, Name: "a", Opt: nil}, "93 01 a1 61 c0"},
		{&Located{X: 1, Name: "a", Opt: new(int)}, "93 01 a1 61 00"},
		{(*Located)(nil), "90"},
		{struct{ viaduct.Positional }{}, "90"},
		{viaduct.Positional{}, "90"},
		{[]Located{{X: 2}}, "91 91 93 02 a0 c0"},
	} {
		b, err := new(body.Codec).AppendParams(nil, tt.args, body.NoLimit)
		require.NoError(t, err)
		require.Equal(t, testkit.Unhex(t, tt.hex), b)
	}
	_, err := new(body.Codec).AppendParams(nil, viaduct.Params{1, make(chan int)}, body.NoLimit)
	require.ErrorContains(t, err, "[1]")
}

// Located is three parameters.
type Located struct {
	viaduct.Positional
	X    int
	Name string `msgpack:",omitempty"`
	Opt  *int
}

type ParamsService struct{}

func (ParamsService) Locate(l Located, reply *Located) error { *reply = l; return nil }

// TestPositional: parameters with types, both ways, and over gob as ever.
func TestPositional(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("P", ParamsService{}))
	x, y := net.Pipe()
	go (&viaduct.Options{Server: server}).ServeConn(y)
	a := viaduct.NewClient(x)
	defer a.Close()
	seven := 7
	in := Located{X: 1, Name: "a", Opt: &seven}
	for _, args := range []any{in, &in, viaduct.Params{1, "a", 7}, viaduct.Params{1, []byte("a"), 7.0}} {
		var out Located
		require.NoError(t, a.Call("P.Locate", args, &out))
		require.Equal(t, in, out)
	}
	for _, args := range []any{viaduct.Params{}, (*Located)(nil)} {
		out := Located{X: 5}
		require.NoError(t, a.Call("P.Locate", args, &out))
		require.Equal(t, Located{}, out)
	}
	for _, args := range []any{5, viaduct.Params{1, "a"}, viaduct.Params{1, "a", 7, 8}, viaduct.Params{"a", 1, 7}} {
		require.ErrorContains(t, a.Call("P.Locate", args, nil), "type mismatch")
	}
	cx, cy := net.Pipe()
	go server.ServeConn(cy)
	client := rpc.NewClient(cx)
	defer client.Close()
	var out Located
	require.NoError(t, client.Call("P.Locate", in, &out))
	require.Equal(t, in, out)
}

func (ParamsService) Count(p *viaduct.Params, n *int) error     { *n = len(*p); return nil }
func (ParamsService) Last(p viaduct.Params, last *any) error    { *last = p[len(p)-1]; return nil }
func (ParamsService) Double(n int, twice *int) error            { *twice = 2 * n; return nil }
func (ParamsService) When(p viaduct.Params, t *time.Time) error { *t = p[0].(time.Time); return nil }

func TestParamsCall(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("P", ParamsService{}))
	x, y := net.Pipe()
	go (&viaduct.Options{Server: server}).ServeConn(y)
	a := viaduct.NewClient(x)
	defer a.Close()
	var n int
	for _, p := range []viaduct.Params{{}, {1}, {1, "two", 3.0, nil, []any{5}}} {
		require.NoError(t, a.Call("P.Count", p, &n))
		require.Equal(t, len(p), n)
	}
	require.NoError(t, a.Call("P.Count", 7, &n)) // an ordinary argument is one parameter
	require.Equal(t, 1, n)
	var last any
	require.NoError(t, a.Call("P.Last", viaduct.Params{1, "two"}, &last))
	require.Equal(t, "two", last)
	require.NoError(t, a.Call("P.Double", viaduct.Params{21}, &n))
	require.Equal(t, 42, n)
	require.ErrorContains(t, a.Call("P.Double", viaduct.Params{1, 2}, &n), "2 parameters")
	now, then := time.Now(), time.Time{}
	require.NoError(t, a.Call("P.When", viaduct.Params{now}, &then))
	require.True(t, now.Equal(then))
}

type (
	byPointer struct {
		*viaduct.Positional
		A int
	}
	byAnother struct {
		Located
		B int
	}
	byTag struct {
		viaduct.Positional `msgpack:"-"`
		A                  int
	}
	bySelf struct {
		viaduct.Positional
		time.Time
	}
)

// TestPositionalMisused: what would not be the params array is an error.
func TestPositionalMisused(t *testing.T) {
	for _, v := range []any{byPointer{}, byAnother{}, byTag{}, bySelf{}} {
		require.ErrorContains(t, viaduct.Check(v), "it would not be sent as the params array")
		_, err := new(body.Codec).AppendParams(nil, v, body.NoLimit)
		require.Error(t, err, "%T", v)
	}
}

type labelIn struct{ S string }

func init() { gob.Register(&labelIn{}) }

type Typed struct {
	viaduct.Positional
	N int8
	L labelIn
}

func (ParamsService) Types(p viaduct.Params, list *[]string) error {
	for _, x := range p {
		*list = append(*list, reflect.TypeOf(x).String())
	}
	return nil
}

func (ParamsService) Typed(in Typed, reply *Typed) error { *reply = in; return nil }
func (ParamsService) Byte(n int8, reply *int8) error     { *reply = n; return nil }

// TestParamsKeepTypes: between Go programs, as in any other list of interfaces.
func TestParamsKeepTypes(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("P", ParamsService{}))
	for _, goPeer := range []bool{true, false} {
		x, y := net.Pipe()
		opts := &viaduct.Options{Server: server}
		if !goPeer {
			opts.Dialect = viaduct.PlainDialect
		}
		go opts.ServeConn(y)
		a := opts.NewClient(x)
		want := []string{"int8", "*viaduct_test.labelIn", "string"}
		if !goPeer {
			want = []string{"int", "map[string]interface {}", "string"}
		}
		var list []string
		require.NoError(t, a.Call("P.Types", viaduct.Params{int8(5), &labelIn{"x"}, "y"}, &list))
		require.Equal(t, want, list)
		var typed Typed
		require.NoError(t, a.Call("P.Typed", viaduct.Params{int8(5), &labelIn{"x"}}, &typed))
		require.Equal(t, Typed{N: 5, L: labelIn{"x"}}, typed)
		var n int8
		require.NoError(t, a.Call("P.Byte", viaduct.Params{int8(5)}, &n))
		require.Equal(t, int8(5), n)
		require.NoError(t, a.Call("P.Typed", nil, &typed))
		require.Equal(t, Typed{}, typed)
		require.NoError(t, a.Call("P.Typed", struct {
			viaduct.Positional
			N int8
			L struct{ Other int } // gob does not mind in a field either
		}{}, &typed))
		a.Close()
	}
}
