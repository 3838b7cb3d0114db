package body_test

import (
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// TestExponents: a short text is not a number that takes seconds.
func TestExponents(t *testing.T) {
	opts := &body.Codec{}
	for _, text := range []string{"1e5000", "-1.5e-5000", "1.5", "0x1p100", "inf"} {
		var f big.Float
		require.NoError(t, opts.Decode(mpack.AppendString(nil, text), &f), text)
		b, err := opts.Append(nil, &f)
		require.NoError(t, err)
		var again big.Float
		require.NoError(t, opts.Decode(b, &again))
	}
	for _, text := range []string{"1e5001", "1e-5001", "1E9999999", "1p99999999999999999999", "0x1P+6000", "1e"} {
		require.ErrorContains(t, opts.Decode(mpack.AppendString(nil, text), new(big.Float)), "type mismatch: text with an exponent over 5000", text)
	}
	for _, text := range []string{"1e5", "1/1e5", "1p9"} {
		require.ErrorContains(t, opts.Decode(mpack.AppendString(nil, text), new(big.Rat)), "text with an exponent", text)
	}
	require.ErrorContains(t, opts.Decode(mpack.AppendString(nil, "1e999999"), new(struct{ big.Rat })), "text with an exponent")
	require.ErrorContains(t, opts.Decode(mpack.AppendString(nil, "1e999999"), new(struct{ *big.Float })), "text with an exponent")
	// A key is not asked for its text to say where an error was.
	b := append(mpack.AppendString([]byte{0x81}, "1e5000"), mpack.AppendString(nil, "x")...)
	for range 100 {
		require.ErrorContains(t, opts.Decode(b, new(map[*big.Float]int)), "field []: type mismatch")
	}
}

// TestManyExponents: nor are many of them.
func TestManyExponents(t *testing.T) {
	list := func(n int, text string) []byte {
		b := mpack.AppendArray(nil, n)
		for range n {
			b = mpack.AppendString(b, text)
		}
		return b
	}
	const most = 64 << 20
	var floats []*big.Float
	require.NoError(t, new(body.Codec).Decode(list(most/5000, "9e-5000"), &floats))
	err := new(body.Codec).Decode(list(most/5000+1, "9e-5000"), &floats)
	require.ErrorContains(t, err, "type mismatch: texts with exponents of 67110000 together into Go type big.Float, limit is 67108864 in those over 400")
	require.NoError(t, new(body.Codec).Decode(list(most/300, "9e+300"), &floats), "a float64 has such")
}

func TestKeyStep(t *testing.T) {
	for _, tt := range []struct {
		key  any
		want string
	}{{"a", "[a]"}, {-5, "[-5]"}, {uint8(7), "[7]"}, {time.Second, "[1000000000]"}, {big.NewInt(5), "[]"}, {[1]any{"b"}, "[]"}} {
		require.Equal(t, tt.want, body.KeyStep(reflect.ValueOf(tt.key)))
		require.Equal(t, tt.want, body.KeyStep(reflect.ValueOf([]any{tt.key}).Index(0)))
	}
}
