//go:build unix

package pipes

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// A spin ends after so long. It may take longer where it may help and spins find nothing within
	// that: if both sides park, waking both takes longer than the first.
	spinTime = 50 * time.Microsecond
	longTime = 3 * spinTime
	// It ends after so many looks, too: time may stand still, as in testing/synctest.
	spinLooks = 1000

	// A wait that is no longer is a short one.
	shortTime = 4 * spinTime

	parksBefore = 4   // short waits in a row, parked, before a trial
	tries       = 16  // waits of a trial
	laps        = 128 // waits after which a reader that spins looks whether that is still of use
	checks      = 4   // waits, parked, to see again what they take without spins

	// Where spins were of no use, or two waits in a row were long, a reader parks for so long, twice as
	// long each further time, and half as long after each lap of use.
	leastPause = 500 * time.Microsecond
	mostPause  = 200 * time.Millisecond
	// So often it sees again what waits take without spins.
	checkTime = 200 * time.Millisecond
)

// spinMode is what a reader does that has to wait.
type spinMode uint8

const (
	spinParks  spinMode = iota // it parks, until a trial is worth while
	spinTries                  // it spins, to see whether that shortens its waits
	spinSpins                  // it spins
	spinChecks                 // it parks, to see what its waits take without spins by now
)

// processors are those that this process may run on.
var processors = runtime.NumCPU()

// spinning is how many goroutines of this process spin.
var spinning atomic.Int32

// spinEpoch makes moments out of durations, which are cheaper to measure than times.
var spinEpoch = time.Now()

// spin looks again and again whether something has come, for a short while, before its reader parks: if
// the other side runs on another core, its answer is often there before this side could be woken, and
// waking costs who does it a system call. If the other side waits for this core it is the other way
// round. So a spin measures what a reader waits with spins and without, and spins while that is
// shorter. It is owned by who reads.
type spin struct {
	mode  spinMode
	until time.Duration // behind spinEpoch: no trial, or no check, before
	n     int           // waits in this mode, or lap, that count
	long  int           // long waits in a row
	pause time.Duration // the latest

	parked time.Duration // what a wait takes without spins, the mean of the last few
	spun   time.Duration // what those that count in this trial or lap have taken, each of them up to maxWait

	begin   time.Duration // of the latest wait, behind spinEpoch
	hasSpun bool          // in it
	spins   int           // so far
}

// maxWait is what a wait counts for at most: some take long whatever their readers do.
const maxWait = 2 * shortTime

// read reports what look does, which it calls until that is true or it has been at it for long enough.
// If it returns false, the reader parks, and calls over when something has come.
func (s *spin) read(look func() bool) bool {
	s.begin = time.Since(spinEpoch)
	s.hasSpun = false
	if s.mode == spinParks || s.mode == spinChecks {
		return false
	}
	if look() {
		return true
	}
	if !s.mayCount() {
		return false
	}
	defer spinning.Add(-1)
	s.hasSpun = true
	s.spins++
	limit := spinTime
	if s.mode == spinTries {
		limit = longTime
	}
	for range spinLooks {
		runtime.Gosched()
		found := look()
		now := time.Since(spinEpoch)
		if found {
			s.next(now)
			return true
		}
		if now-s.begin > limit {
			break
		}
	}
	return false
}

// over is called when read has found nothing, and something has come since.
func (s *spin) over() { s.next(time.Since(spinEpoch)) }

// next takes the wait that is over now into account.
func (s *spin) next(now time.Duration) {
	wait := now - s.begin
	isLong := wait > shortTime
	if s.long++; !isLong {
		s.long = 0
	}
	switch s.mode {
	case spinParks:
		if s.countParked(wait); s.n >= parksBefore && now >= s.until {
			s.enter(spinTries, 0)
		}
	case spinTries:
		if s.countSpun(wait); s.long > 1 || !s.mayHelp(tries) {
			s.park(now)
		} else if s.n >= tries {
			s.enter(spinSpins, now+checkTime)
		}
	case spinSpins:
		if s.countSpun(wait); s.long > 1 || !s.mayHelp(laps) {
			s.park(now)
		} else if s.n >= laps {
			s.pause /= 2
			s.lap(now)
		}
	case spinChecks:
		if s.countParked(wait); s.n >= checks || s.long > 1 {
			s.enter(spinSpins, now+checkTime)
		}
	}
}

// lap begins another lap, unless there is to be a check.
func (s *spin) lap(now time.Duration) {
	if now >= s.until {
		s.parked = 0
		s.enter(spinChecks, 0)
		return
	}
	s.enter(spinSpins, s.until)
}

func (s *spin) enter(mode spinMode, until time.Duration) {
	s.mode, s.until, s.n, s.spun = mode, until, 0, 0
}

// park has the reader park for a while.
func (s *spin) park(now time.Duration) {
	s.pause = min(max(2*s.pause, leastPause), mostPause)
	s.enter(spinParks, now+s.pause)
}

// countParked counts a wait in which the reader was parked. Long ones say nothing.
func (s *spin) countParked(wait time.Duration) {
	switch {
	case wait > shortTime:
		s.n = 0
		return
	case s.parked == 0:
		s.parked = wait
	}
	s.parked += (wait - s.parked) / 16
	s.n++
}

// countSpun counts a wait in which the reader was to spin. If others did, that says nothing.
func (s *spin) countSpun(wait time.Duration) {
	if s.hasSpun {
		s.spun += min(wait, maxWait)
		s.n++
	}
}

// mayHelp reports whether of waits spins may still shorten the sum.
func (s *spin) mayHelp(waits int) bool {
	return s.parked == 0 || s.spun < time.Duration(waits)*s.parked*9/10
}

// mayCount counts this goroutine among those that spin, if it may: one, or one for two that GOMAXPROCS
// allows. With the others there is something else to do. A single processor is what the other side may
// wait for.
func (s *spin) mayCount() bool {
	if processors == 1 {
		s.enter(spinParks, s.begin+mostPause)
		return false
	}
	if spinning.Add(1) <= int32(max(1, runtime.GOMAXPROCS(0)/2)) {
		return true
	}
	spinning.Add(-1)
	return false
}
