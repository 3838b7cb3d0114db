package body_test

import (
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
