package duplex

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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

// gate holds up what is read until it is opened.
type gate struct {
	io.ReadWriteCloser
	open chan struct{}
}

func (g *gate) Read(p []byte) (int, error) { <-g.open; return g.ReadWriteCloser.Read(p) }

// buffered is a conn whose writes never block (a kernel pipe with room).
type buffered struct {
	io.ReadWriteCloser
	c chan []byte
}

func newBuffered(x io.ReadWriteCloser) *buffered {
	b := &buffered{x, make(chan []byte, 1000)}
	go func() {
		for p := range b.c {
			if _, err := x.Write(p); err != nil {
				return
			}
		}
	}()
	return b
}
func (b *buffered) Write(p []byte) (int, error) {
	b.c <- append([]byte(nil), p...)
	return len(p), nil
}

// TestKeepaliveBesidePing: its pong may be the only one, and answers both.
func TestKeepaliveBesidePing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		g := &gate{y, make(chan struct{})}
		bx := newBuffered(x)
		a := New(bx, &Options{Keepalive: time.Second})
		b := New(g, nil)
		defer func() { a.Close(); b.Close(); a.Wait(); b.Wait(); close(bx.c) }()
		go func() { time.Sleep(10 * time.Millisecond); g.open <- struct{}{} }()
		time.Sleep(20 * time.Millisecond)
		// let b read for a while
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case g.open <- struct{}{}:
				case <-stop:
					return
				}
			}
		}()
		_, err := a.Ping(t.Context()) // id 0
		require.NoError(t, err)
		close(stop)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.Sleep(900 * time.Millisecond)
		done := make(chan error, 1)
		go func() { _, err := a.Ping(ctx); done <- err }() // id 1; b is stopped for a moment
		time.Sleep(700 * time.Millisecond)                 // keepalive pings
		close(g.open)                                      // b goes on
		require.NoError(t, <-done)
		require.NoError(t, a.Err())
	})
}
