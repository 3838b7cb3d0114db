package body_test

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type (
	tenStrings struct{ A, B, C, D, E, F, G, H, I, J string }
	eightTexts struct{ A, B, C, D, E, F, G, H string }
	mapsInMaps map[string]mapsInMaps
	listOfSelf []listOfSelf
	endless    *endless
	byteType   byte
	mixed      struct {
		A []tenStrings
		B map[string]tenStrings
		C *mixed
		D any
		E []*mixed
		F [4]byteType
		G map[any][]any
		H complex128
		I float32
		J *big.Int
		K netip.Addr
		L time.Time
		M viaduct.Ext
		N []byte
		//lint:ignore U1000 the plan looks at it
		hid [100]int
	}
	// largeKey is as large as what a map keeps inside, and empty it is one byte.
	largeKey struct{ A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P int64 }
	large    struct{ A, B [500]int64 }
	odd      struct{ A [4097]int64 } // a little over what the allocator has a size for
	// greedyMix has what takes more than is charged for it beside what takes all that is left.
	greedyMix struct {
		A []any
		B []map[largeKey]largeKey
		C []*large
		D []*odd
		E []*big.Float
	}
	// omitting is one byte when it is empty.
	omitting struct {
		A [500]int64 `msgpack:",omitempty"`
	}
	// selfRead reads and writes itself.
	selfRead struct{ v byte }
)

func (s selfRead) MarshalMsg(b []byte) ([]byte, error) { return append(b, s.v&0x7f), nil }
func (s *selfRead) UnmarshalMsg(b []byte) ([]byte, error) {
	s.v = b[0]
	return b[1:], nil
}

var planDestinations = append([]reflect.Type{
	reflect.TypeFor[mixed](), reflect.TypeFor[[]mixed](), reflect.TypeFor[[]tenStrings](), reflect.TypeFor[[]*tenStrings](),
	reflect.TypeFor[map[string]tenStrings](), reflect.TypeFor[map[int]*tenStrings](), reflect.TypeFor[map[any]any](),
	reflect.TypeFor[mapsInMaps](), reflect.TypeFor[listOfSelf](), reflect.TypeFor[endless](), reflect.TypeFor[[]struct{}](),
	reflect.TypeFor[[1000]int](), reflect.TypeFor[[]*[1000]int](), reflect.TypeFor[map[[2]byteType]uint8](), reflect.TypeFor[big.Int](), reflect.TypeFor[big.Float](), reflect.TypeFor[[]*big.Rat](), reflect.TypeFor[[]*big.Int](),
	reflect.TypeFor[url.URL](), reflect.TypeFor[netip.Prefix](), reflect.TypeFor[complex64](), reflect.TypeFor[map[complex128]bool](), reflect.TypeFor[viaduct.Ext](),
	reflect.TypeFor[[]map[uint8]uint8](), reflect.TypeFor[[]map[uint8]eightTexts](), reflect.TypeFor[[]map[string]eightTexts](), reflect.TypeFor[map[float64]struct{}](), reflect.TypeFor[****int](), reflect.TypeFor[[]**string](),
	reflect.TypeFor[struct{ A **[]**tenStrings }](), reflect.TypeFor[viaduct.Params](), reflect.TypeFor[float32](), reflect.TypeFor[int64](), reflect.TypeFor[uint64](),
	reflect.TypeFor[greedyMix](), reflect.TypeFor[[]*odd](), reflect.TypeFor[map[string]large](), reflect.TypeFor[map[string]*large](), reflect.TypeFor[[]map[largeKey]largeKey](), reflect.TypeFor[map[int8]map[int8]large](),
	reflect.TypeFor[[]map[string]any](), reflect.TypeFor[map[string]map[string]map[string]any](), reflect.TypeFor[[][]any](), reflect.TypeFor[[]*big.Float](), reflect.TypeFor[map[uint32]struct{}](), reflect.TypeFor[[]selfRead](), reflect.TypeFor[map[netip.Addr]*selfRead](),
}, destinations...)

// mapOf is a map with n different keys, made by key, and the same value for all.
func mapOf(n int, key func(i int) []byte, elem []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xdf}, uint32(n))
	for i := range n {
		b = append(append(b, key(i)...), elem...)
	}
	return b
}

func numberKey(i int) []byte { return binary.BigEndian.AppendUint32([]byte{0xce}, uint32(i)) }
func textKey(i int) []byte   { return fmt.Appendf([]byte{0xa5}, "%05d", i) }

func shortKey(i int) []byte { return []byte{0xa2, byte(i >> 8), byte(i)} }
func smallKey(i int) []byte { return []byte{byte(i)} }

// mapsOf is an array of n maps with k keys each.
func mapsOf(n, k int, key func(i int) []byte, elem []byte) []byte {
	one := []byte{0xde, 0, byte(k)}
	if k < 16 {
		one = []byte{0x80 | byte(k)}
	}
	for i := range k {
		one = append(append(one, key(i)...), elem...)
	}
	return testkit.Array32(n/len(one), one)
}

// manyInInterface is an interface with n empty values of a large type in it, as between Go
// programs.
func manyInInterface(n int) []byte {
	gob.Register([]omitting{})
	var v any = make([]omitting, n)
	b, err := (&body.Codec{GoPeer: true}).Append(nil, &v)
	if err != nil {
		panic(err)
	}
	return b
}

func fields(b ...[]byte) []byte {
	return append([]byte{0x80 | byte(len(b))}, bytes.Join(b, nil)...)
}

func field(name string, value []byte) []byte { return append(mpack.AppendString(nil, name), value...) }

// greedy are bodies that ask for much more memory than they have bytes.
func greedy(n int) map[string][]byte {
	deepKeys := []byte{}
	for range 900 {
		deepKeys = append(append(deepKeys, 0x81), field(string(bytes.Repeat([]byte{'k'}, n/1000)), nil)...)
	}
	return map[string][]byte{
		"nested map32":      bytes.Repeat([]byte{0xdf, 0, 0, 0x03, 0xe8}, n/5),
		"nested array32":    bytes.Repeat([]byte{0xdd, 0, 0, 0x03, 0xe8}, n/5),
		"deep arrays":       append(bytes.Repeat([]byte{0x91}, 999), 0xc0),
		"empty maps":        testkit.Array32(n, []byte{0x80}),
		"empty arrays":      testkit.Array32(n, []byte{0x90}),
		"nils":              testkit.Array32(n, []byte{0xc0}),
		"zeros":             testkit.Array32(n, []byte{0}),
		"empty texts":       testkit.Array32(n, []byte{0xa0}),
		"empty bins":        testkit.Array32(n/2, []byte{0xc4, 0}),
		"empty exts":        testkit.Array32(n/3, []byte{0xc7, 0, 5}),
		"arrays of one":     testkit.Array32(n/2, []byte{0x91, 0xc0}),
		"maps of one":       testkit.Array32(n/3, []byte{0x81, 0, 0}),
		"maps of one map":   testkit.Array32(n/3, []byte{0x81, 0, 0x80}),
		"maps of one text":  testkit.Array32(n/3, []byte{0x81, 0xa0, 0x80}),
		"text keys, nils":   mapOf(n/7, textKey, []byte{0xc0}),
		"text keys, maps":   mapOf(n/7, textKey, []byte{0x80}),
		"number keys":       mapOf(n/6, numberKey, []byte{0}),
		"number keys, maps": mapOf(n/6, numberKey, []byte{0x80}),
		"one key":           mapOf(n/2, func(int) []byte { return []byte{7} }, []byte{0x80}),
		"field A":           append([]byte{0x81}, field("A", testkit.Array32(n, []byte{0x80}))...),
		"field A 15 times": append([]byte{0x8f}, func() (b []byte) {
			for i := range 15 {
				b = append(b, field("A", testkit.Array32(n/120*(i+1), []byte{0x80}))...)
			}
			return b
		}()...),
		"field D":         append([]byte{0x81}, field("D", testkit.Array32(n, []byte{0x80}))...),
		"field E":         append([]byte{0x81}, field("E", testkit.Array32(n, []byte{0x80}))...),
		"field B, then C": fields(field("B", mapsOf(n, 9, func(int) []byte { return []byte{0x80} }, []byte{0x80})), field("C", testkit.Array32(n/20, []byte{0x80}))),
		"field B, then D": fields(field("B", mapsOf(n, 9, func(int) []byte { return []byte{0x80} }, []byte{0x80})), field("D", testkit.Array32(n/20, []byte{0x80}))),
		"field A, then C": fields(field("A", testkit.Array32(n/3, []byte{0x81, 0, 0x80})), field("C", testkit.Array32(n/20, []byte{0x80}))),
		"field E, then C": fields(field("E", testkit.Array32(n/14, []byte("\xad1e-2000000000"))), field("C", testkit.Array32(n/20, []byte{0x80}))),
		"maps of 9":       mapsOf(n, 9, smallKey, []byte{0}),
		"maps of 9 texts": mapsOf(n, 9, func(i int) []byte { return []byte{0xa1, byte(i)} }, []byte{0x80}),
		"maps of 9 maps":  mapsOf(n, 9, func(int) []byte { return []byte{0x80} }, []byte{0x80}),
		"maps of 33":      mapsOf(n, 33, smallKey, []byte{0x80}),
		"short keys":      mapOf(n/6, shortKey, []byte{0x81, 0, 0}),
		"in an interface": manyInInterface(n),
		"exponents":       testkit.Array32(n/10, []byte("\xa91e1000000")),
		"long keys":       append(deepKeys, 7),
		"array lie":       {0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0},
		"map lie":         {0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0, 0xc0},
		"map lie by one":  {0xdf, 0x80, 0, 0, 0, 0xc0, 0xc0},
		"text lie":        {0xdb, 0xff, 0xff, 0xff, 0xff, 'x'},
		"bin lie":         {0xc6, 0xff, 0xff, 0xff, 0xff, 'x'},
		"ext lie":         {0xc9, 0xff, 0xff, 0xff, 0xff, 5, 'x'},
		"big array lie":   append([]byte{0xdd, 0, 0, 0xff, 0xff}, bytes.Repeat([]byte{0xc0}, 0xfffe)...),
		"pointers":        append(bytes.Repeat([]byte{0x81, 0xa1, 'C'}, 990), 0x80),
	}
}

const (
	// slack is how much more than the bound what was decoded may take: what is charged is near to
	// what is asked of the allocator, which rounds up by a quarter at most, and maps have room for
	// more than is in them.
	slack = 1.1
	// garbage is the same for all that was allocated on the way: maps grow in steps.
	garbage = 1.25
)

// TestPlanMemory: memory for n bytes is bounded by body.MemoryFactor*n + body.MemoryBase.
func TestPlanMemory(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	for name, b := range greedy(10_000) {
		t.Run(name, func(t *testing.T) {
			bound := float64(body.MemoryFactor*len(b) + body.MemoryBase)
			most, kept := 0.0, 0.0
			var mostType, keptType reflect.Type
			for _, typ := range planDestinations {
				_ = body.PlanOf(typ)
				p := reflect.New(typ)
				decode := func() { _ = (&body.Codec{GoPeer: true}).Decode(b, p.Interface()) }
				n := float64(testkit.Allocated(decode)) / bound
				if n > most {
					most, mostType = n, typ
				}
				if n < 1 {
					continue // so is what is kept of it
				}
				p = reflect.New(typ)
				before := inUse()
				decode()
				if n = float64(inUse()-before) / bound; n > kept {
					kept, keptType = n, typ
				}
				runtime.KeepAlive(p)
			}
			t.Logf("%d bytes took %.2f of the bound into %v", len(b), most, mostType)
			require.LessOrEqual(t, most, float64(garbage), "into %v", mostType)
			if keptType != nil {
				t.Logf("and kept %.2f of the bound in %v", kept, keptType)
				require.LessOrEqual(t, kept, float64(slack), "in %v", keptType)
			}
		})
	}
}

// inUse is the memory that is reachable.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPlanHostile: no input brings a decoder down, whatever the type.
func TestPlanHostile(t *testing.T) {
	for name, b := range greedy(3000) {
		for _, typ := range planDestinations {
			for _, goPeer := range []bool{false, true} {
				require.NotPanics(t, func() {
					if err := (&body.Codec{GoPeer: goPeer}).Decode(b, reflect.New(typ).Interface()); err != nil {
						require.NotContains(t, err.Error(), "panic", "%s into %v", name, typ)
						require.Less(t, len(err.Error()), 5000, "%s into %v", name, typ)
					}
				})
			}
		}
	}
}

// FuzzPlanDecode: no panic, a limit to memory, and what was decoded can be
// written and read again.
func FuzzPlanDecode(f *testing.F) {
	addBodies(f)
	for _, b := range greedy(300) {
		f.Add(b)
	}
	for _, v := range []any{
		mixed{A: []tenStrings{{A: "a"}}, B: map[string]tenStrings{"k": {}}, D: int8(3), G: map[any][]any{1: {2}}, J: big.NewInt(9), L: time.Unix(5, 6)},
		[]any{1, "x", nil, map[string]any{"a": 1.5}, int8(3)}, 1i, map[any]any{1: 2, "x": nil}, viaduct.Ext{Code: 5, Data: []byte{1}}, big.NewFloat(1.5), netip.MustParsePrefix("10.0.0.0/8"), &url.URL{Scheme: "a", Host: "b"}, []*big.Rat{big.NewRat(1, 3)},
	} {
		for _, goPeer := range []bool{false, true} {
			b, err := (&body.Codec{GoPeer: goPeer}).Append(nil, v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			f.Add(b[:len(b)*2/3])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range planDestinations {
			for _, goPeer := range []bool{false, true} {
				fuzzPlan(t, b, typ, &body.Codec{MaxDepth: 100, GoPeer: goPeer})
			}
		}
	})
}

func fuzzPlan(t *testing.T, b []byte, typ reflect.Type, opts *body.Codec) {
	var err error
	p := reflect.New(typ)
	decode := func() { err = opts.Decode(b, p.Interface()) }
	if len(b) <= 1000 {
		decode()
	} else if n := testkit.Allocated(decode); !opts.GoPeer && float64(n) > garbage*float64(body.MemoryFactor*len(b)+body.MemoryBase) {
		t.Fatalf("%d bytes took %d into %v", len(b), n, typ)
	}
	if err != nil {
		if strings.Contains(err.Error(), "panic while") {
			t.Fatalf("%x into %v: %v", b, typ, err)
		}
		return
	}
	again := &body.Codec{GoPeer: opts.GoPeer}
	switch typ { // the text of a big.Float with a large exponent takes as long as it would be with all its digits
	case reflect.TypeFor[big.Float](), reflect.TypeFor[[]*big.Float](), reflect.TypeFor[greedyMix]():
		again.GoPeer = true
	}
	// Not everything can go back: an any may hold an Ext that says it is gob.
	out, err := again.Append(nil, p.Interface())
	if err != nil {
		return
	}
	if err := again.Decode(out, reflect.New(typ).Interface()); err != nil {
		t.Logf("%x into %v, written as %x: %v", b, typ, out, err)
	}
}
