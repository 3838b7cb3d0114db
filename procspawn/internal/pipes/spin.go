//go:build unix

package pipes

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// A spin ends after so long, or so many looks: time may stand still, as in testing/synctest. One
	// behind a short wait (see below) may take longer: if both sides park, waking them can take so
	// long that neither spin would find anything.
	spinTime  = 50 * time.Microsecond
	longTime  = 3 * spinTime
	spinLooks = 1000

	// A wait is a short one if something came so soon after its begin: it might have been found if the
	// other side had been spinning as well, so that the two find to each other again. A spin that found
	// nothing is a miss if its wait was not short, or those of maxShort spins before it were.
	shortTime = 4 * spinTime
	maxShort  = 16

	// After maxMisses misses in a row there is no spin for a pause, which doubles from leastPause to
	// mostPause with each further one, and halves with each spin that finds something. It is over after
	// maxPaused short waits in a row: the link is lively.
	maxMisses  = 2
	leastPause = 500 * time.Microsecond
	mostPause  = 200 * time.Millisecond
	maxPaused  = 64
)

// spinning is how many goroutines of this process spin.
var spinning atomic.Int32

// spinEpoch makes moments out of durations, which are cheaper to measure than times.
var spinEpoch = time.Now()

// spin looks again and again whether something has come, for a short while, before its reader parks: if
// the other side runs on another core, its answer is often there before this side could be woken, and
// waking costs who does it a system call. It is owned by who reads.
type spin struct {
	spins  int           // so far
	spun   bool          // in the wait that is going on, or was last
	begin  time.Duration // of that wait, behind spinEpoch
	short  int           // waits in a row, since the latest pause began or ended
	misses int           // in a row
	paused bool          // until then, or for maxPaused short waits
	until  time.Duration // behind spinEpoch
	pause  time.Duration // the latest
}

// read reports what look does, which it calls until that is true or it has been at it for long enough.
// If it returns false, the reader parks, and calls over when something has come.
func (s *spin) read(look func() bool) bool {
	s.begin = time.Since(spinEpoch)
	if s.spun = s.mayBegin(); !s.spun {
		return false
	}
	if look() {
		return true
	}
	if s.spun = s.mayCount(); !s.spun {
		return false
	}
	defer spinning.Add(-1)
	s.spins++
	limit := spinTime
	if s.short > 0 {
		limit = longTime
	}
	for range spinLooks {
		runtime.Gosched()
		if look() {
			s.short, s.misses = 0, 0
			s.pause /= 2
			return true
		}
		if time.Since(spinEpoch)-s.begin > limit {
			break
		}
	}
	return false
}

// mayBegin reports whether there is no pause, or none any more.
func (s *spin) mayBegin() bool {
	if s.paused && (s.begin >= s.until || s.short >= maxPaused) {
		s.paused, s.short = false, 0
	}
	return !s.paused
}

// mayCount counts this goroutine among those that spin, if it may: at most one for two processors. With
// the others there is something else to do. A single one is what the other side may wait for: then
// there is a pause.
func (s *spin) mayCount() bool {
	procs := runtime.GOMAXPROCS(0)
	if procs == 1 {
		s.short, s.paused, s.until = 0, true, s.begin+mostPause
		return false
	}
	if spinning.Add(1) <= int32(procs/2) {
		return true
	}
	spinning.Add(-1)
	return false
}

// over is called when read has found nothing, and something has come since.
func (s *spin) over() {
	now := time.Since(spinEpoch)
	isShort := now-s.begin < shortTime
	switch {
	case s.paused && isShort:
		s.short++
	case s.paused:
		s.short = 0
	case !s.spun: // others did
	case isShort && s.short < maxShort:
		s.short++
	default:
		s.short = 0
		if s.misses++; s.misses >= maxMisses {
			s.pause = min(max(2*s.pause, leastPause), mostPause)
			s.paused, s.until = true, now+s.pause
		}
	}
}
