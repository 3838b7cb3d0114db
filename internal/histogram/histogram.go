// Package histogram counts durations so that quantiles of them can be told, in a fixed 4 KiB.
//
// It assumes nothing. It promises that a quantile is at most an eighth too large, and that Add
// takes no lock and no memory.
package histogram

import (
	"math/bits"
	"sync/atomic"
	"time"
)

const (
	stepBits = 3 // of each power of two: eight steps
	steps    = 1 << stepBits
	buckets  = (64 - stepBits) * steps
)

// A Histogram counts durations. Its methods may be called at the same time.
type Histogram struct {
	counts [buckets]atomic.Uint64 // in nanoseconds: see bucketOf
	max    atomic.Int64
}

// bucketOf returns the bucket for n nanoseconds: those below steps have one each, and from there on
// each power of two has as many.
func bucketOf(n uint64) int {
	if n < steps {
		return int(n)
	}
	shift := bits.Len64(n) - 1 - stepBits
	return shift<<stepBits + int(n>>shift)
}

// most returns the largest number that a bucket counts.
func most(bucket int) uint64 {
	if bucket < steps {
		return uint64(bucket)
	}
	shift := bucket>>stepBits - 1
	return uint64(bucket&(steps-1)|steps)<<shift | (1<<shift - 1)
}

// Add counts d. A negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))].Add(1)
	for {
		old := h.max.Load()
		if int64(d) <= old || h.max.CompareAndSwap(old, int64(d)) {
			return
		}
	}
}

// Quantiles returns how many durations there are, and for each q, from 0 to 1 and in their order, the
// one that such a part of them does not exceed; 0 where there are none.
func (h *Histogram) Quantiles(q ...float64) (count uint64, values []time.Duration) {
	var counts [buckets]uint64
	for i := range counts {
		counts[i] = h.counts[i].Load()
		count += counts[i]
	}
	values = make([]time.Duration, len(q))
	if count == 0 {
		return 0, values
	}
	largest := h.Max()
	var seen uint64
	next := 0
	for i, n := range counts {
		seen += n
		for next < len(q) && n > 0 && float64(seen) >= q[next]*float64(count) {
			values[next] = min(time.Duration(most(i)), largest)
			next++
		}
	}
	return count, values
}

// Max returns the longest duration.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max.Load()) }

// Octaves returns how many durations there are from 2^i ns up to twice that, for each i up to that of
// the longest; shorter ones count with the first.
func (h *Histogram) Octaves() (counts []uint64) {
	for i := range h.counts {
		n := h.counts[i].Load()
		if n == 0 {
			continue
		}
		octave := max(bits.Len64(most(i))-1, 0)
		for len(counts) <= octave {
			counts = append(counts, 0)
		}
		counts[octave] += n
	}
	return counts
}
