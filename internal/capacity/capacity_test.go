package capacity

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pipe is one whose capacity can be set unless it is full, and who writes to it.
type pipe struct {
	*Control
	large, full bool
	sets, pings int
}

func newPipe() *pipe {
	p := new(pipe)
	p.Control = New(func(large bool) bool {
		p.sets++
		if p.full {
			return false
		}
		p.large = large
		return true
	})
	return p
}

// batch plays a batch, and reports whether something long was sent with it.
func (p *pipe) batch(small, long bool) (sent bool) {
	if large, due := p.IsDue(small, long); due {
		p.Done(large, p.Set(large))
	}
	if p.Asks() {
		p.pings++
		p.Asked(uint32(p.pings))
	}
	if sent = long && !p.Holds(small); sent {
		p.Sent()
	}
	return sent
}

// long plays batches with something long, and returns with how many of them it was sent.
func (p *pipe) long(batches int) (sent int) {
	for range batches {
		if p.batch(false, true) {
			sent++
		}
	}
	return sent
}

func TestRaised(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		require.Equal(t, many, p.long(many))
		require.False(t, p.large, "little is not worth it")
		p.batch(false, false)
		require.False(t, p.large, "there is nothing to send")
		p.long(10)
		require.True(t, p.large)
		require.Equal(t, 1, p.sets)
		require.Zero(t, p.pings)
	})
}

// TestSlow: a connection that takes little at a time stays as it is, and so it becomes if it takes less.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		for range 100 {
			p.long(many - 1)
			time.Sleep(LookTime + 1)
		}
		require.False(t, p.large)
		p.long(2 * many)
		require.True(t, p.large)
		require.True(t, p.Look(), "there was no time yet")
		p.long(many)
		require.True(t, p.Look())
		p.long(many - 1)
		require.True(t, p.large)
		require.True(t, p.Look())
		p.batch(false, false)
		require.False(t, p.large)
		require.False(t, p.Look())
	})
}

// TestSmall: a small message has the pipe made as it was, at once if little is in it.
func TestSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		p.batch(true, true)
		p.long(10 * many)
		require.False(t, p.large, "one was sent just now")
		time.Sleep(quietTime)
		p.long(2 * many)
		require.True(t, p.large)
		require.True(t, p.batch(true, true))
		require.False(t, p.large)
		require.Zero(t, p.pings)
	})
}

// TestSmallFirst: a small message that comes before the capacity is raised keeps it as it is.
func TestSmallFirst(t *testing.T) {
	p := newPipe()
	p.long(many)
	p.batch(true, true)
	require.Zero(t, p.sets)
}

// TestEmptied: what is in the pipe is read first.
func TestEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		p.long(2 * many)
		p.full = true
		require.False(t, p.batch(true, true))
		require.Equal(t, 1, p.pings)
		require.Zero(t, p.long(10))
		require.False(t, p.batch(true, true))
		require.Equal(t, 1, p.pings, "one is enough")
		require.False(t, p.Answered(0), "an earlier one")
		p.full = false
		require.True(t, p.Answered(2), "the other side need not answer each")
		require.Equal(t, 1, p.long(1))
		require.False(t, p.large)
		require.False(t, p.Answered(3))
		p.long(2 * many)
		require.False(t, p.large, "a small one was there just now")
	})
}

// TestUnanswered: a ping that is not answered holds up what is long for two Looks.
func TestUnanswered(t *testing.T) {
	p := newPipe()
	p.long(2 * many)
	p.full = true
	p.batch(true, true)
	require.True(t, p.Look())
	require.Zero(t, p.long(1))
	require.True(t, p.Look())
	p.full = false
	require.Equal(t, 1, p.long(1))
	require.False(t, p.large)
}

// TestStuck: a pipe that cannot be made as it was, because small messages keep it full or because it is
// read slowly, has what is long all the same: a piece for each batch with something small, and for each
// Look.
func TestStuck(t *testing.T) {
	for _, answered := range []bool{false, true} {
		p := newPipe()
		p.long(2 * many)
		p.full = true
		p.batch(true, true)
		if answered {
			p.Answered(1)
		} else {
			p.Look()
			p.Look()
		}
		for range 10 {
			require.True(t, p.batch(true, true))
		}
		require.Zero(t, p.long(10))
		for range 10 {
			require.True(t, p.Look())
			require.Equal(t, 1, p.long(10))
		}
		require.Equal(t, 1, p.pings)
		p.full = false
		p.Look()
		require.Equal(t, 10, p.long(10))
		require.False(t, p.large)
		require.False(t, p.Look())
	}
}

// TestRefused: what the system refuses is asked for no more than once in quietTime.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		p.full = true
		p.long(100)
		require.Equal(t, 1, p.sets)
		time.Sleep(quietTime)
		p.long(100)
		require.Equal(t, 2, p.sets)
	})
}

func TestFixed(t *testing.T) {
	p := &pipe{Control: New(nil)}
	require.Equal(t, 100, p.long(100))
}
