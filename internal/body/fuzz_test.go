package body_test

import (
	"io"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

func addBodies(f *testing.F) {
	for _, b := range testkit.Hostile() {
		f.Add(b)
	}
	for _, v := range []any{1i, true, -1000, uint64(math.MaxUint64), float32(1.5), 1, "x", []byte("x"), []int{1}, map[string]int{"a": 1}, outer{Name: "n", Ptr: &inner{1, 2}}, [2]string{"a", "b"}, 1.5, time.Unix(1, 2)} {
		b, err := new(body.Codec).Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		for n := range min(len(b), 4) { // whole, and cut off in some places
			f.Add(b[:len(b)-n*len(b)/4])
		}
	}
}

type chain struct {
	Next *chain
	V    int
}

// destinations are types to decode into.
var destinations = []reflect.Type{
	reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
	reflect.TypeFor[bool](), reflect.TypeFor[[]byte](), reflect.TypeFor[[]int](), reflect.TypeFor[[]string](),
	reflect.TypeFor[[2]string](), reflect.TypeFor[map[string]int](), reflect.TypeFor[map[int][]byte](), reflect.TypeFor[any](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[outer](), reflect.TypeFor[*outer](), reflect.TypeFor[[]inner](),
	reflect.TypeFor[chain](), reflect.TypeFor[time.Time](), reflect.TypeFor[io.Reader](), reflect.TypeFor[struct{ E error }](), reflect.TypeFor[chan int](),
}

// FuzzDecodeBody: no panic, and memory in proportion to the bytes.
func FuzzDecodeBody(f *testing.F) {
	addBodies(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := mpack.Check(b, 100) == nil
		for _, typ := range destinations {
			p, err := reflect.New(typ), error(nil)
			decode := func() { err = (&body.Codec{MaxDepth: 100}).Decode(b, p.Interface()) }
			if len(b) <= 1000 {
				decode()
			} else if n := testkit.Allocated(decode); float64(n) > garbage*float64(body.MemoryFactor*len(b)+body.MemoryBase) {
				t.Fatalf("%d bytes took %d of memory into %v", len(b), n, typ)
			}
			if err == nil && !whole {
				t.Fatalf("%x was decoded into %v", b, typ)
			}
		}
	})
}
