package tally

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCounts: what is counted is told, by names.
func TestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var table Table
		require.Empty(t, table.Stats())
		table.Ended("B", 3*time.Millisecond, Now(), false, false)
		table.Ended("A", time.Millisecond, Now(), true, true)
		table.Ended("A", time.Second, Now(), false, false)
		table.Notified("C")
		time.Sleep(3 * time.Second)
		table.Ended("A", time.Second, Now(), false, false)
		time.Sleep(2 * time.Second)
		list := table.Stats()
		require.Len(t, list, 3)
		a, b, c := list[0], list[1], list[2]
		require.Equal(t, "A", a.Method)
		require.EqualValues(t, 3, a.Ended)
		require.EqualValues(t, 1, a.Failed)
		require.EqualValues(t, 1, a.Notifications)
		require.Equal(t, 2001*time.Millisecond, a.Total)
		require.Equal(t, time.Second, a.Max)
		require.Len(t, a.Recent, Recent)
		require.EqualValues(t, 2, a.Recent[Recent-5])
		require.EqualValues(t, 1, a.Recent[Recent-2])
		require.EqualValues(t, 1, b.Ended)
		require.Zero(t, c.Ended)
		require.EqualValues(t, 1, c.Notifications)
		require.EqualValues(t, 1, c.Recent[Recent-5])
		require.Empty(t, c.Histogram)

		time.Sleep(2 * time.Minute) // what is too old is forgotten
		table.Ended("A", 0, Now(), false, false)
		time.Sleep(time.Second)
		sum := uint32(0)
		for _, n := range table.Stats()[0].Recent {
			sum += n
		}
		require.EqualValues(t, 1, sum)
	})
}

// TestBounds: names from elsewhere take no more than so much, and nothing of theirs is lost.
func TestBounds(t *testing.T) {
	var table Table
	const calls = 1000
	var counting sync.WaitGroup
	for i := range calls {
		counting.Go(func() { table.Ended(fmt.Sprint(i)+strings.Repeat("x", i), 1, 1, false, false) })
	}
	counting.Wait()
	list := table.Stats()
	require.Equal(t, maxNames+1, len(list))
	sum, others := uint64(0), uint64(0)
	for _, s := range list {
		require.LessOrEqual(t, len(s.Method), maxName)
		sum += s.Ended
		if s.Method == Others {
			others = s.Ended
		}
	}
	require.EqualValues(t, calls, sum)
	require.Positive(t, others)
}

// TestOn: a Table counts if it was told to, or if all are.
func TestOn(t *testing.T) {
	var one, always Table
	always.Init(true)
	require.True(t, always.On())
	was := All.Swap(false)
	defer All.Store(was)
	require.False(t, one.On())
	All.Store(true)
	require.True(t, one.On())
}

// TestNoMemory: to count a method that is known takes none.
func TestNoMemory(t *testing.T) {
	var table Table
	count := func() { table.Ended("A", time.Millisecond, Now(), true, false) }
	count()
	require.Zero(t, testing.AllocsPerRun(1000, count))
}

func BenchmarkEnded(b *testing.B) {
	var table Table
	for b.Loop() {
		table.Ended("Arith.Add", 12345, Now(), false, false)
	}
}
