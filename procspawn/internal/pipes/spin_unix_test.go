//go:build unix

package pipes

import (
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/tuning"
)

// procs sets how many processors this process uses.
func procs(t *testing.T, n int) {
	old, oldProcessors := runtime.GOMAXPROCS(n), processors
	processors = max(n, 2)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(old)
		processors = oldProcessors
	})
}

// wait is one wait of s. What is waited for comes after so long, or, if s spins without finding it, so
// long after the spin if that is later. A reader that parks is woken after wake.
func (s *spin) wait(comes, afterSpin, wake time.Duration) {
	begin := time.Now()
	look := func() bool {
		time.Sleep(time.Microsecond)
		return time.Since(begin) >= comes
	}
	if s.read(look) {
		return
	}
	left := comes - time.Since(begin)
	if s.hasSpun {
		left = max(left, afterSpin)
	}
	time.Sleep(max(left, 0) + wake)
	s.over()
}

// after runs f in a bubble, on so many processors, and returns the spins in n waits of it, and the part
// of the time that they took.
func after(t *testing.T, n int, f func(s *spin, i int)) (spins int, part float64) {
	procs(t, 2)
	old := spinEpoch
	defer func() { spinEpoch = old }()
	synctest.Test(t, func(t *testing.T) {
		spinEpoch = time.Now() // the time of bubbles is another
		var s spin
		var spent time.Duration
		begin := time.Now()
		for i := range n {
			before := time.Now()
			f(&s, i)
			if s.hasSpun {
				spent += min(time.Since(before), longTime)
			}
		}
		spins, part = s.spins, float64(spent)/float64(time.Since(begin))
	})
	return spins, part
}

const us = time.Microsecond

// TestSpinHelps: where an answer is there sooner than a parked reader is woken, it spins nearly always.
// Now and then it looks whether that is so still.
func TestSpinHelps(t *testing.T) {
	spins, _ := after(t, 10_000, func(s *spin, _ int) { s.wait(10*us, 0, 40*us) })
	require.InDelta(t, 10_000, spins, 50)
	// Some that come late do not change that.
	spins, _ = after(t, 10_000, func(s *spin, i int) {
		if i%50 == 0 {
			s.wait(300*us, 0, 40*us)
		} else {
			s.wait(10*us, 0, 40*us)
		}
	})
	require.Greater(t, spins, 9500)
	// Nor do times without work.
	spins, _ = after(t, 10_000, func(s *spin, i int) {
		if i%500 < 2 {
			s.wait(time.Second, 0, 40*us)
		} else {
			s.wait(10*us, 0, 40*us)
		}
	})
	require.Greater(t, spins, 9000)
}

// TestSpinFindsTheOther: an answer comes within a spin only once the other side spins as well. Both find
// out.
func TestSpinFindsTheOther(t *testing.T) {
	spins, _ := after(t, 10_000, func(s *spin, i int) {
		if s.mode == spinParks {
			s.wait(90*us, 0, 40*us)
		} else {
			s.wait(70*us, 0, 40*us)
		}
	})
	require.Greater(t, spins, 100, "a trial waits longer")
}

// TestSpinHarms: if the other side waits for this core, spins take next to no time.
func TestSpinHarms(t *testing.T) {
	_, part := after(t, 50_000, func(s *spin, _ int) { s.wait(20*us, 20*us, 5*us) })
	require.Less(t, part, 1.0, "what comes at once is found")
	spins, part := after(t, 50_000, func(s *spin, _ int) {
		s.comesLate(20 * us)
	})
	require.Less(t, part, 0.01)
	require.Less(t, spins, 500)
}

// comesLate is wait where what is waited for comes so long after the reader has parked.
func (s *spin) comesLate(later time.Duration) {
	if s.read(func() bool { time.Sleep(time.Microsecond); return false }) {
		return
	}
	time.Sleep(later)
	s.over()
}

// TestSpinNoUse: nor do they where what comes takes longer than a spin, or comes seldom.
func TestSpinNoUse(t *testing.T) {
	_, part := after(t, 20_000, func(s *spin, _ int) { s.wait(180*us, 0, 10*us) })
	require.Less(t, part, 0.03)
	spins, _ := after(t, 10_000, func(s *spin, _ int) { s.wait(time.Second, 0, 10*us) })
	require.Zero(t, spins)
	_, part = after(t, 10_000, func(s *spin, i int) {
		if i%20 < 2 {
			s.wait(time.Second, 0, 10*us)
		} else {
			s.wait(150*us, 0, 10*us)
		}
	})
	require.Less(t, part, 0.01)
}

// TestSpinEnds: a spin ends although time stands still.
func TestSpinEnds(t *testing.T) {
	spins, _ := after(t, 1, func(s *spin, _ int) {
		s.mode = spinTries
		require.False(t, s.read(func() bool { return false }))
	})
	require.Equal(t, 1, spins)
}

// TestSpinners: a single processor does not spin, and of what GOMAXPROCS allows only every second one.
func TestSpinners(t *testing.T) {
	for _, tt := range []struct{ processors, n, most int }{{1, 1, 0}, {1, 8, 0}, {2, 1, 1}, {2, 2, 1}, {4, 3, 1}, {4, 8, 4}} {
		procs(t, tt.n)
		processors = tt.processors
		spinners := 0
		var spinAlso func()
		spinAlso = func() {
			first := true
			(&spin{mode: spinSpins}).read(func() bool {
				if first {
					first = false
					return false
				}
				spinners++
				spinAlso()
				return true
			})
		}
		spinAlso()
		assert.Equal(t, tt.most, spinners, "%+v", tt)
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

// TestSpinBesideOthers: several may read at once. One of them spins.
func TestSpinBesideOthers(t *testing.T) {
	procs(t, 2)
	child, parent := linked(t)
	var readers sync.WaitGroup
	var got atomic.Int64
	for range 3 {
		readers.Go(func() {
			n, err := io.Copy(io.Discard, child)
			got.Add(n)
			assert.NoError(t, err)
		})
	}
	for range 1000 {
		_, err := parent.Write([]byte("x"))
		require.NoError(t, err)
	}
	require.NoError(t, parent.Close())
	readers.Wait()
	assert.EqualValues(t, 1000, got.Load())
}
