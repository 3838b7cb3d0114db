package duplex

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// breaking is a connection that can break: Read fails with err then, and Write too.
type breaking struct {
	net.Conn
	err    error
	broken chan struct{}
}

func (c *breaking) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if isClosed(c.broken) {
		return 0, c.err
	}
	return n, err
}

func (c *breaking) Write(p []byte) (int, error) {
	if isClosed(c.broken) {
		return 0, c.err
	}
	return c.Conn.Write(p)
}

func (c *breaking) shut() {
	close(c.broken)
	c.Conn.SetReadDeadline(longAgo)
}

var errBroken = errors.New("broken")

// losses are the ways to lose a link, and what side a is told then.
var losses = []struct {
	name string
	lose func(a, b *Conn, under *breaking)
	want []error
}{
	{"closed here", func(a, b *Conn, _ *breaking) { a.Close() }, []error{net.ErrClosed, ErrClosed}},
	{"closed there", func(a, b *Conn, _ *breaking) { b.Close() }, []error{ErrPeerClosed}},
	{"broken", func(a, b *Conn, under *breaking) { under.shut() }, []error{errBroken}},
	{"failed", func(a, b *Conn, _ *breaking) { a.ClientLane().Fail(errBroken) }, []error{errBroken}},
	{"timed out", func(a, b *Conn, under *breaking) { under.err = os.ErrDeadlineExceeded; under.shut() }, nil},
	{"gone", func(a, b *Conn, under *breaking) { under.err = io.EOF; under.shut() }, []error{io.ErrUnexpectedEOF}}, // without a bye
}

func eachLoss(t *testing.T, f func(t *testing.T, a, b *Conn, lose func(), want []error)) {
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := net.Pipe()
				under := &breaking{Conn: x, err: errBroken, broken: make(chan struct{})}
				a, b := pairOver(t, under, y, &Options{Backlog: 1000})
				synctest.Wait()
				f(t, a, b, func() {
					loss.lose(a, b, under)
					synctest.Wait()
				}, loss.want)
			})
		})
	}
}

func requireLost(t testing.TB, err error, op string, want []error) {
	t.Helper()
	require.Error(t, err)
	oe := requireOpErr(t, err, op, errors.Unwrap(err))
	require.False(t, oe.Timeout())
	require.False(t, oe.Temporary())
	require.NotErrorIs(t, err, io.EOF, "a stream that was cut off looks like one that has ended")
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotErrorIs(t, err, errEnded)
	for _, w := range want {
		require.ErrorIs(t, err, w)
	}
}

// TestLoss: all that waits ends at once, with the reason, and so does what comes later. What has
// come is still read.
func TestLoss(t *testing.T) {
	eachLoss(t, func(t *testing.T, a, b *Conn, lose func(), want []error) {
		x, y := streamPair(t, a, b)   // empty
		x2, y2 := streamPair(t, b, a) // has data
		x3, y3 := streamPair(t, a, b) // has data and an end
		_, _, _ = y, y2, x3
		_, err := x2.Write(body(1, 50_000))
		require.NoError(t, err)
		_, err = y3.Write(body(2, 50_000))
		require.NoError(t, err)
		require.NoError(t, y3.CloseWrite())
		_, offer := a.Offer()

		reads := []<-chan result{reading(x, 10), reading(x, 10), reading(offer, 10)}
		writes := []<-chan result{writing(x, 100_000), writing(y2, 100_000), writing(x3, 100_000), writing(offer, 10)}
		synctest.Wait()
		writes = append(writes, writing(x, 10)) // behind the first
		opens := []<-chan opened{}
		for range 260 { // some have no slot yet
			opens = append(opens, opening(t.Context(), a))
		}
		synctest.Wait()
		accepts := []<-chan opened{getting(a.Accept), getting(a.Accept), getting(a.Listener().Accept)}
		requireBlocked(t, reads...)
		requireBlocked(t, writes...)
		requireBlocked(t, opens...)
		requireBlocked(t, accepts...)

		begin := time.Now()
		lose()
		for _, c := range reads {
			r := requireNow(t, c)
			require.Zero(t, r.n)
			requireLost(t, r.err, "read", want)
		}
		for i, c := range writes {
			r := requireNow(t, c)
			require.Equal(t, []int{firstWindow, firstWindow, firstWindow, 0, 0}[i], r.n)
			requireLost(t, r.err, "write", want)
		}
		for _, c := range opens {
			requireLost(t, requireNow(t, c).err, "open", want)
		}
		for _, c := range accepts {
			requireLost(t, requireNow(t, c).err, "accept", want)
		}
		require.Less(t, time.Since(begin), 100*time.Millisecond)

		for _, s := range []*Stream{y2, x3} {
			buf := make([]byte, 50_000)
			_, err := io.ReadFull(s, buf)
			require.NoError(t, err)
			checkBody(t, buf)
		}
		for range 20 { // a choice at random would show
			requireLost(t, requireNow(t, reading(y2, 10)).err, "read", want)
			require.Equal(t, result{0, io.EOF}, requireNow(t, reading(x3, 10)))
			for _, s := range []net.Conn{x, y2, x3, offer} {
				requireLost(t, requireNow(t, writing(s, 10)).err, "write", want)
				requireLost(t, requireNow(t, writing(s, 0)).err, "write", want)
			}
			requireLost(t, requireNow(t, opening(t.Context(), a)).err, "open", want)
			requireLost(t, requireNow(t, openingOffer(t.Context(), a, 1)).err, "open", want)
			requireLost(t, requireNow(t, getting(a.Accept)).err, "accept", want)
			requireLost(t, requireNow(t, getting(a.Listener().Accept)).err, "accept", want)
		}
		for _, s := range []*Stream{x, y2, x3, offer.(*Stream)} {
			err := s.CloseWrite()
			if s == offer {
				require.NoError(t, err, "nobody has opened it, nor waits for its end")
			} else {
				requireLost(t, err, "close", want)
			}
			require.NoError(t, s.SetDeadline(longAgo))
			requireTimeout(t, requireNow(t, reading(s, 10)).err, "read")
			require.Equal(t, err == nil, s.Close() == nil)
			requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", net.ErrClosed)
		}
		a.Wait()
		require.Zero(t, tracesOf(a).table+tracesOf(a).offers+tracesOf(a).waiting+tracesOf(a).opening)
	})
}

// TestLossWhileClosing: nothing that a closing link does has a stream's error be another.
func TestLossWhileClosing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, raw := net.Pipe() // nobody reads there: Close has to wait
		a := New(x, nil)
		defer a.Wait()
		_, offer := a.Offer()
		closed := doing(func() (int, error) { return 0, a.Close() })
		requireBlocked(t, closed)
		for _, r := range []<-chan result{writing(offer, 10), writing(offer, 0)} {
			requireOpErr(t, requireNow(t, r).err, "write", net.ErrClosed)
		}
		o := requireNow(t, opening(t.Context(), a))
		requireOpErr(t, o.err, "open", net.ErrClosed)
		requireOpErr(t, o.err, "open", ErrClosed)
		require.NoError(t, (<-closed).err)
		raw.Close()
	})
}

// TestLossBehindTheAnswer: an open that was accepted before the link's end succeeds, and
// what has come on it is read, as with replies.
func TestLossBehindTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 20 {
			p := newRawPeer(t, nil)
			o := opening(t.Context(), p.Conn)
			p.out()
			_, err := p.raw.Write(wire(
				"41 00 04 00 00 00 00 00 00 00 01 00",
				"43 00 05 00 00 00 00 00 68 65 6c 6c 6f",
				"47 00 00 00 00 00 00 00",
				"32 00 00 00 00 00 00 00",
			))
			require.NoError(t, err)
			p.raw.Close()
			r := requireNow(t, o)
			require.NoError(t, r.err, "round %d", i)
			got, err := io.ReadAll(r.conn)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
			p.Wait()
		}
	})
}

// TestCloseFlushes: what Write and Close of a stream have accepted arrives before the bye of
// Conn.Close.
func TestCloseFlushes(t *testing.T) {
	for _, n := range []int{1, smallWrite, 40_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			overPipes(t, nil, func(t *testing.T, a, b *Conn) {
				x, y := streamPair(t, a, b)
				_, err := x.Write(body(1, n))
				require.NoError(t, err)
				require.NoError(t, x.Close())
				require.NoError(t, a.Close())
				got, err := io.ReadAll(y)
				require.NoError(t, err)
				require.Equal(t, body(1, n), got)
				require.ErrorIs(t, b.Wait(), ErrPeerClosed)
			})
		})
	}
}
