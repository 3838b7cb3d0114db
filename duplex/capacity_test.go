package duplex

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/capacity"
)

// largePipe is a link whose one side sends a long message, and a small one meanwhile.
type largePipe struct {
	trace
	large  atomic.Bool
	raised atomic.Int32
	half   chan struct{} // closed when some of the long message was sent; the rest waits for goOn
	goOn   chan struct{}
	pong   chan struct{} // the ping is answered when it is closed
	read   chan struct{} // closed when the pipe was read
	in     *inbox
}

const longMessage = 8 << 20

// sendSmall sends both, and returns when nothing more happens before the ping is answered.
func sendSmall(t *testing.T) *largePipe {
	p := &largePipe{half: make(chan struct{}), goOn: make(chan struct{}), pong: make(chan struct{}), read: make(chan struct{})}
	pieces := 0
	x, y := net.Pipe()
	out := &tap{ReadWriteCloser: x, see: func(h header) {
		p.see(h)
		if h.kind == kindPiece+kind(call) {
			if pieces++; pieces == 100 {
				close(p.half)
				<-p.goOn
			}
		}
	}}
	back := &tap{ReadWriteCloser: y, see: func(h header) {
		if h.kind == kindPong {
			<-p.pong
		}
	}}
	opts := new(Options)
	opts.frames.SetLarge = func(large bool) bool {
		if large {
			p.raised.Add(1)
		} else if !isClosed(p.read) {
			return false // there is too much in it
		}
		p.large.Store(large)
		return true
	}
	a, b := pairOver(t, out, back, opts)
	p.in = receive(b.ServerLane(), false)
	sending(t.Context(), a.ClientLane(), body(1, longMessage), false)
	<-p.half
	require.True(t, p.large.Load())
	p.take()
	sending(t.Context(), a.ClientLane(), body(2, 100), false)
	synctest.Wait()
	close(p.goOn)
	synctest.Wait()
	require.Len(t, p.in.take(), 1, "the small one")
	return p
}

// TestSmallBesideLong: a small message does not wait behind more than is in a large pipe already, and
// then the pipe is as it was.
func TestSmallBesideLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sendSmall(t)
		frames := p.take()
		require.Equal(t, kindPing, frames[len(frames)-1].kind)
		require.Less(t, len(frames), 10)
		close(p.read)
		close(p.pong)
		require.Len(t, p.in.wait(t, 1)[0], longMessage)
		require.False(t, p.large.Load())
		require.EqualValues(t, 1, p.raised.Load(), "a small one was there just now")
	})
}

// TestSmallUnanswered: who does not answer a ping gets long messages all the same.
func TestSmallUnanswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sendSmall(t)
		defer close(p.pong)
		close(p.read)
		begin := time.Now()
		require.Len(t, p.in.wait(t, 1)[0], longMessage)
		require.LessOrEqual(t, time.Since(begin), 2*capacity.LookTime)
	})
}

// TestSmallStuck: who reads a large pipe so slowly that it cannot be made as it was gets long messages
// all the same.
func TestSmallStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sendSmall(t)
		close(p.pong)
		require.Len(t, p.in.wait(t, 1)[0], longMessage)
		require.True(t, p.large.Load())
	})
}

// TestPipeIdle: a pipe that is not used any more is as it was.
func TestPipeIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var large atomic.Bool
		opts := new(Options)
		opts.frames.SetLarge = func(l bool) bool { large.Store(l); return true }
		a, b := pair(t, opts)
		in := receive(b.ServerLane(), false)
		require.NoError(t, a.ClientLane().Send(t.Context(), body(1, longMessage), false))
		in.wait(t, 1)
		require.True(t, large.Load())
		time.Sleep(3 * capacity.LookTime)
		require.False(t, large.Load())
	})
}

// TestPipeStuck: a system that takes long to change the capacity, as the other side may make it, holds
// up neither the reader nor Close.
func TestPipeStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		opts := new(Options)
		opts.frames.SetLarge = func(bool) bool { <-stuck; return false }
		x, y := net.Pipe()
		a, b := New(x, opts), New(y, nil)
		defer b.Close()
		receive(b.ServerLane(), false)
		in := receive(a.ServerLane(), false)
		sent := sending(t.Context(), a.ClientLane(), body(1, longMessage), false)
		synctest.Wait()
		require.NoError(t, b.ClientLane().Send(t.Context(), body(2, 100), true))
		in.wait(t, 1)
		begin := time.Now()
		require.NoError(t, a.Close())
		require.Equal(t, turnTime, time.Since(begin), "who writes has no turn, and is not in a Write")
		require.ErrorIs(t, <-sent, ErrClosed)
	})
}

// nowConn is a connection with a WriteNow that can never write now.
type nowConn struct{ net.Conn }

func (nowConn) WriteNow([]byte) (int, error) { return 0, nil }

// TestPipeStuckCaller: nor does it hold up a sender that does not wait.
func TestPipeStuckCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		opts := new(Options)
		opts.frames.SetLarge = func(large bool) bool {
			if !large {
				<-stuck
			}
			return true
		}
		x, y := net.Pipe()
		a, b := New(nowConn{x}, opts), New(y, nil)
		defer b.Close()
		defer a.Close()
		in := receive(b.ServerLane(), false)
		require.NoError(t, a.ClientLane().Send(t.Context(), body(1, longMessage), false))
		in.wait(t, 1)
		sent, err := a.ClientLane().TrySend(body(2, 100))
		require.NoError(t, err)
		require.True(t, sent)
		synctest.Wait()
		require.Zero(t, in.len())
		close(stuck)
		in.wait(t, 1)
	})
}

// halfConn is a connection of which the other side reads no more, and which it keeps open.
type halfConn struct{ net.Conn }

func (halfConn) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestCloseBehindFailedWrite: nothing more can be written, so Close does not wait for a turn to write.
func TestCloseBehindFailedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		defer y.Close()
		a := New(halfConn{x}, nil)
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, a.Close())
		require.Equal(t, flushTime, time.Since(begin))
		a.Wait()
	})
}
