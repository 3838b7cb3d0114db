package stats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		list []float64
		want Spread
	}{
		{[]float64{7}, Spread{7, 7, 7}},
		{[]float64{2, 1}, Spread{1.25, 1.5, 1.75}},
		{[]float64{5, 1, 4, 2, 3}, Spread{2, 3, 4}},
		{[]float64{40, 10, 30, 20}, Spread{17.5, 25, 32.5}},
	} {
		given := append([]float64{}, c.list...)
		require.Equal(t, c.want, Of(given), "%v", c.list)
		require.Equal(t, c.list, given, "the list is left as it is")
	}
}

func TestQuantile(t *testing.T) {
	var list []time.Duration
	for i := range 101 {
		list = append(list, time.Duration(i))
	}
	require.Equal(t, time.Duration(99), Quantile(list, 0.99))
	require.Equal(t, time.Duration(0), Quantile(list, 0))
	require.Equal(t, time.Duration(100), Quantile(list, 1))
	require.Equal(t, time.Duration(5), Quantile([]time.Duration{5}, 0.99))
}

func TestRatios(t *testing.T) {
	require.Equal(t, []float64{2, 0.5}, Ratios([]float64{4, 5}, []float64{2, 10}))
	require.Empty(t, Ratios([]float64{4}, nil))
}
