package body_test

import (
	"bytes"
	"reflect"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type (
	deepStruct struct{ A []deepStruct }
	deepMap    map[string]struct {
		F [3]int
		M deepMap
	}
)

// TestMostDepth: whatever MaxDepth is, what is read does not overflow the stack, which is that of a
// 32-bit machine here.
func TestMostDepth(t *testing.T) {
	stack := 250_000_000
	if testkit.RaceEnabled { // its frames are larger
		stack = 1_000_000_000
	}
	defer debug.SetMaxStack(debug.SetMaxStack(stack))
	for _, tt := range []struct {
		level, last string
		levels      int // of nesting in a level
		v           any
	}{
		{"\x91", "\x90", 1, new(any)},
		{"\x91", "\x90", 1, new(RSlice)},
		{"\x81\x01", "\x80", 1, new(map[any]any)},
		{"\x81\xa1A\x91", "\x80", 2, new(deepStruct)},
		{"\x81\xa1k\x81\xa1M", "\x80", 2, new(deepMap)},
	} {
		for _, n := range []int{body.MostDepth, 1_000_000} {
			b := append(bytes.Repeat([]byte(tt.level), n/tt.levels-1), tt.last...)
			v := reflect.New(reflect.TypeOf(tt.v).Elem())
			err := (&body.Codec{MaxDepth: 1 << 30, GoPeer: true}).Decode(b, v.Interface())
			if n == body.MostDepth {
				require.NoError(t, err, "%T", tt.v)
			} else {
				require.ErrorContains(t, err, "nested deeper than the limit of 100000", "%T", tt.v)
			}
		}
	}
}
