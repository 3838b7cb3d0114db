package duplex

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// end is what a test knows of one end of a stream.
type end struct {
	s       *Stream
	closed  bool  // Close or Reset has been called here
	ended   bool  // its half is over
	failed  error // why nothing can be written, the first reason
	readErr error // what Read returns behind the data that has come, nil if it waits
	dropped bool  // what has come is dropped
}

// twoEnds says what holds of the two ends after an operation.
type twoEnds [2]*end

func (e twoEnds) do(t *testing.T, who int, op string) {
	t.Helper()
	me, other := e[who], e[1-who]
	over := me.ended && other.ended // forgotten: nothing that is done reaches the other side
	switch op {
	case "CloseWrite":
		err := me.s.CloseWrite()
		if me.closed {
			requireOpErr(t, err, "close", net.ErrClosed)
			return
		}
		require.NoError(t, err)
		me.end(other, net.ErrClosed)
	case "Close":
		require.NoError(t, me.s.Close())
		if me.closed {
			return
		}
		me.closed, me.dropped, me.readErr = true, true, net.ErrClosed
		me.end(other, net.ErrClosed)
		other.end(me, ErrStopped)
	case "Reset":
		require.NoError(t, me.s.Reset())
		if me.closed {
			return
		}
		me.closed, me.dropped, me.readErr = true, true, net.ErrClosed
		if over {
			return
		}
		me.ended, other.ended = true, true
		me.failed = first(me.failed, net.ErrClosed)
		other.failed = first(other.failed, ErrReset)
		if !other.closed {
			other.dropped, other.readErr = true, ErrReset
		}
	}
}

// end ends the half that this end sends.
func (me *end) end(other *end, reason error) {
	if me.ended {
		return
	}
	me.ended, me.failed = true, reason
	if other.readErr == nil {
		other.readErr = io.EOF
	}
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// check reads and writes at one end.
func (me *end) check(t *testing.T, data string) {
	t.Helper()
	write := requireNow(t, doing(func() (int, error) { return me.s.Write(nil) }))
	switch {
	case me.closed:
		requireOpErr(t, write.err, "write", net.ErrClosed)
	case me.failed != nil:
		requireOpErr(t, write.err, "write", me.failed)
	default:
		require.NoError(t, write.err)
	}
	if !me.dropped {
		got := make([]byte, len(data))
		n, err := io.ReadFull(me.s, got)
		require.NoError(t, err, "after %d bytes", n)
		require.Equal(t, data, string(got))
	}
	read := reading(me.s, 10)
	if me.readErr == nil {
		requireBlocked(t, read)
		me.s.Close()
		r := requireNow(t, read)
		require.Zero(t, r.n)
		requireOpErr(t, r.err, "read", net.ErrClosed)
		return
	}
	r := requireNow(t, read)
	require.Zero(t, r.n)
	if me.readErr == io.EOF {
		require.Equal(t, io.EOF, r.err)
	} else {
		requireOpErr(t, r.err, "read", me.readErr)
	}
}

// sequences returns all sequences of up to n operations of two ends, as pairs of digits.
func sequences(n int) (all [][]int) {
	all = [][]int{nil}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, seq := range all[from:to] {
			for op := range 6 {
				all = append(all, append(seq[:len(seq):len(seq)], op))
			}
		}
		from = to
	}
	return all
}

var endOps = []string{"CloseWrite", "Close", "Reset"}

func sequenceName(seq []int) string {
	var names []string
	for _, op := range seq {
		names = append(names, fmt.Sprintf("%c.%s", 'x'+rune(op%2), endOps[op/2]))
	}
	return strings.Join(names, " ")
}

// logged has what is said of a failed test begin with a line of its own.
func logged(t *testing.T, f func(), format string, args ...any) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf(format, args...)
		}
	}()
	f()
}

// TestStreamEnds: each order of what ends a stream, or a half of it, each step
// known on the other side before the next.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		for _, seq := range sequences(4) {
			x, y := streamPair(t, a, b)
			logged(t, func() { endInOrder(t, seq, twoEnds{{s: x}, {s: y}}) }, "sequence: %s", sequenceName(seq))
			closeStreams(t, a, b, x, y)
		}
	})
}

func endInOrder(t *testing.T, seq []int, ends twoEnds) {
	for i, e := range ends {
		_, err := e.s.Write([]byte{"xy"[i], '!'})
		require.NoError(t, err)
	}
	synctest.Wait()
	for _, op := range seq {
		ends.do(t, op%2, endOps[op/2])
		synctest.Wait()
	}
	ends[0].check(t, "y!")
	if !ends[0].closed && ends[0].readErr == nil { // check has closed it
		ends[0].closed = true
		ends[0].end(ends[1], net.ErrClosed)
		ends[1].end(ends[0], ErrStopped)
	}
	ends[1].check(t, "x!")
}

// TestStreamEndsCross: the same where neither side waits for the other.
func TestStreamEndsCross(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		for _, seq := range sequences(3) {
			x, y := streamPair(t, a, b)
			logged(t, func() { endAtOnce(t, seq, [2]*Stream{x, y}) }, "sequence: %s", sequenceName(seq))
			closeStreams(t, a, b, x, y)
		}
	})
}

func endAtOnce(t *testing.T, seq []int, streams [2]*Stream) {
	var reads, writes []<-chan result
	for _, s := range streams {
		reads = append(reads, reading(s, 10))
		writes = append(writes, writing(s, 100<<10)) // more than the window
	}
	synctest.Wait()
	for _, op := range seq {
		s := streams[op%2]
		go map[string]func() error{"CloseWrite": s.CloseWrite, "Close": s.Close, "Reset": s.Reset}[endOps[op/2]]()
	}
	for _, s := range streams {
		go s.Close()
	}
	for _, c := range append(reads, writes...) {
		requireNow(t, c)
	}
}
