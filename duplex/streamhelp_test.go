package duplex

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// result is what Read or Write has returned.
type result struct {
	n   int
	err error
}

// doing runs f in a goroutine and returns where its result comes.
func doing(f func() (int, error)) <-chan result {
	c := make(chan result, 1)
	go func() {
		n, err := f()
		c <- result{n, err}
	}()
	return c
}

// reading reads up to n bytes in a goroutine.
func reading(s io.Reader, n int) <-chan result {
	return doing(func() (int, error) { return s.Read(make([]byte, n)) })
}

// writing writes n bytes in a goroutine.
func writing(s io.Writer, n int) <-chan result {
	return doing(func() (int, error) { return s.Write(body(n, n)) })
}

// opened is what Open or Accept has returned.
type opened struct {
	conn net.Conn
	err  error
}

func opening(ctx context.Context, c *Conn) <-chan opened {
	return getting(func() (net.Conn, error) { return c.Open(ctx) })
}

func getting(f func() (net.Conn, error)) <-chan opened {
	ch := make(chan opened, 1)
	go func() {
		conn, err := f()
		ch <- opened{conn, err}
	}()
	return ch
}

// requireBlocked checks that none of the calls has returned once all goroutines of the bubble wait.
func requireBlocked[T any](t testing.TB, calls ...<-chan T) {
	t.Helper()
	synctest.Wait()
	for i, c := range calls {
		require.Empty(t, c, "call %d has returned", i)
	}
}

// requireNow returns what a call has returned, which must be there once all goroutines of the
// bubble wait.
func requireNow[T any](t testing.TB, call <-chan T) T {
	t.Helper()
	synctest.Wait()
	select {
	case r := <-call:
		return r
	default:
		require.FailNow(t, "the call has not returned")
		panic("not reached")
	}
}

// requireOpErr checks that err is of package net's kind, of the operation op, and wraps want.
func requireOpErr(t testing.TB, err error, op string, want error) *net.OpError {
	t.Helper()
	require.ErrorIs(t, err, want)
	oe, ok := err.(*net.OpError)
	require.True(t, ok, "%T: %v", err, err)
	require.Equal(t, op, oe.Op)
	require.Equal(t, "viaduct", oe.Net)
	require.NotEqual(t, io.EOF, err)
	return oe
}

// requireTimeout checks that err says that a deadline has passed, in all the ways people ask.
func requireTimeout(t testing.TB, err error, op string) {
	t.Helper()
	oe := requireOpErr(t, err, op, os.ErrDeadlineExceeded)
	require.True(t, oe.Timeout())
}

// traces is how many streams a Conn still knows, by where.
type traces struct {
	table, waiting, offers, counted, opening, owing, ends, answers, refusals, ready int
}

func tracesOf(c *Conn) traces {
	ss, w := &c.streams, &c.writer
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	return traces{
		len(ss.table), len(ss.waiting), len(ss.offers), int(c.work.streams.Load()), len(ss.unanswered),
		len(w.owed.streams), len(w.owed.ends), len(w.owed.answers), len(w.owed.refusals), len(w.queues.turns),
	}
}

// requireNoStreams checks that no trace of a stream is left. All goroutines of the bubble wait.
func requireNoStreams(t testing.TB, conns ...*Conn) {
	t.Helper()
	for i, c := range conns {
		require.Equal(t, traces{}, tracesOf(c), "what side %d has left", i)
	}
}

// closeAll closes streams. Where the machine is busy the end may have to wait, and goes on by itself.
func closeAll(t testing.TB, streams ...net.Conn) {
	t.Helper()
	for _, s := range streams {
		if err := s.Close(); !errors.Is(err, errEndWaits) {
			require.NoError(t, err)
		}
	}
}

// closeStreams closes both ends and checks that nothing is left and the link is up.
func closeStreams(t testing.TB, a, b *Conn, streams ...net.Conn) {
	t.Helper()
	closeAll(t, streams...)
	synctest.Wait()
	require.NoError(t, a.Err())
	require.NoError(t, b.Err())
	requireNoStreams(t, a, b)
}

// bothEnds runs f with the opener's end first and with the acceptor's end first.
func bothEnds(t *testing.T, opts *Options, f func(t *testing.T, a, b *Conn, x, y *Stream)) {
	for _, swapped := range []bool{false, true} {
		name := "opener"
		if swapped {
			name = "acceptor"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, opts)
				x, y := streamPair(t, a, b)
				synctest.Wait()
				if swapped {
					a, b, x, y = b, a, y, x
				}
				f(t, a, b, x, y)
			})
		})
	}
}

// requireClosed closes s, of a link with a busy writer: Close may give up waiting for that, and its
// end is written later.
func requireClosed(t *testing.T, s io.Closer) {
	t.Helper()
	if err := s.Close(); err != nil {
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
}
