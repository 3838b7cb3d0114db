package duplex

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// beginnings are the ways in which a link begins to end. Nobody reads what side a writes meanwhile.
var beginnings = map[string]func(t *testing.T, a *Conn, raw net.Conn){
	"close": func(t *testing.T, a *Conn, _ net.Conn) { go a.Close() },
	"fail":  func(t *testing.T, a *Conn, _ net.Conn) { a.ServerLane().Fail(errBroken) },
	"shutdown cut short": func(t *testing.T, a *Conn, _ net.Conn) {
		ctx, cancel := context.WithCancel(t.Context())
		go a.Shutdown(ctx)
		synctest.Wait()
		cancel()
	},
	"unresponsive": func(t *testing.T, a *Conn, _ net.Conn) { a.end(a.reason(ErrUnresponsive)) },
	"bye": func(t *testing.T, a *Conn, raw net.Conn) {
		_, err := raw.Write(wire("32 00 00 00 00 00 00 00"))
		require.NoError(t, err)
	},
	"protocol error": func(t *testing.T, a *Conn, raw net.Conn) {
		_, err := raw.Write(wire("7f 00 00 00 00 00 00 00"))
		require.NoError(t, err)
	},
}

// TestNoEndOnceTheLinkEnds: what is done to a stream once its link has begun to end is no orderly
// end on the wire: data before it may have been refused.
func TestNoEndOnceTheLinkEnds(t *testing.T) {
	for name, begin := range beginnings {
		for op, end := range map[string]func(*Stream) error{"Close": (*Stream).Close, "CloseWrite": (*Stream).CloseWrite} {
			for _, size := range []int{1000, 100_000} {
				t.Run(fmt.Sprint(name, " ", op, " ", size), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x, raw := net.Pipe()
						a := New(x, nil)
						defer a.Wait()
						_, err := raw.Write(wire("40 00 08 00 00 00 00 00 00 00 40 00 00 00 00 00")) // open, 4 MiB
						require.NoError(t, err)
						conn, err := a.Accept()
						require.NoError(t, err)
						write := writing(conn, size) // nobody reads it
						synctest.Wait()
						begin(t, a, raw)
						synctest.Wait()
						late := writing(conn, 100_000)
						synctest.Wait()
						end(conn.(*Stream))
						go a.Close()
						got, _ := io.ReadAll(raw)
						for len(got) > 0 {
							h, err := parseHeader(got[:headerSize])
							require.NoError(t, err)
							require.NotEqual(t, kindEnd|byAcceptor, h.kind, "an end of the stream")
							got = got[min(len(got), headerSize+int(h.length)):]
						}
						require.Error(t, (<-late).err)
						<-write
						raw.Close()
					})
				})
			}
		}
	}
}

// TestNothingWrittenBehindTheEnd: a Conn that has ended writes nothing more, whoever asks for it.
func TestNothingWrittenBehindTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		p.writer.mu.Lock()
		p.writer.owed.frames = appendHeader(p.writer.owed.frames, kindShutdown, 0, 0)
		p.writer.mu.Unlock()
		p.ending.Store(true)
		close(p.done) // how end begins
		p.writer.flush()
		require.Empty(t, p.out())
		p.conn.Close()
		close(p.closed)
	})
}

// TestCutWrite: a stream closed while a Write is at work is no whole one on the other side, which
// reads what was sent before.
func TestCutWrite(t *testing.T) {
	for op, end := range map[string]func(*Stream) error{"Close": (*Stream).Close, "CloseWrite": (*Stream).CloseWrite} {
		t.Run(op, func(t *testing.T) {
			bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
				_, err := x.Write([]byte("whole "))
				require.NoError(t, err)
				write := writing(x, 100<<10)
				requireBlocked(t, write) // it waits for credit
				require.NoError(t, end(x))
				r := requireNow(t, write)
				require.Equal(t, firstWindow-6, r.n)
				requireOpErr(t, r.err, "write", net.ErrClosed)
				requireOpErr(t, requireNow(t, reading(x, 1)).err, "read", net.ErrClosed)
				got, err := io.ReadAll(y)
				require.Len(t, got, firstWindow)
				requireOpErr(t, err, "read", ErrReset)
				requireOpErr(t, requireNow(t, writing(y, 1)).err, "write", ErrReset)
				closeStreams(t, a, b, x, y)
			})
		})
	}
}

// TestCutWriteUnread: a stream that was cut and is closed without having been read leaves nothing.
func TestCutWriteUnread(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		write := writing(x, 100<<10)
		requireBlocked(t, write)
		closeStreams(t, a, b, x, y)
		require.Error(t, (<-write).err)
	})
}

// TestCutOffer: an offer that is closed within a Write is there no more.
func TestCutOffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		name, y := b.Offer()
		write := writing(y, 10)
		requireBlocked(t, write)
		require.NoError(t, y.(*Stream).CloseWrite())
		r := requireNow(t, write)
		require.Zero(t, r.n)
		requireOpErr(t, r.err, "write", net.ErrClosed)
		requireRefused(t, requireNow(t, openingOffer(t.Context(), a, name)), "what it offered is not there any more")
		closeStreams(t, a, b, y)
	})
}

// TestDeadlineThenEnd: a Write that ended by its deadline may be gone on with, and the stream then
// ends in order.
func TestDeadlineThenEnd(t *testing.T) {
	bothEnds(t, nil, func(t *testing.T, a, b *Conn, x, y *Stream) {
		data := body(1, 100<<10)
		require.NoError(t, x.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := x.Write(data)
		requireTimeout(t, err, "write")
		require.NoError(t, x.SetWriteDeadline(time.Time{}))
		rest := doing(func() (int, error) { return x.Write(data[n:]) })
		got := make([]byte, len(data))
		_, err = io.ReadFull(y, got)
		require.NoError(t, err)
		require.Equal(t, data, got)
		require.NoError(t, (<-rest).err)
		require.NoError(t, x.Close())
		require.Equal(t, result{0, io.EOF}, requireNow(t, reading(y, 1)))
		closeStreams(t, a, b, y)
	})
}
