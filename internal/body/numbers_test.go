package body_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
)

// Numbers of types of their own are not read and written by the short way.
type (
	slowFloat float64
	slowInt   int
	floats    []float64
)

// TestNumberSlices: the short way writes the same bytes, and reads the same of whatever is there.
func TestNumberSlices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var f []float64
		var i []int
		for range r.IntN(20) {
			n := r.Int64() >> r.IntN(64)
			f, i = append(f, math.Float64frombits(r.Uint64())), append(i, int(n))
		}
		sameAs[slowFloat](t, f)
		sameAs[slowInt](t, i)
	}
	var named floats
	require.NoError(t, new(body.Codec).Decode([]byte{0x92, 1, 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, &named))
	require.Equal(t, floats{1, 1.5}, named)
}

func sameAs[S, T any](t *testing.T, list []T) {
	var c body.Codec
	slow := reflect.New(reflect.TypeFor[[]S]()).Elem()
	slow.Set(reflect.MakeSlice(slow.Type(), len(list), len(list)))
	for i, x := range list {
		slow.Index(i).Set(reflect.ValueOf(x).Convert(reflect.TypeFor[S]()))
	}
	if list == nil {
		slow.SetZero()
	}
	want, err := c.Append(nil, slow.Interface())
	require.NoError(t, err)
	got, err := c.Append(nil, list)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for limit := range len(want) {
		_, err := c.AppendWithin(nil, list, limit)
		var size *fault.SizeError
		require.ErrorAs(t, err, &size)
	}

	// Also of other forms, of what does not fit, and of what is cut off.
	bytes := [][]byte{want}
	for i := range want {
		other := append([]byte(nil), want...)
		other[i] ^= byte(1 + i%255)
		bytes = append(bytes, other, want[:i])
	}
	for _, b := range bytes {
		var x []T
		var y []S
		errX, errY := c.Decode(b, &x), c.Decode(b, &y)
		require.Equal(t, errY == nil, errX == nil, "%x: %v, %v", b, errX, errY)
		if errX != nil {
			continue
		}
		again, err := c.Append(nil, x)
		require.NoError(t, err)
		slowly, err := c.Append(nil, y)
		require.NoError(t, err)
		require.Equal(t, slowly, again)
	}
}
