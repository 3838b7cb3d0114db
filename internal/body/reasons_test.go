package body_test

import (
	"encoding/gob"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReasons: an error says what is wrong, and what to do.
func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		sent, into any
		want       string
	}{
		{int64(math.MaxInt64), 0.0, "9223372036854775807 is not exactly representable as float64"},
		{uint64(math.MaxUint64), 0.0, "18446744073709551615 is not exactly representable as float64"},
		{1<<24 + 1, float32(0), "16777217 is not exactly representable as float32"},
		{1.5, 0, "1.5 is not exactly representable as int"},
		{1.5, uint8(0), "1.5 is not exactly representable as uint8"},
		{1e300, float32(0), "1e+300 is out of the range of float32"},
		{math.Inf(1), 0, "+Inf is out of the range of int"},
		{-1.0, uint(0), "-1 is out of the range of uint"},
		{300, int8(0), "300 is out of the range of int8"},
		{[]byte("{}"), Flat{}, "Options.Encoding"},
		{[]int{1}, Flat{}, "Options.StructsAsArrays"},
	} {
		_, err := into(t, asGo, tt.sent, tt.into)
		require.ErrorContains(t, err, tt.want)
	}
	_, err := asGo.Append(nil, []any{struct{ Never int }{1}})
	require.ErrorContains(t, err, "both sides have to call gob.Register")
}

// TestElsewhere: what TYPES.md says of types with MarshalMsg, of maps where structs are, and of large
// arrays in interfaces.
func TestElsewhere(t *testing.T) {
	var back msgpAndGob
	b, err := asGo.Append(nil, msgpAndGob{Kept: 1, Lost: 2})
	require.NoError(t, err)
	require.NoError(t, asGo.Decode(b, &back))
	require.Equal(t, msgpAndGob{Kept: 1}, back)

	type pt struct{ X, Y int }
	got, err := into(t, asGo, map[string]int{"X": 1, "Z": 2}, pt{Y: 5})
	require.NoError(t, err)
	require.Equal(t, pt{1, 5}, got)
	got, err = into(t, asGo, pt{1, 2}, map[string]int(nil))
	require.NoError(t, err)
	require.Equal(t, map[string]int{"X": 1, "Y": 2}, got)
	got, err = into(t, asGo, []map[string]int{{"Z": 2}}, []pt(nil))
	require.NoError(t, err)
	require.Equal(t, []pt{{}}, got)
	_, err = into(t, asGo, map[string]int{"Z": 2}, pt{})
	require.ErrorContains(t, err, "no field of body_test.pt")

	_, err = asGo.Append(nil, []any{wideArray{}})
	require.ErrorContains(t, err, "limit is 65536")
	for _, x := range []any{&arrayByPointer{A: new([100_000]byte)}, &arrayBySlice{A: make([]byte, 100_000)}} {
		got, err := into(t, asGo, []any{x}, []any(nil))
		require.NoError(t, err)
		require.Equal(t, []any{x}, got)
	}
}

type (
	wideArray      struct{ A [100_000]byte }
	arrayByPointer struct{ A *[100_000]byte }
	arrayBySlice   struct{ A []byte }

	msgpAndGob struct{ Kept, Lost byte }
)

func (m msgpAndGob) MarshalMsg(b []byte) ([]byte, error) { return append(b, m.Kept&0x7f), nil }
func (m *msgpAndGob) UnmarshalMsg(b []byte) ([]byte, error) {
	m.Kept = b[0]
	return b[1:], nil
}
func (m msgpAndGob) GobEncode() ([]byte, error)   { return []byte{m.Kept, m.Lost}, nil }
func (m *msgpAndGob) GobDecode(data []byte) error { m.Kept, m.Lost = data[0], data[1]; return nil }

func init() {
	gob.Register(wideArray{})
	gob.Register(&arrayByPointer{})
	gob.Register(&arrayBySlice{})
}
