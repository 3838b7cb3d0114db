package listing

import (
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
)

type (
	number   int8
	blob     []byte
	chain    []chain
	tree     map[string][]tree
	selfish  *selfish
	recursor struct {
		Next *recursor
		Deep map[string][]recursor
	}
	pair[K, V any] struct {
		Key K
		Val V `msgpack:"v,omitempty" doc:"what it is"`
	}
	hidden   struct{ x int }
	withChan struct {
		A, b int
		C    chan int
	}
	tagged struct {
		Skip  int `msgpack:"-"`
		Inner struct{ X, Y float32 }
		viaduct.Caller
	}
	lines struct {
		viaduct.Positional
		From, To int
	}
	gobOnly struct{ n int }
	msgp    struct{ n int }
	shape   interface{ Area() float64 }
)

func (gobOnly) GobEncode() ([]byte, error)          { return nil, nil }
func (*gobOnly) GobDecode([]byte) error             { return nil }
func (msgp) MarshalMsg(b []byte) ([]byte, error)    { return b, nil }
func (*msgp) UnmarshalMsg(b []byte) ([]byte, error) { return b, nil }

func describe(t reflect.Type) (string, []Type) {
	d := describer{names: make(map[reflect.Type]string), taken: make(map[string]bool), open: make(map[reflect.Type]bool)}
	return d.describe(behind(t)), d.types
}

func TestDescribe(t *testing.T) {
	_ = []any{hidden{x: 1}.x, withChan{b: 1}.b, gobOnly{n: 1}.n, msgp{n: 1}.n}
	for _, tt := range []struct {
		of    reflect.Type
		name  string
		types []Type
	}{
		{of: reflect.TypeFor[bool](), name: "bool"},
		{of: reflect.TypeFor[number](), name: "int8"},
		{of: reflect.TypeFor[**uint16](), name: "uint16"},
		{of: reflect.TypeFor[uintptr](), name: "uint64"},
		{of: reflect.TypeFor[float32](), name: "float32"},
		{of: reflect.TypeFor[complex128](), name: "complex128"},
		{of: reflect.TypeFor[[]byte](), name: "bytes"},
		{of: reflect.TypeFor[blob](), name: "bytes"},
		{of: reflect.TypeFor[[4]byte](), name: "[4]byte"},
		{of: reflect.TypeFor[[2][]string](), name: "[2][]string"},
		{of: reflect.TypeFor[map[[2]int]*int](), name: "map[[2]int]*int"},
		{of: reflect.TypeFor[time.Time](), name: "time"},
		{of: reflect.TypeFor[[]time.Duration](), name: "[]duration"},
		{of: reflect.TypeFor[time.Month](), name: "int"},
		{of: reflect.TypeFor[any](), name: "any"},
		{of: reflect.TypeFor[shape](), name: "listing.shape", types: []Type{{Name: "listing.shape", Is: "go"}}},
		{of: reflect.TypeFor[error](), name: "go"},
		{of: reflect.TypeFor[viaduct.Ext](), name: "ext"},
		{of: reflect.TypeFor[*viaduct.Params](), name: "list"},
		{of: reflect.TypeFor[struct{}](), name: "struct{}"},
		{of: reflect.TypeFor[chan int](), name: "never"},
		{of: reflect.TypeFor[[]func()](), name: "never"},
		{of: reflect.TypeFor[hidden](), name: "never"},
		{of: reflect.TypeFor[selfish](), name: "listing.selfish", types: []Type{{Name: "listing.selfish", Is: "*listing.selfish"}}},
		{of: reflect.TypeFor[chain](), name: "listing.chain", types: []Type{{Name: "listing.chain", Is: "[]listing.chain"}}},
		{of: reflect.TypeFor[tree](), name: "listing.tree", types: []Type{{Name: "listing.tree", Is: "map[string][]listing.tree"}}},
		{of: reflect.TypeFor[[]big.Int](), name: "[]big.Int", types: []Type{{Name: "big.Int", Is: "text"}}},
		{of: reflect.TypeFor[netip.Addr](), name: "netip.Addr", types: []Type{{Name: "netip.Addr", Is: "text"}}},
		{of: reflect.TypeFor[url.URL](), name: "url.URL", types: []Type{{Name: "url.URL", Is: "bytes"}}},
		{of: reflect.TypeFor[gobOnly](), name: "listing.gobOnly", types: []Type{{Name: "listing.gobOnly", Is: "go"}}},
		{of: reflect.TypeFor[msgp](), name: "listing.msgp", types: []Type{{Name: "listing.msgp", Is: "any"}}},
		{of: reflect.TypeFor[recursor](), name: "listing.recursor", types: []Type{{Name: "listing.recursor", Fields: []Field{
			{Name: "Next", Type: "*listing.recursor"}, {Name: "Deep", Type: "map[string][]listing.recursor"},
		}}}},
		{of: reflect.TypeFor[withChan](), name: "listing.withChan", types: []Type{{Name: "listing.withChan", Fields: []Field{{Name: "A", Type: "int"}}}}},
		{of: reflect.TypeFor[tagged](), name: "listing.tagged", types: []Type{
			{Name: "listing.tagged", Fields: []Field{{Name: "Inner", Type: "struct#1"}}},
			{Name: "struct#1", Fields: []Field{{Name: "X", Type: "float32"}, {Name: "Y", Type: "float32"}}},
		}},
		{of: reflect.TypeFor[lines](), name: "listing.lines", types: []Type{{Name: "listing.lines", Positional: true, Fields: []Field{
			{Name: "From", Type: "int"}, {Name: "To", Type: "int"},
		}}}},
		{of: reflect.TypeFor[pair[string, []int]](), name: "listing.pair[string,[]int]", types: []Type{{Name: "listing.pair[string,[]int]", Fields: []Field{
			{Name: "Key", Type: "string"}, {Name: "v", Type: "[]int", Doc: "what it is"},
		}}}},
	} {
		name, types := describe(tt.of)
		require.Equal(t, tt.name, name, tt.of)
		require.Equal(t, tt.types, types, tt.of)
	}
}

// TestSameNames: types that are called the same have names of their own, the same each time.
func TestSameNames(t *testing.T) {
	args := reflect.TypeFor[Args]()
	type Args struct{ C int }
	second := reflect.TypeFor[Args]()
	third := func() reflect.Type {
		type Args struct{ D int }
		return reflect.TypeFor[Args]()
	}()
	d := describer{names: make(map[reflect.Type]string), taken: make(map[string]bool), open: make(map[reflect.Type]bool)}
	const path = "github.com/viaduct-go/viaduct/internal/listing.Args"
	for range 2 {
		require.Equal(t, "listing.Args", d.describe(args))
		require.Equal(t, path, d.describe(second))
		require.Equal(t, path+"#2", d.describe(third))
	}
}

// TestOf: all of a server, in order, under the names that lead there.
func TestOf(t *testing.T) {
	server := newServer(t, map[string]any{"Arith": Arith{}, "Bare": new(Bare)})
	want := &Listing{
		Methods: []Method{
			{Name: "Arith.Add", Arg: "listing.Args", Reply: "int", Doc: "adds"},
			{Name: "Arith.Each", Arg: "[]listing.Args", Reply: "map[string]listing.Args"},
			{Name: "Bare.Nothing", Arg: "struct{}", Reply: "struct{}"},
		},
		Types: []Type{{Name: "listing.Args", Fields: []Field{{Name: "A", Type: "int", Doc: "the first"}, {Name: "B", Type: "int"}}}},
	}
	l, err := Of(server, nil)
	require.NoError(t, err)
	require.Equal(t, want, l)

	l, err = Of(server, func(name string) string { return strings.Replace(name, "Arith.Each", "Bare.Nothing", 1) })
	require.NoError(t, err)
	want.Methods[1].Arg, want.Methods[1].Reply = "struct{}", "struct{}"
	require.Equal(t, want, l, "what each name leads to")
	l, err = Of(server, func(string) string { return "Nope.Nope" })
	require.NoError(t, err)
	require.Empty(t, l.Methods)
	_, err = Of(server, func(string) string { panic("oh") })
	require.ErrorIs(t, err, errNotListed)
	require.ErrorContains(t, err, "panic: oh")
}

// Timely has an argument with things to know of.
type Timely struct{}

func (Timely) At(at time.Time, reply *[]withChan) error { return nil }

func TestNotes(t *testing.T) {
	l, err := Of(newServer(t, map[string]any{"Timely": Timely{}}), nil)
	require.NoError(t, err)
	notes := strings.Join(l.Methods[0].Notes, "\n")
	require.Contains(t, notes, "time.Time keeps the instant")
	require.Contains(t, notes, "listing.withChan is sent without C: type chan int cannot be sent")
}
