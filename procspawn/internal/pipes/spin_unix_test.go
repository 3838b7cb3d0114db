//go:build unix

package pipes

import (
	"os"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

func nothing() bool { return false }

// inSpin returns a look that finds nothing at first, and then reports what f does.
func inSpin(f func() bool) (look func() bool) {
	first := true
	return func() bool {
		if first {
			first = false
			return false
		}
		return f()
	}
}

func something() bool { return true }

// procs sets how many processors this process uses.
func procs(t *testing.T, n int) {
	old := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(old) })
}

// waits has s wait n times, for so long. Time stands still in a spin here, so each ends after its number
// of looks. It returns how many spins there were.
func (s *spin) waits(n int, length time.Duration) int {
	before := s.spins
	for range n {
		if !s.read(nothing) {
			time.Sleep(length)
			s.over()
		}
	}
	return s.spins - before
}

// TestSpinPauses: a link where spinning finds nothing tends to one spin in 200 ms.
func TestSpinPauses(t *testing.T) {
	procs(t, 2)
	synctest.Test(t, func(t *testing.T) {
		var s spin
		require.Equal(t, 2, s.waits(2, time.Second))
		require.Equal(t, leastPause, s.pause)
		require.Equal(t, 0, s.waits(1, leastPause))
		require.Equal(t, 1, s.waits(1, 2*leastPause))
		require.Equal(t, 2*leastPause, s.pause)
		s.waits(10_000, time.Millisecond)
		require.Equal(t, mostPause, s.pause)
		require.InDelta(t, 50, s.waits(10_000, time.Millisecond), 2)
		require.Equal(t, 5, s.waits(10, time.Second), "the pause begins with the end of a wait")
	})
}

// TestSpinHalves: each spin that finds something halves the pause of the next that does not.
func TestSpinHalves(t *testing.T) {
	procs(t, 2)
	synctest.Test(t, func(t *testing.T) {
		var s spin
		s.waits(20, time.Second)
		require.Equal(t, mostPause, s.pause)
		time.Sleep(mostPause)
		require.True(t, s.read(inSpin(something)))
		require.Equal(t, mostPause/2, s.pause)
		s.waits(1, time.Second)
		require.Equal(t, mostPause/2, s.pause, "there was one before it")
		s.waits(1, time.Second)
		require.Equal(t, mostPause, s.pause)
		time.Sleep(mostPause)
		for range 20 {
			require.True(t, s.read(inSpin(something)))
		}
		s.waits(2, time.Second)
		require.Equal(t, leastPause, s.pause)
	})
}

// TestSpinShortWaits: where what comes comes soon, though never within a spin, there are some spins, and
// the pause is not waited for.
func TestSpinShortWaits(t *testing.T) {
	procs(t, 2)
	synctest.Test(t, func(t *testing.T) {
		var s spin
		s.waits(20, time.Second)
		require.Equal(t, mostPause, s.pause)
		require.Equal(t, 0, s.waits(maxPaused, shortTime/2))
		require.Equal(t, maxShort+1, s.waits(maxShort+1, shortTime/2))
		require.Equal(t, 0, s.waits(1, shortTime/2))
		n := s.waits(10_000, shortTime/2)
		require.InDelta(t, 10_000*(maxShort+1)/(maxShort+1+maxPaused), n, 20)
		require.Equal(t, 0, s.waits(100, 2*shortTime))
	})
}

// TestSpinners: one processor does not spin, and of others only every second one.
func TestSpinners(t *testing.T) {
	for n, most := range map[int]int{1: 0, 2: 1, 3: 1, 8: 4} {
		procs(t, n)
		spinners := 0
		var more func() bool
		more = func() bool {
			spinners++
			new(spin).read(inSpin(more))
			return true
		}
		new(spin).read(inSpin(more))
		assert.Equal(t, most, spinners, n)
		assert.Zero(t, spinning.Load())
	}
}

// TestSpinReleased: who reads is released by Close and by a deadline, whether it spins or waits.
func TestSpinReleased(t *testing.T) {
	procs(t, 2)
	for _, spin := range []bool{false, true} {
		for name, release := range map[string]func(c *Conn){
			"close":  func(c *Conn) { c.Close() },
			"expire": func(c *Conn) { c.Expire(time.Now()) },
		} {
			old := tuning.Spin
			tuning.Spin = spin
			for range 50 {
				child, _ := linked(t)
				ended := make(chan error)
				go func() {
					_, err := child.Read(make([]byte, 1))
					ended <- err
				}()
				for _, reading := child.Reading(); !reading; _, reading = child.Reading() {
					runtime.Gosched()
				}
				release(child)
				err := <-ended
				if name == "close" {
					assert.ErrorIs(t, err, os.ErrClosed)
				} else {
					assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				}
			}
			tuning.Spin = old
		}
	}
}
