package capacity

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipe is one whose capacity can be set unless it is full.
type pipe struct {
	large, full bool
	asked       int
}

func (p *pipe) set(large bool) bool {
	p.asked++
	if p.full {
		return false
	}
	p.large = large
	return true
}

// long tells c of so many batches with something long. It reports whether the capacity was raised.
func long(c *Control, batches int) (raised bool) {
	for range batches {
		if c.Batch(false, true) {
			panic("nothing small was sent")
		}
		raised = change(c)
	}
	return raised
}

// change does what is due.
func change(c *Control) (raised bool) {
	large, due := c.IsDue()
	return due && c.Done(large, c.Set(large))
}

func TestRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		c := New(p.set)
		require.False(t, long(c, runUp-1), "little is not worth it")
		require.True(t, long(c, 1))
		require.True(t, p.large)
		require.False(t, long(c, 10))
		require.False(t, c.Batch(false, false), "what is neither")
		require.Equal(t, 1, p.asked)
		require.False(t, c.Holds())
	})
}

// TestSmall: a small message has the pipe emptied first, and then made as it was.
func TestSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		c := New(p.set)
		require.False(t, c.Batch(true, true))
		require.False(t, long(c, 10), "one was sent just now")
		time.Sleep(quietTime)
		require.True(t, long(c, 1))
		require.True(t, c.Batch(true, true))
		c.Asked(7)
		require.True(t, c.Holds())
		require.False(t, c.Batch(true, true), "one ping is enough")
		c.Answered(6)
		require.True(t, c.Holds(), "an earlier ping")
		c.Answered(8) // the other side need not answer each
		require.True(t, c.Holds(), "until it is as it was")
		change(c)
		require.False(t, c.Holds())
		require.False(t, p.large)
		require.False(t, long(c, 10))
		require.False(t, c.Look(), "there is no more to see")
		time.Sleep(quietTime)
		require.True(t, long(c, 1))
		c.Answered(9)
		require.True(t, p.large, "nobody has asked")
	})
}

// TestIdle: a pipe that is not used is made as it was.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(pipe)
		c := New(p.set)
		long(c, runUp)
		require.True(t, c.Look())
		long(c, 1)
		require.True(t, c.Look(), "in use")
		p.full = true
		require.True(t, c.Look())
		change(c)
		require.True(t, p.large, "the other side does not read")
		p.full = false
		require.True(t, c.Look())
		change(c)
		require.False(t, p.large)
		require.False(t, c.Look())
	})
}

// TestUnanswered: a ping that is not answered holds up what is long for two Looks, no longer.
func TestUnanswered(t *testing.T) {
	p := new(pipe)
	c := New(p.set)
	long(c, runUp)
	require.True(t, c.Batch(true, true))
	c.Asked(1)
	require.True(t, c.Look())
	require.True(t, c.Holds())
	require.True(t, c.Look())
	require.False(t, c.Holds())
	require.True(t, c.Batch(true, true), "it is tried again")
}

// TestStaysFull: small messages enough to keep a pipe full hold up nothing.
func TestStaysFull(t *testing.T) {
	p := new(pipe)
	c := New(p.set)
	long(c, runUp)
	require.True(t, c.Batch(true, true))
	c.Asked(1)
	p.full = true
	c.Answered(1)
	change(c)
	require.False(t, c.Holds())
	require.True(t, c.Batch(true, true))
}

// TestSmallFirst: a small message that comes before the capacity is raised keeps it as it is.
func TestSmallFirst(t *testing.T) {
	p := new(pipe)
	c := New(p.set)
	long(c, runUp-1)
	c.Batch(false, true)
	_, due := c.IsDue()
	require.True(t, due)
	require.False(t, c.Batch(true, true))
	_, due = c.IsDue()
	require.False(t, due)
}

// TestRefused: what the system refuses is asked for no more than once in quietTime.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{full: true}
		c := New(p.set)
		long(c, 100)
		require.Equal(t, 1, p.asked)
		time.Sleep(quietTime)
		long(c, 100)
		require.Equal(t, 2, p.asked)
	})
}

func TestFixed(t *testing.T) {
	c := New(nil)
	require.False(t, long(c, 100))
	require.False(t, c.Holds())
	c.Answered(1)
}
