package procspawn

import (
	"runtime"
	"time"

	"github.com/viaduct-go/viaduct/procspawn/internal/pipes"
)

const (
	// lookoutEvery is how often a child looks for the end of its link by itself: four times a
	// second take some 0.01 % of a processor, and leave half of the second that there is by
	// default. If ExitTimeout is short it is a quarter of that, but not less than lookoutLeast.
	lookoutEvery = 250 * time.Millisecond
	lookoutLeast = 50 * time.Millisecond

	// lookoutPatience is how long who reads the link may be late to notice the end.
	lookoutPatience = 20 * time.Millisecond

	// maxRoom is how many threads may compute at once in a process that is to exit.
	maxRoom = 256
)

// lookout sees to it that the end of the link is noticed in time in a program that computes with
// many more goroutines than it may use processors. A goroutine that the end of a pipe makes ready
// waits behind all others that want to run, each of which is given 10 ms: with 200 of them and one
// processor it is 2 s late, and so is each that it wakes. What a timer starts runs next. So this is
// the one place that asks again and again. In a program with time to spare the reader is faster.
//
// Guarded by inherited.mu.
type lookout struct {
	timer *time.Timer // nil where nobody can tell
	open  time.Time   // when the link was last seen to be open
	turn  uint64      // the Read that was at work when the link was seen to have ended; 0: none
}

// watch begins to look out.
func (c *inherited) watch() {
	c.lookout.open = c.claimed
	if pipes.TellsHangup {
		c.lookout.timer = time.AfterFunc(c.lookoutInterval(), c.look)
	}
}

// lookoutInterval is called before c is in use, or with mu held.
func (c *inherited) lookoutInterval() time.Duration {
	if c.limit < 0 {
		return lookoutEvery
	}
	return max(lookoutLeast, min(c.limit/4, lookoutEvery))
}

// look has the next look prepared, until the link has ended.
func (c *inherited) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &c.lookout
	if !c.endedAt.IsZero() || c.closed {
		return
	}
	next := c.lookoutInterval()
	turn, reading := c.pipe.Reading()
	switch {
	case !c.pipe.HungUp():
		l.open = time.Now()
		l.turn = 0
	case !reading: // what was sent last need not be read yet
	case l.turn != turn: // it gets its chance
		l.turn = turn
		next = lookoutPatience
	default:
		c.endLocked(l.end())
		c.makeRoomLocked()
		return
	}
	l.timer.Reset(next)
}

// end returns when the link has ended that its reader is late to notice: as early as it can have
// been. The promise is to be gone in time, and main has less of that.
func (l *lookout) end() time.Time {
	earliest := time.Now().Add(-lookoutEvery - lookoutPatience)
	if l.open.Before(earliest) {
		return earliest // nothing has run here meanwhile: the process was stopped
	}
	return l.open
}

// makeRoomLocked lets what waits for its turn have it, the reader of the link and then OnExit of
// rpcpipe among them, by having the program compute on as many threads as it has goroutines. It is
// about to exit.
func (c *inherited) makeRoomLocked() {
	if n := min(runtime.NumGoroutine(), maxRoom); c.limit >= 0 && n > runtime.GOMAXPROCS(0) {
		go runtime.GOMAXPROCS(n)
	}
}
