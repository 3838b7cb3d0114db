package model

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// mutual are scenarios in which each side needs the other one to take more notifications, while
// those before wait for their turn. As many come as a window has room for, and as many more as are
// released early. A window of 4 or more would hold back credit of what is released, less than half
// of it.
func mutual(window, early int) []scenario {
	n := window + early
	one, both := [2]int{B: early}, [2]int{early, early}
	reports := several(n, tells(1))
	list := []scenario{
		{
			name: "a notification handler calls a method that notifies back", early: one,
			work: []thread{on(A, tells(1, calls(1, 1, reports...)))},
		},
		{
			name: "a notification handler calls a method that notifies back what is long", early: [2]int{B: 2 * early},
			work: []thread{on(A, tells(1, calls(1, 1, several(1+early, tells(2))...)))},
		},
		{
			name: "a notification handler calls a method that notifies back, behind others", early: one,
			work: append(several(n-1, on(A, tells(1))), on(A, tells(1, calls(1, 1, tells(1))))),
		},
		{
			name: "notification handlers call methods that notify back, one after the other", early: one,
			work: []thread{on(A, tells(1, calls(1, 1, reports[1:]...)), tells(1, calls(1, 1, tells(1))))},
		},
		{
			name: "a notification handler calls a method that notifies back what calls in turn", early: one,
			work: []thread{on(A, tells(1, calls(1, 1, several(n, tells(1, calls(1, 1)))...)))},
		},
		{
			name: "a notification handler waits for a thread, which calls a method that notifies back", early: one,
			work:   []thread{on(B, calls(1, 1, reports...)), on(A, tells(1), tells(1))},
			awaits: [][2]uint8{{uint8(n) + 3, 0}},
		},
		{
			name: "a notification handler writes a stream that is read behind notifications back", early: one,
			work:    []thread{on(A, tells(1)), on(A, reports...)},
			awaits:  [][2]uint8{{0, firstStream}},
			streams: []stream{{opener: B, units: [2]int{B: window + 1}, readsBehind: uint8(n)}},
		},
		{
			name: "a notification handler opens a stream that is accepted behind notifications back", early: one,
			work:    []thread{on(A, tells(1)), on(A, reports...)},
			awaits:  [][2]uint8{{0, firstStream}},
			streams: []stream{{opener: B, acceptsBehind: uint8(n)}},
		},
		{
			name: "notification handlers of both sides notify each other", early: both,
			work: []thread{on(A, tells(1, reports...)), on(B, tells(1, reports...))},
		},
		{
			name: "notification handlers of both sides notify each other, and one side releases nothing early", early: one,
			work: []thread{on(A, tells(1, reports...)), on(B, tells(1, reports...))},
		},
	}
	for i := range list {
		list[i].name += fmt.Sprintf(", %d beyond a window of %d", early, window)
		list[i].window = window
	}
	return list
}

// several is x n times.
func several[T any](n int, x T) []T { return slices.Repeat([]T{x}, n) }

// TestMutual has each of mutual get stuck if nothing is released early, and beyond the bound, which
// is one less than it takes. That remains.
func TestMutual(t *testing.T) {
	for _, sc := range slices.Concat(mutual(1, 2), mutual(2, 1), shutDown(mutual(1, 1))) {
		if len(sc.streams) > 0 && sc.streams[0].acceptsBehind > 0 && sc.shut != [2]bool{} {
			continue // the stream is refused
		}
		t.Run(sc.name, func(t *testing.T) {
			without := explore(newModel(sc, neverEarly), 1_000_000)
			require.Contains(t, without.fault, "waits for ever")
			for x := range sc.early {
				sc.early[x] = max(sc.early[x]-1, 0)
			}
			beyond := explore(newModel(sc, unbroken), 1_000_000)
			require.Contains(t, beyond.fault, "waits for ever")
			t.Logf("%d states: %v", beyond.states, beyond)
		})
	}
}
