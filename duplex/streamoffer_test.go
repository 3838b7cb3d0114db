package duplex

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

func openingOffer(ctx context.Context, c *Conn, name uint32) <-chan opened {
	return getting(func() (net.Conn, error) { return c.OpenOffer(ctx, name) })
}

// TestOffer: what is written before it is opened arrives, both ways, and nobody has to accept.
func TestOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, &Options{Backlog: 1})
		waiting := opening(t.Context(), a) // the backlog is full
		requireBlocked(t, waiting)
		name, y := b.Offer()
		require.NotZero(t, name)
		require.Equal(t, Addr(fmt.Sprint("offer-", name)), y.LocalAddr())
		require.Equal(t, y.LocalAddr(), y.RemoteAddr())
		write, read := writing(y, 1000), reading(y, 10)
		requireBlocked(t, write, read)

		o := requireNow(t, openingOffer(t.Context(), a, name))
		require.NoError(t, o.err)
		x := o.conn
		require.Equal(t, result{1000, nil}, requireNow(t, write))
		requireBlocked(t, read)
		require.Equal(t, x.LocalAddr(), y.RemoteAddr())
		require.Equal(t, x.RemoteAddr(), y.LocalAddr())
		require.Equal(t, Addr("opener-1"), x.LocalAddr())
		_, err := x.Write([]byte("12345"))
		require.NoError(t, err)
		require.Equal(t, result{5, nil}, requireNow(t, read))
		require.NoError(t, y.Close())
		got, err := io.ReadAll(x)
		require.NoError(t, err)
		require.Equal(t, 1000, checkBody(t, got))
		require.Equal(t, 1, tracesOf(b).waiting)
		require.NoError(t, x.Close())

		z, err := b.Accept()
		require.NoError(t, err)
		require.Equal(t, Addr("opener-0"), z.RemoteAddr())
		closeStreams(t, a, b, requireNow(t, waiting).conn, z)
	})
}

// TestOfferOnce: an offer is there for one open, and not once it is closed.
func TestOfferOnce(t *testing.T) {
	const gone = "what it offered is not there any more"
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		requireRefused(t, requireNow(t, openingOffer(t.Context(), a, 0)), gone)
		requireRefused(t, requireNow(t, openingOffer(t.Context(), a, 1)), gone)
		name, y := b.Offer()
		requireRefused(t, requireNow(t, openingOffer(t.Context(), b, name)), gone) // it is not a's
		x := requireNow(t, openingOffer(t.Context(), a, name))
		require.NoError(t, x.err)
		requireRefused(t, requireNow(t, openingOffer(t.Context(), a, name)), gone)
		_, err := x.conn.Write([]byte("still"))
		require.NoError(t, err)
		require.Equal(t, result{5, nil}, requireNow(t, reading(y, 10)))
		closeStreams(t, a, b, x.conn, y)
		requireRefused(t, requireNow(t, openingOffer(t.Context(), a, name)), gone)
	})
	for _, end := range []func(*Stream) error{(*Stream).Close, (*Stream).Reset} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, nil)
			names := map[uint32]bool{}
			for range 3 {
				name, y := b.Offer()
				require.False(t, names[name])
				names[name] = true
				read, write := reading(y, 10), writing(y, 10)
				requireBlocked(t, read, write)
				require.NoError(t, end(y.(*Stream)))
				requireOpErr(t, requireNow(t, read).err, "read", net.ErrClosed)
				requireOpErr(t, requireNow(t, write).err, "write", net.ErrClosed)
				requireOpErr(t, requireNow(t, writing(y, 10)).err, "write", net.ErrClosed)
				requireNoStreams(t, a, b)
				requireRefused(t, requireNow(t, openingOffer(t.Context(), a, name)), gone)
			}
			closeStreams(t, a, b)
		})
	}
}

// TestOfferBeforeOpen: what the offerer has done to its half is known to who opens it.
func TestOfferBeforeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		name, y := b.Offer()
		require.NoError(t, y.(*Stream).CloseWrite())
		requireOpErr(t, requireNow(t, writing(y, 10)).err, "write", net.ErrClosed)
		x := requireNow(t, openingOffer(t.Context(), a, name))
		require.NoError(t, x.err)
		require.Equal(t, result{0, io.EOF}, requireNow(t, reading(x.conn, 10)))
		_, err := x.conn.Write([]byte("data"))
		require.NoError(t, err)
		require.NoError(t, x.conn.(*Stream).CloseWrite())
		got, err := io.ReadAll(y)
		require.NoError(t, err)
		require.Equal(t, "data", string(got))
		synctest.Wait()
		requireNoStreams(t, a, b) // both halves have ended
		closeStreams(t, a, b, x.conn, y)
	})
}

// TestOffersAcceptedFirst: the other side knows that an offer is taken before it
// gets what was written, or the end, whoever is faster.
func TestOffersAcceptedFirst(t *testing.T) {
	for _, prepare := range []func(y *Stream){
		func(y *Stream) { y.Write(body(1, 100)) },
		func(y *Stream) { y.Write(body(1, 10_000)) },
		func(y *Stream) { y.CloseWrite() },
		func(y *Stream) { y.Close() },
		func(y *Stream) { y.Reset() },
	} {
		for _, before := range []bool{true, false} {
			t.Run("", func(t *testing.T) {
				overPipes(t, nil, func(t *testing.T, a, b *Conn) {
					go func() { // keeps b's writer busy
						for a.Err() == nil {
							b.Ping(t.Context())
							a.Ping(t.Context())
						}
					}()
					for range 300 {
						name, y := b.Offer()
						var prepared sync.WaitGroup
						prepared.Go(func() { prepare(y.(*Stream)) })
						if before {
							runtime.Gosched()
						}
						x, err := a.OpenOffer(t.Context(), name)
						require.NoError(t, a.Err())
						if err != nil {
							require.ErrorIs(t, err, ErrRefused)
						} else {
							requireClosed(t, x)
						}
						prepared.Wait()
						requireClosed(t, y)
					}
				})
			})
		}
	}
}

// TestOfferAfterTheEnd: a link that has ended offers what fails.
func TestOfferAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		name, y := b.Offer()
		require.NotZero(t, name)
		require.NoError(t, a.Close())
		b.Wait()
		_, z := b.Offer()
		for _, s := range []net.Conn{y, z} {
			for range 20 {
				requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", ErrPeerClosed)
				requireOpErr(t, requireNow(t, writing(s, 10)).err, "write", ErrPeerClosed)
			}
			require.NoError(t, s.Close())
			requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", net.ErrClosed)
			requireOpErr(t, requireNow(t, writing(s, 10)).err, "write", net.ErrClosed)
		}
		_, w := a.Offer()
		requireOpErr(t, requireNow(t, reading(w, 10)).err, "read", net.ErrClosed)
		requireOpErr(t, requireNow(t, writing(w, 10)).err, "write", ErrClosed)
		requireNoStreams(t, a, b)
	})
}

// TestOfferWithoutStreams: who does not know streams will open none.
func TestOfferWithoutStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{frames: handles.Frames{NoStreams: true, NoShutdown: true}})
		name, offered := p.Offer()
		require.Zero(t, name)
		_, err := offered.Write([]byte("x"))
		require.ErrorIs(t, err, ErrNoStreams)
		_, err = offered.Read(make([]byte, 1))
		require.ErrorIs(t, err, ErrNoStreams)
		require.NoError(t, p.Shutdown(t.Context()), "nothing is waited for")
		require.NoError(t, offered.Close())
	})
}
