package suite

import (
	"slices"
	"time"

	"github.com/viaduct-go/viaduct/bench/internal/stats"
)

// Sample is what a contender has done in one slice of time.
type Sample struct {
	Count int             // pieces of work
	Bytes int             // carried one way
	Took  time.Duration   // for all of them
	CPU   time.Duration   // used by both processes meanwhile
	Times []time.Duration // of each piece, where it is timed by itself

	// Of processes and programs, in bytes.
	Heap      int64 // heap and stacks in the parent, for each child
	Anonymous int64 // anonymous memory of a child
	All       int64 // memory of all processes together
	Size      int64 // of a program, beyond the empty one
}

// A figure is what a row shows of a sample.
type figure func(Sample) float64

func perSecond(s Sample) float64 { return float64(s.Count) / s.Took.Seconds() }

func mibPerSecond(s Sample) float64 { return float64(s.Bytes) / (1 << 20) / s.Took.Seconds() }

// quantile is a share of the times of single pieces, in units.
func quantile(q float64, unit time.Duration) figure {
	return func(s Sample) float64 {
		return float64(stats.Quantile(slices.Sorted(slices.Values(s.Times)), q)) / float64(unit)
	}
}

func cpuPerCall(s Sample) float64 {
	return float64(s.CPU) / float64(time.Microsecond) / float64(s.Count)
}

func inKiB(of func(Sample) int64) figure {
	return func(s Sample) float64 { return float64(of(s)) / (1 << 10) }
}

func inMiB(of func(Sample) int64) figure {
	return func(s Sample) float64 { return float64(of(s)) / (1 << 20) }
}
