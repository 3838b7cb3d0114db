package body_test

import (
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shamaton/msgpack/v2"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type (
	randomLeaf struct {
		I8  int8
		I16 int16
		I32 int32
		I64 int64
		I   int
		U8  uint8
		U16 uint16
		U32 uint32
		U64 uint64
		U   uint
		F32 float32
		F64 float64
		B   bool
		S   string
		By  []byte
	}
	randomTree struct {
		Leaf  randomLeaf
		List  []randomLeaf
		Ptr   *randomLeaf
		Names []string
		Nums  []int64
		Fixed [3]int32
		Deep  [][]string
		C     complex128
		Small complex64
	}
	randomTags struct {
		A int               `msgpack:"a"`
		B string            `msgpack:"a rather long name that is longer than thirty-one bytes"`
		C []byte            `msgpack:"c,omitempty"`
		D *int              `msgpack:"d,omitempty"`
		E map[string]uint16 `msgpack:"e,omitempty"`
		F bool              `msgpack:"-"`
	}
)

// TestSameBytes: structs are written as the msgpack library writes them.
func TestSameBytes(t *testing.T) {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewSource(seed))
	for _, typ := range []reflect.Type{reflect.TypeFor[randomLeaf](), reflect.TypeFor[randomTree](), reflect.TypeFor[randomTags](), reflect.TypeFor[[]randomTags](), reflect.TypeFor[*randomTree]()} {
		for range 300 {
			v, ok := quick.Value(typ, random)
			require.True(t, ok)
			oneKey(v)
			for _, arrays := range []bool{false, true} {
				marshal, unmarshal := msgpack.MarshalAsMap, msgpack.UnmarshalAsMap
				if arrays {
					marshal, unmarshal = msgpack.MarshalAsArray, msgpack.UnmarshalAsArray
				}
				want, err := marshal(v.Interface())
				require.NoError(t, err)
				got, err := (&body.Codec{Arrays: arrays}).Append(nil, v.Interface())
				require.NoError(t, err)
				require.Equal(t, want, got, "seed %d, type %v, arrays %v", seed, typ, arrays)
				ours, theirs := reflect.New(typ), reflect.New(typ)
				if len(got) == 1 && got[0] == 0xc0 {
					continue
				}
				require.NoError(t, new(body.Codec).Decode(got, ours.Interface()), "seed %d", seed)
				require.NoError(t, unmarshal(got, theirs.Interface()), "seed %d", seed)
				require.Empty(t, cmp.Diff(theirs.Interface(), ours.Interface()), "seed %d", seed)
			}
		}
	}
}

// oneKey leaves one key in the maps of randomTags: their order is anybody's.
func oneKey(v reflect.Value) {
	switch x := v.Interface().(type) {
	case randomTags:
		for k := range x.E {
			if len(x.E) > 1 {
				delete(x.E, k)
			}
		}
	case []randomTags:
		for i := range x {
			oneKey(reflect.ValueOf(x[i]))
		}
	}
}

func encodes(t testing.TB, v any) []byte {
	t.Helper()
	b, err := new(body.Codec).Append(nil, v)
	require.NoError(t, err)
	return b
}

// rangeOf returns what the numbers of a type of floats are between.
func rangeOf(t reflect.Type) (low, high *big.Float, ok bool) {
	f := func(x float64) *big.Float { return new(big.Float).SetPrec(200).SetFloat64(x) }
	switch {
	case t.Kind() == reflect.Float32:
		return f(-math.MaxFloat32), f(math.MaxFloat32), true
	case t.Kind() == reflect.Float64:
		return f(-math.MaxFloat64), f(math.MaxFloat64), true
	}
	return nil, nil, false
}

// TestNumbers: a number arrives as it was sent, or not at all.
func TestNumbers(t *testing.T) {
	sent := []any{
		0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 65535, 65536, 1 << 24, 1<<24 + 1, math.MaxInt32, int64(1 << 31), math.MinInt32,
		int64(math.MinInt32 - 1), int64(math.MaxUint32), int64(1 << 32), int64(1 << 53), int64(1<<53 + 1), int64(-(1<<53 + 1)), int64(math.MaxInt64), int64(math.MinInt64), uint64(1 << 63), uint64(math.MaxUint64),
		0.0, 1.0, 1.5, -1.0, -0.5, 255.0, 256.0, 1e10, 1e19, 1e20, -1e19, math.MaxFloat32, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), float32(1.5), float32(3),
		float64(1 << 63), float64(-1 << 63), math.Nextafter(1<<63, 0), math.Nextafter(1<<64, 0), float64(1 << 32),
	}
	into := []reflect.Type{
		reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](), reflect.TypeFor[int64](), reflect.TypeFor[int](),
		reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[uint](),
		reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	}
	exact := func(v reflect.Value) *big.Float {
		f := new(big.Float).SetPrec(200)
		switch {
		case v.CanInt():
			return f.SetInt64(v.Int())
		case v.CanUint():
			return f.SetUint64(v.Uint())
		case math.IsNaN(v.Float()):
			return nil
		}
		return f.SetFloat64(v.Float())
	}
	for _, s := range sent {
		for _, typ := range into {
			p := reflect.New(typ)
			err := new(body.Codec).Decode(encodes(t, s), p.Interface())
			from, got := exact(reflect.ValueOf(s)), exact(p.Elem())
			fits := false
			switch {
			case from == nil:
				fits = p.Elem().CanFloat()
			case p.Elem().CanFloat():
				f, _ := from.Float64()
				fits = !p.Elem().OverflowFloat(f) && (typ.Kind() == reflect.Float64 || float64(float32(f)) == f) && new(big.Float).SetFloat64(f).Cmp(from) == 0
			case from.IsInt() && p.Elem().CanInt():
				n, acc := from.Int64()
				fits = acc == big.Exact && !p.Elem().OverflowInt(n)
			case from.IsInt():
				n, acc := from.Uint64()
				fits = acc == big.Exact && !p.Elem().OverflowUint(n)
			}
			if !fits {
				if reflect.ValueOf(s).CanFloat() && typ.Kind() == reflect.Float32 && err == nil {
					continue // rounded, as gob does
				}
				// The reason is the true one.
				want := "out of the range of " + typ.String()
				low, high, ok := rangeOf(typ)
				if from != nil && (ok && from.Cmp(low) > 0 && from.Cmp(high) < 0 || !ok && !from.IsInf() && !from.IsInt()) {
					want = "is not exactly representable as " + typ.String()
				}
				require.ErrorContains(t, err, want, "%T(%v) became %v", s, s, p.Elem())
				continue
			}
			require.NoError(t, err, "%T(%v) into %v", s, s, typ)
			if from != nil {
				require.Zero(t, from.Cmp(got), "%T(%v) became %v(%v)", s, s, typ, p.Elem())
			}
		}
	}
}

// TestNeighbours: what is decoded as bytes can be appended to.
func TestNeighbours(t *testing.T) {
	type pair struct{ A, B []byte }
	b := encodes(t, pair{[]byte("aa"), []byte("bb")})
	var got pair
	require.NoError(t, new(body.Codec).Decode(b, &got))
	require.Equal(t, 2, cap(got.A))
	_ = append(got.A, "xxxxxxxx"...)
	require.Equal(t, "bb", string(got.B))
	var x any
	require.NoError(t, new(body.Codec).Decode(encodes(t, []any{[]byte("aa"), viaduct.Ext{Code: 1, Data: []byte("bb")}}), &x))
	require.Equal(t, 2, cap(x.([]any)[0].([]byte)))
	require.Equal(t, 2, cap(x.([]any)[1].(viaduct.Ext).Data))
}

func TestStructKeys(t *testing.T) {
	for s, want := range map[string]inner{
		"82 a1 59 02 a1 58 01": {1, 2}, // another order
		"81 a1 59 02":          {9, 2}, // one missing: it stays
		"83 a1 58 01 a1 5a 92 01 81 01 02 a1 59 02": {1, 2}, // one more, of any shape
		"83 07 08 a1 58 01 a1 59 02":                {1, 2}, // a number
		"83 92 01 91 02 08 a1 58 01 a1 59 02":       {1, 2}, // an array as a key
		"83 81 a1 58 05 08 a1 58 01 a1 59 02":       {1, 2}, // a map as a key
		"83 c0 c0 a1 58 01 a1 59 02":                {1, 2}, // nil
		"83 d4 05 06 08 a1 58 01 a1 59 02":          {1, 2}, // ext
		"82 c4 01 58 01 c4 01 59 02":                {1, 2}, // bin
		"82 d9 01 58 01 da 00 01 59 02":             {1, 2}, // longer heads than needed
		"83 a1 58 07 a1 59 02 a1 58 01":             {1, 2}, // one twice: the last counts
		"92 01 02":                                  {1, 2},
		"de 00 02 a1 58 01 a1 59 02":                {1, 2},
		"df 00 00 00 02 a1 58 01 a1 59 02":          {1, 2},
	} {
		got := inner{9, 9}
		require.NoError(t, new(body.Codec).Decode(testkit.Unhex(t, s), &got), s)
		require.Equal(t, want, got, s)
	}
	for s, want := range map[string]string{
		"91 01":                               "array of 1 elements into the 2 fields",
		"93 01 02 03":                         "array of 3 elements into the 2 fields",
		"81 92 a1 58 01 02":                   "no field of body_test.inner",
		"81 a1 58 a1 78":                      "field X: type mismatch: MessagePack str into Go type int",
		"81 a1 58 c0":                         "field X: type mismatch",
		"82 a1 78 01 a1 79 02":                `no field of body_test.inner among the keys sent: "x", "y"`,
		"81 a1 58 cf ff ff ff ff ff ff ff ff": "out of the range of int",
	} {
		require.ErrorContains(t, new(body.Codec).Decode(testkit.Unhex(t, s), &inner{}), want, s)
	}
}

func TestErrorPaths(t *testing.T) {
	var v struct{ A []map[string]*outer }
	b := encodes(t, map[string]any{"A": []any{map[string]any{"k": map[string]any{"In": map[string]any{"X": "text"}}}}})
	require.ErrorContains(t, new(body.Codec).Decode(b, &v), "field A[0][k].In.X: type mismatch: MessagePack str into Go type int")
	// A path is no longer than one can read, whatever the keys.
	deep := any("text")
	for range 500 {
		deep = map[string]any{strings.Repeat("k", 10000): deep}
	}
	var m mapsInMaps
	err := new(body.Codec).Decode(encodes(t, deep), &m)
	require.Error(t, err)
	require.Less(t, len(err.Error()), 2000)
}

type (
	sendable struct {
		A int
		T time.Time
		D any
		B *big.Int
		L []sendable
	}
	unsendable struct {
		A []map[string]struct{ C chan int }
	}
	unsendableLoop struct {
		Next *unsendableLoop
		In   struct{ F func() }
	}
)

func TestCheckAndExplain(t *testing.T) {
	require.NoError(t, body.Check(sendable{}))
	require.NoError(t, body.Check((*sendable)(nil)))
	require.NoError(t, body.Check(7))
	require.ErrorContains(t, body.Check(nil), "nil interface")
	require.ErrorContains(t, body.Check(unsendable{}), "type body_test.unsendable: field A[][].C: type chan int cannot be sent")
	require.ErrorContains(t, body.Check(&unsendableLoop{}), "In.F: type func() cannot be sent")
	require.ErrorContains(t, body.Check([]sync.Mutex{}), "no exported field")
	require.Empty(t, body.Explain(nil))
	require.Empty(t, body.Explain(inner{}))
	require.Empty(t, body.Explain([]map[string]*inner{}))
	lines := strings.Split(body.Explain(&sendable{}), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], "big.Int writes itself, between Go programs with GobEncode")
	require.Contains(t, lines[1], "interface {} holds any type")
	require.Contains(t, lines[2], "time.Time keeps the instant")
	require.Contains(t, body.Explain(unsendable{}), "chan int cannot be sent")
}

type loop struct {
	Next  *loop
	Left  *loop
	Names map[string]*loop
	List  []*loop
	Any   any
}

type selfMap map[string]selfMap

// TestCyclic: a value that contains itself is an error.
func TestCyclic(t *testing.T) {
	gob.Register(&loop{})
	next, left, names, list, boxed, anys := &loop{}, &loop{}, &loop{}, &loop{}, &loop{}, &loop{}
	next.Next = next
	left.Left, left.Next = left, left
	names.Names = map[string]*loop{"a": names}
	list.List = []*loop{nil, list}
	boxed.Any = boxed
	anys.Any = next
	var end endless
	end = &end
	self := selfMap{}
	self["x"] = self
	slice := listOfSelf{nil}
	slice[0] = slice
	anyMap := map[string]any{}
	anyMap["x"] = anyMap
	anyList := []any{nil}
	anyList[0] = anyList
	for name, v := range map[string]any{
		"pointer": next, "two pointers": left, "map": names, "slice": list, "interface": boxed, "loop in an interface": anys, "type without end": end,
		"map of itself": self, "slice of itself": slice, "map[string]any": anyMap, "[]any": anyList, "value": *next,
	} {
		for _, goPeer := range []bool{false, true} {
			for _, arrays := range []bool{false, true} {
				b, err := (&body.Codec{GoPeer: goPeer, Arrays: arrays}).Append([]byte{1}, v)
				require.ErrorContains(t, err, "does the value contain itself?", "%s, %v", name, goPeer)
				require.Less(t, len(err.Error()), 5000)
				require.Len(t, b, 1)
			}
		}
	}
}

// TestChanging: a value that is changed meanwhile is an error or some value.
func TestChanging(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("it is a race")
	}
	type omits struct {
		A, B, C, D int    `msgpack:",omitempty"`
		S          string `msgpack:",omitempty"`
		List       []int
		P          *int
		By         []byte
	}
	v := &omits{}
	stop := make(chan struct{})
	var done sync.WaitGroup
	done.Add(1)
	go func() {
		defer done.Done()
		// One word at a time: the parts of a string or an interface that do not
		// belong together can be fatal whoever reads them.
		list, n := make([]int, 1000), 7
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			v.A, v.B, v.C, v.D = i&1, i&2, i&4, i&8
			if v.List == nil {
				v.List = list
			} else {
				v.List = v.List[:i%1000]
			}
			if v.P = nil; i&1 == 0 {
				v.P = &n
			}
		}
	}()
	failed := 0
	for range 20_000 {
		b, err := new(body.Codec).Append(nil, v)
		if err != nil {
			failed++
			continue
		}
		var got omits
		require.NoError(t, new(body.Codec).Decode(b, &got), "%x", b)
	}
	close(stop)
	done.Wait()
	t.Logf("%d times an error", failed)
}

// TestPlansConcurrently: types that contain each other, met by many at once.
func TestPlansConcurrently(t *testing.T) {
	type deepest struct{ V int }
	type a struct {
		B []map[string]*struct{ C *loop }
		D deepest
		L listOfSelf
	}
	type b struct {
		A *a
		B *b
	}
	types := []reflect.Type{reflect.TypeFor[a](), reflect.TypeFor[b](), reflect.TypeFor[[]b](), reflect.TypeFor[map[string]a](), reflect.TypeFor[*loop](), reflect.TypeFor[unsendableLoop](), reflect.TypeFor[[]*unsendableLoop]()}
	for i := range 100 {
		for _, typ := range append(types, reflect.ArrayOf(i, types[1]), reflect.MapOf(reflect.ArrayOf(i, reflect.TypeFor[int]()), types[0])) {
			body.ForgetPlan(typ)
		}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for k := range types {
					typ := types[(n+k)%len(types)]
					p := body.PlanOf(typ)
					bad := strings.Contains(typ.String(), "unsendable")
					if (p != nil) != bad {
						t.Errorf("%v: %v", typ, p)
					}
					_, err := new(body.Codec).Append(nil, reflect.New(typ).Interface())
					if (err != nil) != bad {
						t.Errorf("%v: %v", typ, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestPlanAllocs(t *testing.T) {
	type pair struct{ A, B int }
	p, buf := &pair{1, 1 << 20}, make([]byte, 0, 100)
	testkit.Allocs(t, 0, "encode {A,B int}", func() { _, _ = new(body.Codec).Append(buf, p) })
	b := encodes(t, p)
	got := &pair{}
	testkit.Allocs(t, 1, "decode {A,B int}", func() { _ = new(body.Codec).Decode(b, got) })
	require.Equal(t, p, got)
}

// TestTimestamps: every form, and what is none.
func TestTimestamps(t *testing.T) {
	for _, want := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(math.MaxUint32, 0), time.Unix(math.MaxUint32+1, 0), time.Unix(1<<34-1, 999999999), time.Unix(1<<34, 0), time.Unix(-1, 999999999), time.Unix(1, 1),
		time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(200000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		var got time.Time
		require.NoError(t, new(body.Codec).Decode(encodes(t, want), &got))
		require.True(t, want.Equal(got), "%v became %v", want, got)
		require.Equal(t, time.UTC, got.Location())
	}
	nano := binary.BigEndian.AppendUint64([]byte{0xd7, 0xff}, 1_000_000_000<<34)
	require.ErrorContains(t, new(body.Codec).Decode(nano, new(time.Time)), "nanoseconds")
	require.ErrorContains(t, new(body.Codec).Decode(testkit.Unhex(t, "d5 ff 00 01"), new(time.Time)), "timestamp of 2 bytes")
	require.ErrorContains(t, new(body.Codec).Decode(testkit.Unhex(t, "d6 05 00 00 00 01"), new(time.Time)), "type mismatch")
}

// TestFixedArrays: an array of another size is no match.
func TestFixedArrays(t *testing.T) {
	for s, v := range map[string]any{"92 01 02": new([3]int), "94 01 02 03 04": new([3]int), "c4 02 01 02": new([3]byte), "a4 01 02 03 04": new([3]byteType), "c0": new(struct{})} {
		err := new(body.Codec).Decode(testkit.Unhex(t, "91 "+s), reflect.New(reflect.SliceOf(reflect.TypeOf(v).Elem())).Interface())
		require.ErrorContains(t, err, "type mismatch", fmt.Sprintf("%s into %T", s, v))
	}
}
