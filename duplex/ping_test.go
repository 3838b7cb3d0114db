package duplex

import (
	"context"
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
