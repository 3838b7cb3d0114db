package body_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"net"
	"net/rpc"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// What programs for net/rpc do with arguments and replies, over a real server and client.

// overPeers runs f with a client of server, as between Go programs and as with any other peer.
func overPeers(t *testing.T, server *rpc.Server, f func(t *testing.T, client *rpc.Client)) {
	for _, goPeer := range []bool{false, true} {
		t.Run(fmt.Sprintf("Go peer %v", goPeer), func(t *testing.T) {
			testkit.NoneLeft(t)
			client := linkOverViaduct(goPeer)(server)
			defer client.Close()
			f(t, client)
		})
	}
}

func serverOf(t *testing.T, name string, service any) *rpc.Server {
	s := rpc.NewServer()
	require.NoError(t, s.RegisterName(name, service))
	return s
}

// Takes says what it was given.
type Takes struct{}

func (Takes) Value(a Args, r *string) error    { *r = fmt.Sprint(a); return nil }
func (Takes) Pointer(a *Args, r *string) error { *r = fmt.Sprint(*a); return nil }
func (Takes) PointerPointer(a **Args, r *string) (_ error) {
	if *a == nil {
		*r = "nil"
		return
	}
	*r = fmt.Sprint(**a)
	return
}
func (Takes) Slice(a []int, r *string) error        { *r = fmt.Sprintf("%#v", a); return nil }
func (Takes) Map(a map[string]int, r *string) error { *r = fmt.Sprintf("%#v", a); return nil }
func (Takes) Any(a *any, r *string) error           { *r = fmt.Sprintf("%#v", *a); return nil }
func (Takes) Twice(a **Args, r **Args) error        { *r = &Args{2 * (*a).A, 2 * (*a).B}; return nil }
func (Takes) Nothing(_ int, r **Args) error         { *r = nil; return nil }

func TestNilAndPointerArguments(t *testing.T) {
	p := &Args{1, 2}
	pp := &p
	var none *Args
	var nobody any
	overPeers(t, serverOf(t, "Takes", Takes{}), func(t *testing.T, client *rpc.Client) {
		for _, tt := range []struct {
			method string
			args   any
			want   string
		}{
			{"Value", nil, "{0 0}"}, {"Value", none, "{0 0}"}, {"Value", &none, "{0 0}"}, {"Value", p, "{1 2}"}, {"Value", pp, "{1 2}"}, {"Value", &pp, "{1 2}"},
			{"Pointer", nil, "{0 0}"}, {"Pointer", none, "{0 0}"}, {"Pointer", &none, "{0 0}"}, {"Pointer", *p, "{1 2}"}, {"Pointer", &pp, "{1 2}"},
			{"PointerPointer", nil, "nil"}, {"PointerPointer", none, "nil"}, {"PointerPointer", &none, "nil"}, {"PointerPointer", *p, "{1 2}"}, {"PointerPointer", pp, "{1 2}"}, {"PointerPointer", &pp, "{1 2}"},
			{"Slice", nil, "[]int(nil)"}, {"Slice", []int(nil), "[]int(nil)"}, {"Slice", (*[]int)(nil), "[]int(nil)"}, {"Slice", []int{}, "[]int{}"}, {"Slice", &[]int{1}, "[]int{1}"},
			{"Map", nil, "map[string]int(nil)"}, {"Map", map[string]int(nil), "map[string]int(nil)"}, {"Map", map[string]int{}, "map[string]int{}"},
			{"Any", nil, "<nil>"}, {"Any", none, "<nil>"}, {"Any", &nobody, "<nil>"}, {"Any", 7, "7"},
		} {
			var got string
			require.NoError(t, client.Call("Takes."+tt.method, tt.args, &got), "%s(%#v)", tt.method, tt.args)
			require.Equal(t, tt.want, got, "%s(%#v)", tt.method, tt.args)
		}
		var back *Args
		require.NoError(t, client.Call("Takes.Twice", &pp, &back))
		require.Equal(t, &Args{2, 4}, back)
		filled := &back
		require.NoError(t, client.Call("Takes.Twice", Args{5, 6}, &filled))
		require.Equal(t, Args{10, 12}, **filled)
		var value Args
		require.NoError(t, client.Call("Takes.Twice", pp, &value))
		require.Equal(t, Args{2, 4}, value)
		require.NoError(t, client.Call("Takes.Nothing", 1, &back))
		require.NoError(t, client.Call("Takes.Nothing", 1, &value))
	})
}

// TestReplyVariables: nil, and what is no variable at all.
func TestReplyVariables(t *testing.T) {
	overPeers(t, testkit.NewServer(nil), func(t *testing.T, client *rpc.Client) {
		require.NoError(t, client.Call("Arith.Add", Args{1, 2}, nil))
		require.ErrorContains(t, client.Call("Arith.Div", Args{1, 0}, nil), "divide by zero")
		var r Reply
		require.NoError(t, client.Call("Arith.Add", Args{1, 2}, &r))
		require.Equal(t, 3, r.C)
	})
	for _, reply := range []any{Reply{}, 7, "text", (*Reply)(nil), map[string]int{}, []byte{}} {
		// As with gob, this ends a client of net/rpc, which reads on for nobody.
		overPeers(t, testkit.NewServer(nil), func(t *testing.T, client *rpc.Client) {
			err := client.Call("Arith.Add", Args{1, 2}, reply)
			require.ErrorContains(t, err, "is not a pointer, or it is nil", "%T", reply)
			require.Error(t, client.Call("Arith.Add", Args{1, 2}, new(Reply)))
		})
		x, y := net.Pipe()
		b := rpcpipe.NewBare(y, &rpcpipe.Options{Server: testkit.NewServer(nil)})
		a := rpcpipe.NewBare(x, nil)
		t.Cleanup(func() { a.Close(); b.Close() })
		var body *viaduct.BodyError
		require.ErrorAs(t, a.Call("Arith.Add", Args{1, 2}, reply), &body)
		var r Reply
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, &r), "a Peer goes on")
		require.Equal(t, 3, r.C)
	}
}

// Made is a service that fills what net/rpc has made for it.
type Made struct{}

func (Made) Map(n int, r *map[string]int) error {
	for i := range n {
		(*r)[fmt.Sprint(i)] = i
	}
	return nil
}
func (Made) Slice(n int, r *[]int) error {
	for i := range n {
		*r = append(*r, i)
	}
	return nil
}

// TestMadeReplies: net/rpc makes maps and slices that are replies before it calls the method.
func TestMadeReplies(t *testing.T) {
	overPeers(t, serverOf(t, "Made", Made{}), func(t *testing.T, client *rpc.Client) {
		var m map[string]int
		require.NoError(t, client.Call("Made.Map", 2, &m))
		require.Equal(t, map[string]int{"0": 0, "1": 1}, m)
		var s []int
		require.NoError(t, client.Call("Made.Slice", 2, &s))
		require.Equal(t, []int{0, 1}, s)
		kept := s
		require.NoError(t, client.Call("Made.Slice", 1, &s))
		require.Equal(t, []int{0}, s)
		require.NoError(t, client.Call("Made.Slice", 3, &s))
		require.Equal(t, []int{0, 1, 2}, s)
		require.Equal(t, []int{0, 1}, kept)
		require.NoError(t, client.Call("Made.Slice", 0, &s))
		require.Empty(t, s)
		require.NoError(t, client.Call("Made.Map", 0, &m))
		require.Empty(t, m)
	})
}

// Filled is a reply with something of each kind.
type Filled struct {
	N int
	S string
	L []Flat
	M map[string]int
	P *Flat
	A [2]Flat
	T time.Time
}

// Sparse does not send what is zero.
type Sparse struct {
	A int `msgpack:",omitempty"`
	B int
}

func fill() Filled {
	return Filled{1, "s", []Flat{{1, 2}, {3, 4}}, map[string]int{"a": 1}, &Flat{1, 2}, [2]Flat{{1, 2}, {3, 4}}, time.Unix(5, 6).UTC()}
}

// TestFilledReplies: what becomes of what is in the caller's variable, here and with gob. See
// TYPES.md.
func TestFilledReplies(t *testing.T) {
	some := Filled{L: []Flat{{0, 9}}, M: map[string]int{"b": 2}, P: &Flat{0, 9}, A: [2]Flat{{0, 9}}}
	for _, tt := range []filledCase{
		filled("number", 7, 0, 0, 0),
		filled("text", "x", "", "", ""),
		filled("bytes", []byte("xyz"), []byte("a"), []byte("a"), []byte("a")),
		filled("empty bytes", []byte("xyz"), []byte{}, []byte{}, []byte{}),
		filled("nil bytes", []byte("xyz"), nil, nil, []byte{}),
		filled("nil slice", []int{1, 2}, nil, nil, []int{}),
		filled("slice of structs", []Flat{{1, 2}, {3, 4}}, []Flat{{0, 9}}, []Flat{{0, 9}}, []Flat{{1, 9}}),
		filled("array of structs", [2]Flat{{1, 2}, {3, 4}}, [2]Flat{{0, 9}}, [2]Flat{{0, 9}}, [2]Flat{{1, 9}, {3, 4}}),
		filled("map", map[string]int{"a": 1}, map[string]int{"b": 2}, map[string]int{"b": 2}, map[string]int{"a": 1, "b": 2}),
		filled("nil map", map[string]int{"a": 1}, nil, map[string]int{"a": 1}, map[string]int{"a": 1}),
		filled("pointer", &Flat{1, 2}, &Flat{0, 9}, &Flat{0, 9}, &Flat{1, 9}),
		filled("struct", fill(), some, some, Filled{1, "s", []Flat{{1, 9}}, map[string]int{"a": 1, "b": 2}, &Flat{1, 9}, [2]Flat{{1, 9}, {3, 4}}, time.Unix(5, 6).UTC()}),
		filled("zero struct", fill(), Filled{}, Filled{}, fill()),
		filled("struct that leaves out", Sparse{1, 2}, Sparse{0, 9}, Sparse{1, 9}, Sparse{1, 9}),
		filled("slice of structs that leave out", []Sparse{{1, 2}, {3, 4}}, []Sparse{{0, 9}}, []Sparse{{0, 9}}, []Sparse{{1, 9}}),
		filled("map of structs that leave out", map[string]Sparse{"a": {1, 2}}, map[string]Sparse{"a": {0, 9}}, map[string]Sparse{"a": {0, 9}}, map[string]Sparse{"a": {0, 9}}),
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t, linkOverGob, tt.gob)
			tt.run(t, linkOverViaduct(true), tt.want)
			tt.run(t, linkOverViaduct(false), tt.want)
		})
	}
}

type filledCase struct {
	name      string
	want, gob any
	run       func(t *testing.T, link func(*rpc.Server) *rpc.Client, want any)
}

func filled[T any](name string, before, returned, want, gob T) filledCase {
	return filledCase{name, want, gob, func(t *testing.T, link func(*rpc.Server) *rpc.Client, want any) {
		// Each link changes what the variable refers to, so each gets a copy.
		reply := deepCopy(t, before)
		client := link(serverOf(t, "Returns", Returns[T]{returned}))
		defer client.Close()
		require.NoError(t, client.Call("Returns.It", 1, &reply))
		require.Empty(t, sameValue(want, reply))
	}}
}

func deepCopy[T any](t *testing.T, v T) (c T) {
	var buf bytes.Buffer
	require.NoError(t, gob.NewEncoder(&buf).Encode(v))
	require.NoError(t, gob.NewDecoder(&buf).Decode(&c))
	return c
}

// Returns is a service that returns one value.
type Returns[T any] struct{ v T }

func (r Returns[T]) It(_ int, reply *T) error { *reply = r.v; return nil }

// Looped may contain itself in each way that there is.
type Looped struct {
	Next *Looped
	Map  map[string]*Looped
	List []*Looped
	Any  any
}

func loops() map[string]*Looped {
	next, inMap, list, boxed := &Looped{}, &Looped{}, &Looped{}, &Looped{}
	next.Next = next
	inMap.Map = map[string]*Looped{"a": inMap}
	list.List = []*Looped{nil, list}
	boxed.Any = boxed
	m := map[string]any{}
	m["m"] = m
	l := []any{nil}
	l[0] = l
	return map[string]*Looped{"pointer": next, "map": inMap, "slice": list, "interface": boxed, "map of any": {Any: m}, "slice of any": {Any: l}}
}

// TestCyclicCalls: what contains itself is an error of one call, be it an argument or a reply.
func TestCyclicCalls(t *testing.T) {
	gob.Register(&Looped{})
	for name, looped := range loops() {
		t.Run(name, func(t *testing.T) {
			overPeers(t, serverOf(t, "Returns", Returns[*Looped]{looped}), func(t *testing.T, client *rpc.Client) {
				const want = "does the value contain itself?"
				var body *viaduct.BodyError
				err := client.Call("Returns.It", looped, nil)
				require.ErrorAs(t, err, &body)
				require.ErrorContains(t, err, want)
				require.ErrorContains(t, client.Call("Returns.It", *looped, nil), want)
				var reply *Looped
				err = client.Call("Returns.It", 1, &reply)
				require.ErrorContains(t, err, want)
				require.IsType(t, rpc.ServerError(""), err)
				require.Nil(t, reply)
				require.ErrorContains(t, client.Call("Returns.Nothing", 1, nil), "can't find method", "the link is up")
			})
		})
	}
}

// Sized has integers of every size.
type Sized struct{}

func (Sized) Int8(n int8, r *int64) error       { *r = int64(n); return nil }
func (Sized) Int16(n int16, r *int64) error     { *r = int64(n); return nil }
func (Sized) Int32(n int32, r *int64) error     { *r = int64(n); return nil }
func (Sized) Int64(n int64, r *int64) error     { *r = n; return nil }
func (Sized) Uint8(n uint8, r *uint64) error    { *r = uint64(n); return nil }
func (Sized) Uint16(n uint16, r *uint64) error  { *r = uint64(n); return nil }
func (Sized) Uint32(n uint32, r *uint64) error  { *r = uint64(n); return nil }
func (Sized) Uint64(n uint64, r *uint64) error  { *r = n; return nil }
func (Sized) Field(n NarrowArg, r *int64) error { *r = int64(n.L[1]["k"]); return nil }

type NarrowArg struct{ L []map[string]int8 }

// TestIntegersDoNotWrap: an integer that its destination cannot hold is an error.
func TestIntegersDoNotWrap(t *testing.T) {
	overPeers(t, serverOf(t, "Sized", Sized{}), func(t *testing.T, client *rpc.Client) {
		for _, tt := range []struct {
			method string
			fits   any
			not    []any
		}{
			{"Int8", math.MaxInt8, []any{math.MaxInt8 + 1, math.MinInt8 - 1, 256, uint64(math.MaxUint64), 1e10}},
			{"Int16", math.MinInt16, []any{math.MaxInt16 + 1, math.MinInt16 - 1, 65536}},
			{"Int32", math.MaxInt32, []any{int64(math.MaxInt32 + 1), int64(math.MinInt32 - 1), int64(1) << 32}},
			{"Int64", int64(math.MinInt64), []any{uint64(math.MaxInt64 + 1), uint64(math.MaxUint64), 1e19}},
			{"Uint8", math.MaxUint8, []any{math.MaxUint8 + 1, -1, -256}},
			{"Uint16", math.MaxUint16, []any{math.MaxUint16 + 1, -1, -65536}},
			{"Uint32", uint32(math.MaxUint32), []any{int64(math.MaxUint32 + 1), -1}},
			{"Uint64", uint64(math.MaxUint64), []any{-1, int64(math.MinInt64), 1e20}},
			{"Field", map[string]any{"L": []any{nil, map[string]any{"k": 127}}}, []any{map[string]any{"L": []any{nil, map[string]any{"k": 128}}}}},
		} {
			require.NoError(t, client.Call("Sized."+tt.method, tt.fits, nil))
			for _, n := range tt.not {
				err := client.Call("Sized."+tt.method, n, nil)
				require.ErrorContains(t, err, "is out of the range of", "%s(%v)", tt.method, n)
				require.IsType(t, rpc.ServerError(""), err)
			}
		}
	})
	for _, tt := range []struct {
		method string
		args   any
		reply  any
	}{
		{"Int64", 128, new(int8)}, {"Int64", -1, new(uint64)}, {"Int64", 1 << 16, new(int16)}, {"Uint64", uint64(1 << 63), new(int64)}, {"Uint64", uint64(1 << 32), new(uint32)},
	} {
		// One client for each: a reply that cannot be decoded ends it, as with gob.
		overPeers(t, serverOf(t, "Sized", Sized{}), func(t *testing.T, client *rpc.Client) {
			require.ErrorContains(t, client.Call("Sized."+tt.method, tt.args, tt.reply), "is out of the range of")
			require.Zero(t, reflect.ValueOf(tt.reply).Elem().Interface())
		})
	}
}

// Clock tells the time that it was told.
type Clock struct{}

type Times struct {
	At   time.Time
	P    *time.Time
	List []time.Time
	Map  map[string]time.Time
}

func (Clock) Same(at time.Time, r *time.Time) error { *r = at; return nil }
func (Clock) All(all Times, r *Times) error         { *r = all; return nil }
func (Clock) Zone(at time.Time, r *string) error    { *r = at.Location().String(); return nil }

// TestTimesKeepTheirInstant: to the nanosecond. From other peers they come back in UTC, from Go
// programs at their offset.
func TestTimesKeepTheirInstant(t *testing.T) {
	overPeers(t, serverOf(t, "Clock", Clock{}), func(t *testing.T, client *rpc.Client) {
		for _, at := range []time.Time{
			time.Now(), {}, time.Unix(0, 0), time.Unix(-1, 999999999), time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.FixedZone("there", -7*3600)),
			time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.FixedZone("", 90)),
		} {
			got := time.Now()
			require.NoError(t, client.Call("Clock.Same", at, &got))
			require.True(t, at.Equal(got), "%v became %v", at, got)
			want := at.UTC()
			if strings.HasSuffix(t.Name(), "true") {
				want = overGob(t, at)
			}
			require.Equal(t, want, got, "with nothing else in it")
			var zone string
			require.NoError(t, client.Call("Clock.Zone", &at, &zone))
			require.Equal(t, want.Location().String(), zone)
			var all Times
			require.NoError(t, client.Call("Clock.All", Times{at, &at, []time.Time{at}, map[string]time.Time{"k": at}}, &all))
			for _, got := range []time.Time{all.At, *all.P, all.List[0], all.Map["k"]} {
				require.Equal(t, want, got)
			}
		}
	})
}

// overGob is what package gob makes of a time.
func overGob(t *testing.T, at time.Time) (got time.Time) {
	b, err := at.GobEncode()
	require.NoError(t, err)
	require.NoError(t, got.GobDecode(b))
	return got
}
