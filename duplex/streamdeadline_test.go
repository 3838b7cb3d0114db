package duplex

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var longAgo = time.Unix(1, 0)

// waits are the operations that wait for the other side, and what sets their deadline.
var waits = []struct {
	op    string
	set   func(*Stream, time.Time) error
	other func(*Stream, time.Time) error // of the other operation
	start func(*Stream) <-chan result
}{
	{"read", (*Stream).SetReadDeadline, (*Stream).SetWriteDeadline, func(s *Stream) <-chan result { return reading(s, 10) }},
	{"write", (*Stream).SetWriteDeadline, (*Stream).SetReadDeadline, func(s *Stream) <-chan result { return writing(s, firstWindow+1) }},
	{"read", (*Stream).SetDeadline, nil, func(s *Stream) <-chan result { return reading(s, 10) }},
	{"write", (*Stream).SetDeadline, nil, func(s *Stream) <-chan result { return writing(s, firstWindow+1) }},
}

func eachWait(t *testing.T, f func(t *testing.T, i int, x, y *Stream)) {
	for i, w := range waits {
		t.Run(w.op, func(t *testing.T) {
			bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
				f(t, i, x, y)
				closeStreams(t, a, b, x, y)
			})
		})
	}
}

// passes checks that call ends with a deadline after d.
func passes(t *testing.T, op string, call <-chan result, d time.Duration) {
	t.Helper()
	begin := time.Now()
	r := <-call
	require.Equal(t, d, time.Since(begin))
	requireTimeout(t, r.err, op)
}

// TestStreamDeadline: set before, set and moved both ways while a call waits, and used again.
func TestStreamDeadline(t *testing.T) {
	eachWait(t, func(t *testing.T, i int, x, y *Stream) {
		w := waits[i]
		in := func(d time.Duration) { require.NoError(t, w.set(x, time.Now().Add(d))) }
		in(time.Second)
		call := w.start(x)
		passes(t, w.op, call, time.Second)
		passes(t, w.op, w.start(x), 0) // it stays passed

		in(time.Second) // moved to later once it has passed
		passes(t, w.op, w.start(x), time.Second)

		require.NoError(t, w.set(x, time.Time{}))
		call = w.start(x)
		requireBlocked(t, call)
		in(time.Second) // set while the call waits
		passes(t, w.op, call, time.Second)

		in(time.Second)
		call = w.start(x)
		requireBlocked(t, call)
		in(3 * time.Second) // moved to later
		passes(t, w.op, call, 3*time.Second)

		in(3 * time.Second)
		call = w.start(x)
		requireBlocked(t, call)
		in(time.Second) // moved to earlier
		passes(t, w.op, call, time.Second)
		time.Sleep(2500 * time.Millisecond)
		in(time.Second)
		call = w.start(x)
		passes(t, w.op, call, time.Second) // not when the one that was moved would have passed

		in(time.Second)
		call = w.start(x)
		requireBlocked(t, call)
		require.NoError(t, w.set(x, longAgo))
		passes(t, w.op, call, 0)

		in(time.Second)
		call = w.start(x)
		requireBlocked(t, call)
		require.NoError(t, w.set(x, time.Time{})) // cleared
		time.Sleep(time.Hour)
		requireBlocked(t, call)
		require.NoError(t, w.set(x, time.Now()))
		passes(t, w.op, call, 0)
	})
}

// TestStreamDeadlineOfTheOther: the deadline of Read is not that of Write.
func TestStreamDeadlineOfTheOther(t *testing.T) {
	for i := range waits[:2] {
		bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
			w := waits[i]
			call := w.start(x)
			require.NoError(t, w.other(x, longAgo))
			requireBlocked(t, call)
			require.NoError(t, w.other(x, time.Now().Add(time.Second)))
			time.Sleep(time.Minute)
			requireBlocked(t, call)
			closeStreams(t, a, b, y, x)
		})
	}
}

// TestStreamDeadlineOfMany: each call that waits ends, those that wait for their turn too.
func TestStreamDeadlineOfMany(t *testing.T) {
	eachWait(t, func(t *testing.T, i int, x, y *Stream) {
		var calls []<-chan result
		for range 5 {
			calls = append(calls, waits[i].start(x))
		}
		requireBlocked(t, calls...)
		require.NoError(t, waits[i].set(x, time.Now().Add(time.Second)))
		for j, call := range calls {
			r := <-call
			requireTimeout(t, r.err, waits[i].op)
			if j > 0 && waits[i].op == "read" {
				require.Zero(t, r.n)
			}
		}
		require.NoError(t, waits[i].set(x, time.Time{}))
		requireBlocked(t, waits[i].start(x))
	})
}

// TestStreamDeadlinePassed: a deadline that has passed comes before data, and costs none.
func TestStreamDeadlinePassed(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		_, err := y.Write([]byte("data"))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, x.SetDeadline(longAgo))
		for _, n := range []int{0, 2} {
			r := requireNow(t, reading(x, n))
			require.Zero(t, r.n)
			requireTimeout(t, r.err, "read")
			r = requireNow(t, writing(x, n))
			require.Zero(t, r.n)
			requireTimeout(t, r.err, "write")
		}
		require.NoError(t, x.SetDeadline(time.Time{}))
		_, err = x.Write([]byte("more"))
		require.NoError(t, err)
		require.NoError(t, x.CloseWrite())
		require.NoError(t, y.CloseWrite())
		for s, want := range map[*Stream]string{x: "data", y: "more"} {
			got, err := io.ReadAll(s)
			require.NoError(t, err)
			require.Equal(t, want, string(got))
		}
	})
}

// TestStreamDeadlineAndClose: after Close and Reset the error is that of these, whatever the
// deadline; no deadline is set any more and no timer is left.
func TestStreamDeadlineAndClose(t *testing.T) {
	for _, end := range []func(*Stream) error{(*Stream).Close, (*Stream).Reset} {
		bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
			require.NoError(t, x.SetDeadline(time.Now().Add(time.Hour)))
			require.NoError(t, y.SetDeadline(longAgo))
			for _, s := range []*Stream{x, y} {
				require.NoError(t, end(s))
				for range 50 { // a choice at random would show
					for _, n := range []int{0, 10} {
						r := requireNow(t, reading(s, n))
						requireOpErr(t, r.err, "read", net.ErrClosed)
						r = requireNow(t, writing(s, n))
						requireOpErr(t, r.err, "write", net.ErrClosed)
					}
				}
				for _, w := range waits {
					requireOpErr(t, w.set(s, time.Now().Add(time.Hour)), "set", net.ErrClosed)
				}
				require.Nil(t, s.readBy.timer)
				require.Nil(t, s.writeBy.timer)
			}
		})
	}
}

// TestStreamWriteDeadlineCount: what Write says it has written is what arrives.
func TestStreamWriteDeadlineCount(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		data := body(1, 4<<20)
		var got bytes.Buffer
		sent := 0
		for i := 0; sent < len(data); i++ {
			require.NoError(t, x.SetWriteDeadline(time.Now().Add(time.Millisecond)))
			n, err := x.Write(data[sent:])
			sent += n
			if sent < len(data) {
				requireTimeout(t, err, "write")
			}
			require.Less(t, i, 1000)
			// As much is read as was said to be written, sometimes all of it.
			want := sent - got.Len()
			if i%3 > 0 {
				want /= 2
			}
			_, err = io.CopyN(&got, y, int64(want))
			require.NoError(t, err)
		}
		require.NoError(t, x.Close())
		_, err := got.ReadFrom(y)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got.Bytes()))
	})
}

// TestStreamReadDeadlineLosesNothing: data comes while the deadline passes, at the same moment too.
func TestStreamReadDeadlineLosesNothing(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		const rounds = 500
		go func() {
			for i := range rounds {
				y.Write(body(i, 8+i))
				time.Sleep(time.Millisecond)
			}
			y.CloseWrite()
		}()
		var want, got []byte
		for i := range rounds {
			want = append(want, body(i, 8+i)...)
		}
		buf, late := make([]byte, 200), 0
		for {
			x.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := x.Read(buf)
			got = append(got, buf[:n]...)
			clear(buf) // it is the caller's again
			if err == io.EOF {
				break
			}
			if err != nil {
				require.Zero(t, n)
				requireTimeout(t, err, "read")
				late++
			}
		}
		require.True(t, bytes.Equal(want, got), "%d of %d bytes, %d deadlines", len(got), len(want), late)
	})
}

// TestStreamDeadlineOfOffer: an offer that nobody opens has deadlines, too.
func TestStreamDeadlineOfOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		_, offered := b.Offer()
		for _, w := range waits {
			require.NoError(t, w.set(offered.(*Stream), time.Now().Add(time.Second)))
			passes(t, w.op, w.start(offered.(*Stream)), time.Second)
		}
		closeStreams(t, a, b, offered)
	})
}

// TestDeadlineMovedAsItPasses: whoever moves a deadline just as it passes
// finds it either passed or moved.
func TestDeadlineMovedAsItPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 200 {
			var d deadline
			d.set(time.Now().Add(time.Second))
			first := d.wait()
			time.Sleep(time.Second) // the timer fires meanwhile
			d.set(time.Now().Add(time.Second))
			late := d.wait()
			require.False(t, isClosed(late))
			if isClosed(first) {
				require.True(t, first != late)
			}
			time.Sleep(time.Second + 1)
			require.True(t, isClosed(late))
			synctest.Wait()
		}
	})
}
