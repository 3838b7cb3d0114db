package histogram

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBuckets: each number is in a bucket that ends not far above it, and the next begins there.
func TestBuckets(t *testing.T) {
	check := func(n uint64) {
		b := bucketOf(n)
		require.Less(t, b, buckets, n)
		require.GreaterOrEqual(t, most(b), n)
		require.LessOrEqual(t, float64(most(b)), float64(n)*1.125, n)
		if b > 0 {
			require.Less(t, most(b-1), n)
		}
	}
	for n := range uint64(10000) {
		check(n)
	}
	for range 10000 {
		check(rand.Uint64N(math.MaxInt64))
	}
	check(math.MaxInt64)
}

func TestQuantiles(t *testing.T) {
	var h Histogram
	count, values := h.Quantiles(0, 0.5, 1)
	require.Zero(t, count)
	require.Equal(t, make([]time.Duration, 3), values)

	h.Add(-time.Second)
	_, values = h.Quantiles(0.5)
	require.Zero(t, values[0])

	h = Histogram{}
	var all []time.Duration
	var adding sync.WaitGroup
	for range 10000 {
		d := rand.N(time.Duration(1) << rand.N(40))
		all = append(all, d)
		adding.Go(func() { h.Add(d) })
	}
	adding.Wait()
	slices.Sort(all)
	quantiles := []float64{0, 0.01, 0.5, 0.9, 0.99, 1}
	count, values = h.Quantiles(quantiles...)
	require.EqualValues(t, len(all), count)
	for i, q := range quantiles {
		right := all[max(0, int(math.Ceil(q*float64(len(all))))-1)]
		require.GreaterOrEqual(t, values[i], right, q)
		require.LessOrEqual(t, float64(values[i]), float64(right)*1.125, q)
	}
	require.Equal(t, all[len(all)-1], h.Max())
}

func BenchmarkAdd(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Add(time.Duration(i))
	}
}

// TestOctaves: each duration counts where its power of two begins.
func TestOctaves(t *testing.T) {
	var h Histogram
	require.Empty(t, h.Octaves())
	for i := range 62 {
		h.Add(1 << i)
		h.Add(1<<i + 1<<i/2)
	}
	h.Add(0)
	counts := h.Octaves()
	require.Len(t, counts, 62)
	for i, n := range counts {
		want := uint64(2)
		if i == 0 {
			want = 3
		}
		require.Equal(t, want, n, i)
	}
	require.Equal(t, []uint64{1}, func() []uint64 { var h Histogram; h.Add(0); return h.Octaves() }())
}
