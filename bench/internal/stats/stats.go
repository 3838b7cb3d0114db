// Package stats has the few figures that say what many measurements say.
package stats

import "slices"

// Spread is the middle of a list and its middle half: a quarter of the list lies below Q1, and a
// quarter above Q3.
type Spread struct {
	Q1     float64 `json:"q1"`
	Median float64 `json:"median"`
	Q3     float64 `json:"q3"`
}

// Of returns the spread of a list that is not empty, in any order.
func Of(list []float64) Spread {
	sorted := slices.Sorted(slices.Values(list))
	return Spread{Quantile(sorted, 0.25), Quantile(sorted, 0.5), Quantile(sorted, 0.75)}
}

// Quantile returns the value below which the share q of a sorted list lies. Between two of the list
// it lies on the line that joins them.
func Quantile[T ~int64 | ~float64](sorted []T, q float64) T {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + T((at-float64(i))*float64(sorted[i+1]-sorted[i]))
}

// Ratios divides each figure by the base's of the same round.
func Ratios(list, base []float64) []float64 {
	ratios := make([]float64, min(len(list), len(base)))
	for i := range ratios {
		ratios[i] = list[i] / base[i]
	}
	return ratios
}
