package duplex

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// TestOpenAccept: streams are accepted in the order in which they were opened, from both sides at
// once.
func TestOpenAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		for _, d := range [][2]*Conn{{a, b}, {b, a}} {
			var opens []<-chan opened
			for range 10 {
				opens = append(opens, opening(t.Context(), d[0]))
				requireBlocked(t, opens...)
			}
			for i := range opens {
				y, err := d[1].Accept()
				require.NoError(t, err)
				o := requireNow(t, opens[i])
				requireBlocked(t, opens[i+1:]...)
				require.NoError(t, o.err)
				x := o.conn
				require.Equal(t, Addr(fmt.Sprint("opener-", i)), x.LocalAddr())
				require.Equal(t, Addr(fmt.Sprint("acceptor-", i)), x.RemoteAddr())
				require.Equal(t, x.LocalAddr(), y.RemoteAddr())
				require.Equal(t, x.RemoteAddr(), y.LocalAddr())
				require.Equal(t, "viaduct", y.LocalAddr().Network())
				_, err = x.Write([]byte{byte(i)})
				require.NoError(t, err)
				require.NoError(t, x.Close())
				got, err := io.ReadAll(y)
				require.NoError(t, err)
				require.Equal(t, []byte{byte(i)}, got)
				require.NoError(t, y.Close())
			}
		}
		closeStreams(t, a, b)
	})
}

// TestBacklog: further streams are refused, and there is room again as soon as one was accepted.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{Backlog: 3})
		var opens []<-chan opened
		for range 3 {
			opens = append(opens, opening(t.Context(), a))
			requireBlocked(t, opens...)
		}
		for range 3 {
			o := requireNow(t, opening(t.Context(), a))
			require.Nil(t, o.conn)
			oe := requireOpErr(t, o.err, "open", ErrRefused)
			require.False(t, oe.Timeout())
			require.False(t, oe.Temporary())
			require.ErrorContains(t, o.err, "too many streams wait there to be accepted")
		}
		var streams []net.Conn
		for i := range 5 {
			y, err := b.Accept()
			require.NoError(t, err)
			o := requireNow(t, opens[i])
			require.NoError(t, o.err)
			streams = append(streams, o.conn, y)
			if len(opens) < 5 {
				opens = append(opens, opening(t.Context(), a))
			}
			requireBlocked(t, opens[i+1:]...)
		}
		closeStreams(t, a, b, streams...)
	})
}

// TestOpenDefaultBacklog: what nobody accepts is bounded.
func TestOpenDefaultBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		var waiting []<-chan opened
		refused := 0
		for range 400 {
			o := opening(ctx, a)
			synctest.Wait()
			if len(o) == 0 {
				waiting = append(waiting, o)
				continue
			}
			require.ErrorIs(t, (<-o).err, ErrRefused)
			refused++
		}
		require.Len(t, waiting, 128)
		require.Equal(t, 400-128, refused)
		cancel()
		for _, o := range waiting {
			requireOpErr(t, requireNow(t, o).err, "open", context.Canceled)
		}
		closeStreams(t, a, b)
	})
}

// TestOpenEndsWithContext: whoever gives up is not in the backlog any more, and nothing is left.
func TestOpenEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{Backlog: 2})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		late := opening(ctx, a)
		synctest.Wait()
		stays := opening(t.Context(), a)
		requireBlocked(t, late, stays)
		begin := time.Now()
		o := <-late
		require.Equal(t, time.Second, time.Since(begin))
		require.Nil(t, o.conn)
		oe := requireOpErr(t, o.err, "open", context.DeadlineExceeded)
		require.True(t, oe.Timeout())
		require.NotErrorIs(t, o.err, ErrRefused)

		second := opening(t.Context(), a) // there is room for it
		requireBlocked(t, stays, second)
		for _, call := range []<-chan opened{stays, second} {
			y, err := b.Accept()
			require.NoError(t, err)
			x := requireNow(t, call)
			require.NoError(t, x.err)
			require.Equal(t, x.conn.LocalAddr(), y.RemoteAddr())
			closeAll(t, x.conn, y)
		}
		closeStreams(t, a, b)
		requireOpErr(t, requireNow(t, opening(ctx, a)).err, "open", context.DeadlineExceeded)
	})
	synctest.Test(t, func(t *testing.T) { // before there is anything to give up
		a, b := pair(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			_, err := a.Open(ctx)
			requireOpErr(t, err, "open", context.Canceled)
			_, err = a.OpenOffer(ctx, 7)
			requireOpErr(t, err, "open", context.Canceled)
		}
		require.Zero(t, a.streams.nextID)
		closeStreams(t, a, b)
	})
}

// TestOpenGivesUpAsItIsAccepted: whoever of the two is first, no stream stays, and an end that was
// accepted is reset.
func TestOpenGivesUpAsItIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		taken := 0
		for i := range 200 {
			ctx, cancel := context.WithCancel(t.Context())
			x := opening(ctx, a)
			synctest.Wait()
			y := getting(b.Accept)
			for range i % 8 {
				runtime.Gosched()
			}
			cancel()
			o := <-x
			synctest.Wait()
			if o.err == nil {
				taken++
				closeStreams(t, a, b, o.conn, requireNow(t, y).conn)
				continue
			}
			requireOpErr(t, o.err, "open", context.Canceled)
			if len(y) > 0 {
				n, err := (<-y).conn.Read(make([]byte, 1))
				require.Zero(t, n)
				requireOpErr(t, err, "read", ErrReset)
			} else {
				z := opening(t.Context(), a) // for who waits in Accept
				closeStreams(t, a, b, requireNow(t, z).conn, requireNow(t, y).conn)
			}
			closeStreams(t, a, b)
		}
		t.Logf("%d of 200 were accepted", taken)
	})
}

// TestUnanswered: one side has 256 opens without an answer at most. Further ones wait, each until
// its context ends.
func TestUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{Backlog: 1000})
		ctx, cancel := context.WithCancel(t.Context())
		var opens []<-chan opened
		for range 256 {
			opens = append(opens, opening(ctx, a))
		}
		requireBlocked(t, opens...)
		require.Equal(t, 256, tracesOf(b).waiting)

		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		late, next := opening(short, a), opening(t.Context(), a)
		requireBlocked(t, late, next)
		require.Equal(t, 256, tracesOf(b).waiting)
		requireOpErr(t, (<-late).err, "open", context.DeadlineExceeded)
		requireBlocked(t, next)

		// The other side has as many of its own.
		x := opening(t.Context(), b)
		y, err := a.Accept()
		require.NoError(t, err)
		closeAll(t, requireNow(t, x).conn, y)

		cancel()
		for _, o := range opens {
			requireOpErr(t, requireNow(t, o).err, "open", context.Canceled)
		}
		z, err := b.Accept()
		require.NoError(t, err)
		closeStreams(t, a, b, requireNow(t, next).conn, z)
	})
}

// TestRefusedWithoutReading: refusals that the other side does not read yet are
// bounded, and withdrawn opens count as answered.
func TestRefusedWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b, a := tapped(t, &Options{Backlog: 1}) // what b writes can be stopped
		x := opening(t.Context(), a)
		requireBlocked(t, x)
		s.stopAt(kindReset|byAcceptor, 1)
		for range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			var opens []<-chan opened
			for range 255 {
				opens = append(opens, opening(ctx, a))
			}
			requireBlocked(t, opens...)
			cancel()
			for _, o := range opens {
				requireOpErr(t, requireNow(t, o).err, "open", context.Canceled)
			}
		}
		close(s.resume)
		synctest.Wait()
		y, err := b.Accept()
		require.NoError(t, err)
		closeStreams(t, a, b, requireNow(t, x).conn, y)
	})
}

// TestGivenUpBeforeItWasSent: an open that was given up before it went out costs nothing, on a link
// that is stuck.
func TestGivenUpBeforeItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, b := tapped(t, nil)
		s.stopAt(kindPing, 1)
		ping := doing(func() (int, error) { _, err := a.Ping(t.Context()); return 0, err })
		requireBlocked(t, ping)
		stays := opening(t.Context(), a)
		requireBlocked(t, stays)
		before := tracesOf(a)
		for range 1000 {
			ctx, cancel := context.WithCancel(t.Context())
			o := opening(ctx, a)
			requireBlocked(t, o)
			cancel()
			requireOpErr(t, requireNow(t, o).err, "open", context.Canceled)
		}
		require.Equal(t, before, tracesOf(a))
		s.trace.take()
		close(s.resume)
		y, err := b.Accept()
		require.NoError(t, err)
		require.NoError(t, requireNow(t, ping).err)
		opens := 0
		for _, h := range s.trace.take() {
			require.NotEqual(t, kindReset, h.kind)
			if h.kind == kindOpen {
				opens++
			}
		}
		require.Equal(t, 1, opens)
		closeStreams(t, a, b, requireNow(t, stays).conn, y)
	})
}

// TestNoStreams: a peer that knows no streams gets no frame of one.
func TestNoStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{frames: handles.Frames{NoStreams: true}})
		p.out()
		for _, open := range []func() (net.Conn, error){
			func() (net.Conn, error) { return p.Open(t.Context()) },
			func() (net.Conn, error) { return p.OpenOffer(t.Context(), 1) },
		} {
			o := requireNow(t, getting(open))
			require.Nil(t, o.conn)
			requireOpErr(t, o.err, "open", ErrNoStreams)
		}
		require.Empty(t, p.out())
		requireNoStreams(t, p.Conn)
	})
}

// TestIDsGoOn: ids go past the largest number, and pass over those in use.
func TestIDsGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		const last = ^uint32(0)
		first, firstB := streamPair(t, a, b) // id 0
		for _, c := range []uint32{1 << 30, 1 << 31, 3 << 30, last - 1} {
			a.streams.mu.Lock()
			a.streams.nextID = uint64(c)
			a.streams.mu.Unlock()
			x, y := streamPair(t, a, b)
			closeAll(t, x, y)
		}
		for _, want := range []uint32{last, 1, 2} {
			x, y := streamPair(t, a, b)
			require.Equal(t, want, x.key.id)
			closeAll(t, x, y)
		}
		closeStreams(t, a, b, first, firstB)
	})
}

// TestOpenAfterTheEnd: the error is why the link has ended, each time.
func TestOpenAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		require.NoError(t, a.Close())
		b.Wait()
		for range 50 { // a choice at random would show
			_, err := a.Open(t.Context())
			requireOpErr(t, err, "open", ErrClosed)
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = b.Open(t.Context())
			requireOpErr(t, err, "open", ErrPeerClosed)
			_, err = b.OpenOffer(t.Context(), 1)
			requireOpErr(t, err, "open", ErrPeerClosed)
			_, err = b.Accept()
			requireOpErr(t, err, "accept", ErrPeerClosed)
			_, err = a.Accept()
			requireOpErr(t, err, "accept", net.ErrClosed)
			require.True(t, errors.Is(err, ErrClosed))
		}
		requireNoStreams(t, a, b)
	})
}
