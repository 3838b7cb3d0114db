// Package capacity decides when the pipe that a side writes to holds much. A large one has long
// messages and streams go faster: writer and reader wait for each other less often. But what lies
// in a pipe cannot be overtaken, so a small message would wait behind all of it. Hence the capacity
// is raised while nothing but long messages and streams is being sent, and taken back when a small
// message comes.
//
// A pipe cannot be made smaller than what lies in it. So, when the small message has been written,
// nothing long follows until the other side has answered a ping that goes behind it: by then it has
// read all that was there before.
//
// It assumes that a ping is answered by whoever reads, whatever else goes on. It promises that
// nothing waits for the answer longer than twice LookTime.
package capacity

import "time"

const (
	// quietTime is how long no small message must have been sent before the capacity is raised.
	quietTime = 100 * time.Millisecond

	// runUp is how many batches with something long come before that: to raise it for little does
	// not pay.
	runUp = 4

	// LookTime is the time from one Look to the next.
	LookTime = 100 * time.Millisecond
)

type state uint8

const (
	usual    state = iota
	raising        // it is to be raised
	raised         // until something small is sent, or nothing is
	emptying       // nothing long is sent, until the other side has read what lies in the pipe
	lowering       // it is to be taken back
)

// Control controls the capacity of one pipe. It is guarded by a lock of its owner, but for Set. A
// nil Control is that of a connection whose capacity is fixed.
type Control struct {
	set   func(large bool) bool
	state state

	small bool      // something small was sent since quiet was set
	quiet time.Time // since when nothing small has been, as far as is known
	run   int       // batches with something long since then

	used  bool   // something long was sent since the last Look
	late  bool   // it was emptying at the last Look
	asked uint32 // the ping whose answer says that it is empty
}

// New returns a Control. set makes the pipe large, or as large as it was, and reports whether it
// has.
func New(set func(large bool) bool) *Control {
	if set == nil {
		return nil
	}
	return &Control{set: set}
}

// Batch is told what the next batch brings: something small, which others wait for, and whether
// something long is to be sent. It reports whether a ping has to go behind what is small: see
// Asked.
func (c *Control) Batch(small, long bool) (ask bool) {
	if c == nil {
		return false
	}
	c.small = c.small || small
	c.used = c.used || long
	switch {
	case c.state == raised && small:
		c.state, c.late = emptying, false
		return true
	case c.state == raising && small:
		c.state = usual
	case c.state == usual && long && !small:
		c.raise()
	}
	return false
}

// raise has the capacity raised if nothing speaks against it.
func (c *Control) raise() {
	if c.small {
		c.small, c.quiet, c.run = false, time.Now(), 0
	}
	if c.run++; c.run >= runUp && time.Since(c.quiet) >= quietTime {
		c.state = raising
	}
}

// IsDue reports whether the capacity is to be changed now: by Set, and then Done.
func (c *Control) IsDue() (large, due bool) {
	if c == nil {
		return false, false
	}
	return c.state == raising, c.state == raising || c.state == lowering
}

// Set changes the capacity, and reports whether that is done. It may wait for the system, which has
// a lock that the other side holds while it reads: so it is called without locks, by who writes.
func (c *Control) Set(large bool) (done bool) { return c.set(large) }

// Done says what Set has returned. It reports whether Look is to be called after LookTime.
func (c *Control) Done(large, done bool) (look bool) {
	switch {
	case large && !done:
		c.state, c.small = usual, true // not again so soon
	case large:
		c.state, c.used = raised, true
		return true
	case done:
		c.state = usual
	default: // small messages keep the pipe full
		c.state = raised
	}
	return false
}

// Holds reports whether nothing long is to be sent now.
func (c *Control) Holds() bool { return c != nil && (c.state == emptying || c.state == lowering) }

// Asked says the number of the ping that Ask has asked for.
func (c *Control) Asked(ping uint32) { c.asked = ping }

// Answered says that the other side has answered a ping, and with it those before.
func (c *Control) Answered(ping uint32) {
	if c != nil && c.state == emptying && int32(ping-c.asked) >= 0 {
		c.state = lowering
	}
}

// Look has the capacity taken back if nothing long was sent since the last Look, and has what is
// long go on if the other side does not answer. It reports whether it is to be called again.
func (c *Control) Look() (again bool) {
	switch {
	case c.state == emptying && c.late:
		c.state = raised
	case c.state == emptying:
		c.late = true
	case c.state == raised && !c.used:
		c.state = lowering
	}
	c.used = false
	return c.state != usual
}
