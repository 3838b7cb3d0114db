package duplex

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type pinged struct {
	d   time.Duration
	err error
}

func pinging(ctx context.Context, c *Conn) chan pinged {
	done := make(chan pinged, 1)
	go func() {
		d, err := c.Ping(ctx)
		done <- pinged{d, err}
	}()
	synctest.Wait()
	return done
}

// TestPing: the bytes, and what answers whom.
func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		answer := func(s string) {
			_, err := p.raw.Write(wire(s))
			require.NoError(t, err)
			synctest.Wait()
		}
		first := pinging(t.Context(), p.Conn)
		require.Equal(t, wire("30 00 00 00 00 00 00 00"), p.out())
		time.Sleep(time.Second)
		second := pinging(t.Context(), p.Conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		third := pinging(ctx, p.Conn)
		require.Equal(t, wire("30 00 00 00 01 00 00 00", "30 00 00 00 02 00 00 00"), p.out())
		require.Empty(t, first)
		time.Sleep(time.Millisecond)
		answer("31 00 00 00 01 00 00 00") // the one before is answered by it, too
		require.Equal(t, pinged{time.Second + time.Millisecond, nil}, <-first)
		require.Equal(t, pinged{time.Millisecond, nil}, <-second)
		time.Sleep(time.Second)
		require.Equal(t, pinged{0, context.DeadlineExceeded}, <-third)
		answer("31 00 00 00 02 00 00 00") // nobody waits for it
		_, err := p.Ping(ctx)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Empty(t, p.out())

		fourth := pinging(t.Context(), p.Conn)
		p.raw.Close()
		require.Equal(t, p.Wait(), (<-fourth).err)
		_, err = p.Ping(t.Context())
		require.Equal(t, p.Err(), err)
	})
}

// TestPings: from many goroutines, beside traffic, between two Conns.
func TestPings(t *testing.T) {
	a, b := pair(t, nil)
	b.ServerLane().Receive(func([]byte, bool) bool { return true }, ignore, func(error) {})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := a.Ping(t.Context()); err != nil {
					t.Error(err)
				}
				if err := a.ClientLane().Send(t.Context(), make([]byte, 50_000), true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, a.Close())
	_, err := a.Ping(t.Context())
	require.Equal(t, ErrClosed, err)
	b.Wait()
}

var alive = &Options{Keepalive: 10 * time.Second}

// TestKeepaliveIdle: a peer that answers is left alone.
func TestKeepaliveIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, alive)
		time.Sleep(time.Hour)
		require.NoError(t, a.Err())
		require.NoError(t, b.Err())
	})
}

// TestKeepaliveBusy: one that sends without answering is alive, too.
func TestKeepaliveBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, alive)
		for range 100 {
			p.raw.Write(wire("80 00 00 00 00 00 00 00"))
			time.Sleep(9 * time.Second)
		}
		require.NoError(t, p.Err())
	})
}

// TestKeepaliveSilent: the link ends when one has been silent for two intervals.
func TestKeepaliveSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, alive)
		p.out()
		begin := time.Now()
		time.Sleep(11 * time.Second)
		requireWire(t, wire("30 00 00 00 00 00 00 00"), p.out())
		require.Equal(t, ErrUnresponsive, p.Wait())
		require.Equal(t, 20*time.Second, time.Since(begin))
	})
}

// TestKeepaliveBlocked: nor does it help that nothing can be written.
func TestKeepaliveBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		defer y.Close()
		require.Equal(t, ErrUnresponsive, New(x, alive).Wait())
	})
}

// TestKeepaliveLate: who was itself held up has not read what the other side has said.
func TestKeepaliveLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		k := &keepalive{c: p.Conn, interval: 10 * time.Second, asked: true, due: time.Now()}
		k.timer = time.NewTimer(time.Hour)
		time.Sleep(6 * time.Second)
		k.look()
		require.NoError(t, p.Err())
		require.False(t, k.asked)
		k.timer.Stop()
	})
}

// TestKeepaliveBesidePing: the pong of its ping may be the only one to come, and answers both.
func TestKeepaliveBesidePing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, alive)
		p.out()
		first := pinging(t.Context(), p.Conn)
		requireWire(t, wire("30 00 00 00 00 00 00 00"), p.out())
		p.raw.Write(wire("31 00 00 00 00 00 00 00"))
		require.NoError(t, (<-first).err)
		time.Sleep(11 * time.Second) // something has come: nothing is asked yet
		second := pinging(t.Context(), p.Conn)
		requireWire(t, wire("30 00 00 00 01 00 00 00"), p.out())
		time.Sleep(10 * time.Second)
		requireWire(t, wire("30 00 00 00 02 00 00 00"), p.out())
		p.raw.Write(wire("31 00 00 00 02 00 00 00"))
		require.NoError(t, (<-second).err)
		require.NoError(t, p.Err())
	})
}
