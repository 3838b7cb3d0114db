// Package nearest finds what somebody may have meant.
package nearest

import (
	"cmp"
	"slices"
	"strings"
)

// most is how many names are offered.
const most = 3

// maxLen is how many bytes of names are compared.
const maxLen = 64

// To returns those of names that are near to one, the nearest first, three at most: those that differ
// in case alone, have it within them, or can be made of it by changing few letters.
func To(name string, names []string) []string {
	type candidate struct {
		name string
		cost int
	}
	var found []candidate
	want := strings.ToLower(cut(name))
	for _, n := range names {
		have := strings.ToLower(cut(n))
		cost := distance(want, have)
		_, last, _ := strings.Cut(have, ".")
		switch {
		case want == last: // the service was left out
			cost = 1
		case len(want) >= 3 && strings.Contains(have, want):
			cost = min(cost, 2)
		case cost > max(2, len(want)/3):
			continue
		}
		found = append(found, candidate{n, cost})
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	var near []string
	for _, c := range found[:min(len(found), most)] {
		near = append(near, c.name)
	}
	return near
}

func cut(s string) string { return s[:min(len(s), maxLen)] }

// distance is how many bytes have to be put in, taken out or changed to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
