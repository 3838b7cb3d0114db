// Package capacity decides when the pipe that a side writes to holds much. A large one has long
// messages and streams go faster: writer and reader wait for each other less often. But what lies
// in a pipe cannot be overtaken, so a small message would wait behind all of it. Hence the capacity
// is raised while much that is long is being sent and nothing small, and taken back when something
// small comes, or less is sent.
//
// A pipe cannot be made smaller than what lies in it. If there is more, nothing long is sent until
// the other side has answered a ping, which goes behind what is small: by then it has read all that
// was there before. One that does not answer, or reads slowly, holds up what is long for some time,
// and then gets it a little at a time until the pipe is as it was.
//
// It assumes that who writes asks for each batch what to do.
package capacity

import "time"

const (
	// quietTime is how long nothing small must have been sent before the capacity is raised.
	quietTime = 100 * time.Millisecond

	// LookTime is the time from one Look to the next.
	LookTime = 100 * time.Millisecond

	// many is how many batches with something long make it worth while, within LookTime: 10 MiB/s,
	// as a batch has 64 KiB. A connection through which less goes is slow: there what lies in a
	// large pipe would take long.
	many = 16
)

type state uint8

const (
	usual    state = iota
	raised         // until something small is sent, or less
	emptying       // nothing long is sent, until a ping is answered or two Looks have passed
	stuck          // it could not be taken back even then: something long is sent with each batch that has something small, and with one after each Look
)

// Control controls the capacity of one pipe. It is guarded by a lock of its owner, but for Set. A
// nil Control is that of a connection whose capacity is fixed.
type Control struct {
	set   func(large bool) bool
	state state
	lower bool // it is time to take the capacity back

	// Of what was sent.
	quiet time.Time // since when nothing small has been, as far as is known
	small bool      // something small has been since that was set
	begin time.Time // of the time in which batches are counted
	run   int       // batches with something long, from begin on
	since int       // those from the last Look on

	// While it is emptying, or stuck.
	ask   bool   // a ping is due: see Asked
	asked uint32 // the ping whose answer says that it is empty
	late  bool   // it was emptying at the last Look
	one   bool   // it is stuck, and something long may go
}

// New returns a Control. set makes the pipe large, or as large as it was, and reports whether it
// has.
func New(set func(large bool) bool) *Control {
	if set == nil {
		return nil
	}
	return &Control{set: set}
}

// IsDue reports whether the capacity is to be changed before the next batch: by Set, and then Done.
// It is told whether that has something small, which others wait for, and whether there is
// something long to send.
func (c *Control) IsDue(small, long bool) (large, due bool) {
	if c == nil {
		return false, false
	}
	c.small = c.small || small
	switch c.state {
	case usual:
		large = long && !small && c.run >= many && c.isQuiet()
		return large, large
	case raised:
		return false, small || c.lower
	}
	return false, c.lower
}

// isQuiet reports whether nothing small has been sent for quietTime.
func (c *Control) isQuiet() bool {
	now := time.Now()
	if c.small {
		c.small, c.quiet = false, now
	}
	return now.Sub(c.quiet) >= quietTime
}

// Set changes the capacity, and reports whether that is done. It may wait for the system, which has
// a lock that the other side holds while it reads: so it is called without locks, and by who may
// wait.
func (c *Control) Set(large bool) (done bool) { return c.set(large) }

// Done says what Set has returned. It reports whether Look is to be called after LookTime.
func (c *Control) Done(large, done bool) (look bool) {
	c.lower = false
	switch {
	case large && done:
		c.state, c.since = raised, many // until the next Look but one
		return true
	case large:
		c.small = true // not again so soon
	case done:
		c.state = usual
	case c.state == raised:
		c.state, c.ask, c.late = emptying, true, false
	default:
		c.state = stuck
	}
	return false
}

// Asks reports whether a ping is to go behind what is small in this batch: see Asked.
func (c *Control) Asks() bool { return c != nil && c.ask }

// Asked says the number of the ping.
func (c *Control) Asked(ping uint32) { c.ask, c.asked = false, ping }

// Holds reports whether nothing long is to go into this batch, in which there is something small or
// not.
func (c *Control) Holds(small bool) bool {
	return c != nil && (c.state == emptying || c.state == stuck && !small && !c.one)
}

// Sent says that something long has gone into a batch.
func (c *Control) Sent() {
	if c == nil {
		return
	}
	c.one = false
	c.since++
	if c.state != usual {
		return
	}
	if now := time.Now(); now.Sub(c.begin) > LookTime {
		c.begin, c.run = now, 0
	}
	c.run++
}

// Answered says that the other side has answered a ping, and with it those before. It reports
// whether that has brought something to do.
func (c *Control) Answered(ping uint32) bool {
	isIt := c.state == emptying && !c.ask && int32(ping-c.asked) >= 0
	c.lower = c.lower || isIt
	return isIt
}

// Look sees to it that the capacity is taken back when less is sent, and that what is long goes on
// although the other side does not answer. It reports whether it is to be called again.
func (c *Control) Look() (again bool) {
	switch c.state {
	case usual:
		return false
	case raised:
		c.lower = c.lower || c.since < many
	case emptying:
		c.lower = c.lower || c.late
		c.late = true
	case stuck:
		c.lower, c.one = true, true
	}
	c.since = 0
	return true
}
