package duplex

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// shutting calls Shutdown in a goroutine and returns where the error comes.
func shutting(ctx context.Context, c *Conn) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.Shutdown(ctx) }()
	return done
}

// links runs f with a link in memory, and with the sides swapped.
func links(t *testing.T, opts *Options, f func(t *testing.T, a, b *Conn)) {
	for _, swapped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, opts)
			if swapped {
				a, b = b, a
			}
			f(t, a, b)
		})
	}
}

func TestShutdownIdle(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		receive(b.ServerLane(), false)
		begin := time.Now()
		require.NoError(t, a.Shutdown(t.Context()))
		require.Zero(t, time.Since(begin))
		require.Equal(t, ErrClosed, a.Wait())
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		require.NoError(t, a.Shutdown(t.Context()), "again")
	})
}

func TestShutdownAfterEnd(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		a.Close()
		require.NoError(t, a.Shutdown(t.Context()))
		<-b.Done()
		require.NoError(t, b.Shutdown(t.Context()), "it lost nothing")
	})
}

// TestShutdownWaitsForCalls, of either side, while new ones are refused on both.
func TestShutdownWaitsForCalls(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		for _, side := range []*Conn{a, b} {
			receive(side.ServerLane(), false)
			receive(side.ClientLane(), false)
		}
		for _, caller := range []*Conn{a, b} {
			require.NoError(t, caller.ClientLane().Send(t.Context(), []byte("call"), false))
		}
		synctest.Wait()
		shut := shutting(t.Context(), a)
		synctest.Wait()
		requireBlocked(t, shut)
		require.Equal(t, ErrShutdown, order{a}.Draining())
		require.Equal(t, ErrShutdown, order{b}.Draining())
		require.True(t, order{b}.Ending())
		// What is served may need calls, so the link itself lets them through.
		require.NoError(t, b.ServerLane().Send(t.Context(), []byte("reply"), false))
		synctest.Wait()
		requireBlocked(t, shut)
		require.Equal(t, ErrShutdown, b.ClientLane().Send(t.Context(), []byte("call"), false), "nothing is served there any more")
		require.Equal(t, ErrShutdown, b.ClientLane().Send(t.Context(), []byte("note"), true))
		require.NoError(t, a.ClientLane().Send(t.Context(), []byte("nested"), false))
		synctest.Wait()
		require.NoError(t, b.ServerLane().Send(t.Context(), []byte("reply"), false))
		synctest.Wait()
		requireBlocked(t, shut)
		require.NoError(t, a.ServerLane().Send(t.Context(), []byte("reply"), false))
		require.NoError(t, <-shut)
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
		requireIdle(t, a, b)
	})
}

// TestShutdownWaitsForNotifications until they were taken, and what Working says besides is done.
func TestShutdownWaitsForNotifications(t *testing.T) {
	for _, size := range []int{8, 500_000} {
		links(t, tiny, func(t *testing.T, a, b *Conn) {
			in := receive(b.ServerLane(), true)
			var sent []<-chan error
			for i := range 5 {
				sent = append(sent, queued(t, a, body(i, size)))
			}
			var msgs [][]byte
			for n := range 5 {
				shut := shutting(t.Context(), a)
				synctest.Wait()
				requireBlocked(t, shut)
				if len(msgs) == 0 {
					msgs = in.wait(t, 1)
				}
				require.Equal(t, n, checkBody(t, msgs[0]))
				msgs = msgs[1:]
				order{b}.Working(1)
				b.ServerLane().Release(size, true)
				synctest.Wait()
				requireBlocked(t, shut)
				order{b}.Working(-1)
				if n == 4 {
					require.NoError(t, <-shut)
				}
			}
			for _, c := range sent {
				require.NoError(t, <-c, "accepted before Shutdown")
			}
		})
	}
}

// TestShutdownWaitsForStreams, and refuses those that wait to be accepted.
func TestShutdownWaitsForStreams(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		x, y := streamPair(t, a, b)
		waiting := opening(t.Context(), b)
		synctest.Wait()
		shut := shutting(t.Context(), a)
		got := <-waiting
		require.ErrorIs(t, got.err, ErrRefused)
		require.ErrorIs(t, got.err, ErrShutdown)
		for _, side := range []*Conn{a, b} {
			synctest.Wait()
			_, err := side.Open(t.Context())
			require.ErrorIs(t, err, ErrShutdown)
		}
		want := body(1, 300_000)
		go func() {
			x.Write(want)
			x.Close()
		}()
		synctest.Wait()
		requireBlocked(t, shut)
		read, err := io.ReadAll(y)
		require.NoError(t, err)
		require.Equal(t, want, read)
		require.NoError(t, <-shut, "the stop of x ended the other half")
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
	})
}

// TestShutdownOpening: an open that nobody accepts does not keep the link from ending, whoever has
// sent it.
func TestShutdownOpening(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		waiting := opening(t.Context(), a)
		synctest.Wait()
		require.NoError(t, a.Shutdown(t.Context()))
		require.ErrorIs(t, (<-waiting).err, ErrRefused)
	})
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.raw.Write(wire("33 00 00 00 00 00 00 00", "40 00 08 00 00 00 00 00 00 00 01 00 00 00 00 00"))
		require.Contains(t, string(p.out()), string(wire("4b 00 04 00 00 00 00 00 04 00 00 00")))
	})
}

// TestShutdownUnread: what has come is to be read, or dropped by Close or Reset.
func TestShutdownUnread(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Stream){
		"read": func(t *testing.T, s *Stream) {
			read, err := io.ReadAll(s)
			require.NoError(t, err)
			require.Equal(t, body(1, 40_000), read)
		},
		"close": func(t *testing.T, s *Stream) { s.Close() },
		"reset": func(t *testing.T, s *Stream) { s.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			links(t, nil, func(t *testing.T, a, b *Conn) {
				x, y := streamPair(t, a, b)
				_, err := x.Write(body(1, 40_000))
				require.NoError(t, err)
				require.NoError(t, x.Close())
				require.NoError(t, y.CloseWrite())
				one, other := shutting(t.Context(), a), shutting(t.Context(), b)
				synctest.Wait()
				requireBlocked(t, one, other)
				end(t, y)
				require.NoError(t, <-one)
				require.NoError(t, <-other)
			})
		})
	}
}

// TestShutdownOffers: they are waited for, too, and can be opened meanwhile, by a side that has
// been idle.
func TestShutdownOffers(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		name, offered := a.Offer()
		taken, closed := b.Offer()
		one, other := shutting(t.Context(), a), shutting(t.Context(), b)
		synctest.Wait()
		requireBlocked(t, one, other)
		closed.Close()
		_, err := a.OpenOffer(t.Context(), taken)
		require.ErrorIs(t, err, ErrRefused)
		x, err := b.OpenOffer(t.Context(), name)
		require.NoError(t, err)
		go func() {
			offered.Write(body(1, 40_000))
			offered.Close()
		}()
		synctest.Wait()
		requireBlocked(t, one, other)
		read, err := io.ReadAll(x)
		require.NoError(t, err)
		require.Equal(t, body(1, 40_000), read)
		synctest.Wait()
		require.NoError(t, <-one, "it is stopped, and ended")
		require.NoError(t, <-other)
	})
}

// TestShutdownBoth sides, at once and one while the other waits.
func TestShutdownBoth(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		receive(b.ServerLane(), false)
		receive(a.ClientLane(), false)
		require.NoError(t, a.ClientLane().Send(t.Context(), []byte("call"), false))
		synctest.Wait()
		one, other := shutting(t.Context(), a), shutting(t.Context(), b)
		synctest.Wait()
		requireBlocked(t, one, other)
		require.NoError(t, b.ServerLane().Send(t.Context(), []byte("reply"), false))
		require.NoError(t, <-one)
		require.NoError(t, <-other)
	})
}

// TestShutdownContext: it ends at once with the context, as with a Close.
func TestShutdownContext(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		receive(b.ServerLane(), false)
		require.NoError(t, a.ClientLane().Send(t.Context(), []byte("call"), false))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		require.Equal(t, context.DeadlineExceeded, a.Shutdown(ctx))
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.Equal(t, ErrClosed, a.Err())
		require.ErrorIs(t, b.Wait(), ErrPeerClosed)
	})
}

// TestShutdownLoss: the other side goes away before it is done.
func TestShutdownLoss(t *testing.T) {
	for _, close := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			x, y := net.Pipe()
			a, b := pairOver(t, x, y, nil)
			receive(b.ServerLane(), false)
			require.NoError(t, a.ClientLane().Send(t.Context(), []byte("call"), false))
			synctest.Wait()
			shut := shutting(t.Context(), a)
			synctest.Wait()
			if close {
				b.Close()
				require.ErrorIs(t, <-shut, ErrPeerClosed, "a call was pending")
			} else {
				y.Close()
				require.ErrorIs(t, <-shut, io.EOF)
			}
		})
	}
}

// TestShutdownCrossing: messages that the other side has sent before it knew are still served.
func TestShutdownCrossing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		in := receive(p.ServerLane(), true)
		p.out()
		p.raw.Write(wire("20 00 00 00 00 00 04 00", "21 00 00 00 00 00 04 00", "22 00 00 00 00 00 04 00"))
		shut := shutting(t.Context(), p.Conn)
		requireWire(t, wire("33 00 00 00 00 00 00 00", "34 00 00 00 00 00 00 00"), p.out())
		// Two messages cross the shutdown, and an idle that knows nothing of it.
		p.raw.Write(wire("34 00 00 00 00 00 00 00", "12 00 01 00 00 00 00 00 61", "10 00 01 00 00 00 00 00 62"))
		require.Empty(t, p.out())
		requireBlocked(t, shut)
		require.Len(t, in.take(), 2)
		p.ServerLane().Release(1, true)
		p.ServerLane().Release(1, false)
		require.Empty(t, p.out(), "the call has no reply")
		require.NoError(t, p.ServerLane().Send(t.Context(), []byte("c"), false))
		requireWire(t, wire("11 00 01 00 00 00 00 00 63", "34 00 00 00 02 00 00 00"), p.out())
		requireBlocked(t, shut) // the idle that came was before the messages
		p.raw.Write(wire("34 00 00 00 00 00 00 00"))
		require.Empty(t, p.out(), "the other side has not got the reply")
		requireBlocked(t, shut)
		p.raw.Write(wire("34 00 00 00 01 00 00 00"))
		requireWire(t, wire("32 00 00 00 00 00 00 00"), p.out())
		p.raw.Close()
		require.NoError(t, <-shut)
	})
}

// TestShutdownAlone: the other side does not know of shutdown.
func TestShutdownAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{frames: handles.Frames{NoStreams: true, NoShutdown: true}})
		receive(p.ClientLane(), false)
		p.out()
		p.raw.Write(wire("20 00 00 00 00 00 04 00"))
		require.NoError(t, p.ClientLane().Send(t.Context(), []byte("c"), false))
		_, err := p.Open(t.Context())
		require.ErrorIs(t, err, ErrNoStreams)
		p.out()
		shut := shutting(t.Context(), p.Conn)
		require.Empty(t, p.out())
		requireBlocked(t, shut)
		p.raw.Write(wire("11 00 01 00 00 00 00 00 61"))
		requireWire(t, wire("32 00 00 00 00 00 00 00"), p.out())
		require.NoError(t, <-shut)
	})
}

// TestShutdownByteLanes: what was written is read before the end.
func TestShutdownByteLanes(t *testing.T) {
	links(t, nil, func(t *testing.T, a, b *Conn) {
		_, err := a.ClientLane().Write(body(1, 100_000))
		require.NoError(t, err)
		shut := shutting(t.Context(), a)
		synctest.Wait()
		requireBlocked(t, shut)
		got := make([]byte, 100_000)
		_, err = io.ReadFull(b.ServerLane(), got)
		require.NoError(t, err)
		require.Equal(t, body(1, 100_000), got)
		require.NoError(t, <-shut)
	})
}

// TestShutdownAloneFlushes: what was accepted is delivered, however long the other side takes.
func TestShutdownAloneFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, raw := net.Pipe()
		a := New(x, &Options{frames: handles.Frames{NoShutdown: true}})
		receive(a.ServerLane(), false)
		synctest.Wait() // the writer is at the first credit
		raw.Write(wire("21 00 00 00 00 00 04 00", "10 00 01 00 00 00 00 00 61"))
		synctest.Wait()
		require.NoError(t, a.ServerLane().Send(t.Context(), []byte("b"), false))
		shut := shutting(t.Context(), a)
		synctest.Wait()
		raw.Read(make([]byte, 1000)) // the credit; behind it comes the last batch, and nobody reads that
		time.Sleep(time.Minute)
		requireBlocked(t, shut)
		got := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(raw)
			got <- all
		}()
		require.NoError(t, <-shut)
		require.True(t, bytes.HasSuffix(<-got, wire("11 00 01 00 00 00 00 00 62", "32 00 00 00 00 00 00 00")))
		a.Wait()
	})
}

// TestShutdownUnhandled: the other side closes, with a notification that nobody has handled.
func TestShutdownUnhandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		require.NoError(t, a.ClientLane().Send(t.Context(), []byte("note"), true))
		synctest.Wait() // b has it and nobody has looked at it
		shut := shutting(t.Context(), a)
		synctest.Wait()
		requireBlocked(t, shut)
		b.Close()
		require.Error(t, <-shut)
	})
}
