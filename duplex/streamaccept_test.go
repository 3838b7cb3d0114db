package duplex

import (
	"net"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestListener: it takes streams until it is closed, and Close wakes who waits.
func TestListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		l := b.Listener()
		require.Equal(t, Addr("listener"), l.Addr())
		accepts := []<-chan opened{getting(l.Accept), getting(l.Accept)}
		requireBlocked(t, accepts...)
		x := requireNow(t, opening(t.Context(), a))
		require.NoError(t, x.err)
		synctest.Wait()
		require.Equal(t, 1, len(accepts[0])+len(accepts[1]))
		closed := doing(func() (int, error) { return 0, l.Close() })
		require.NoError(t, requireNow(t, closed).err)
		failed := 0
		for _, c := range accepts {
			if o := requireNow(t, c); o.err != nil {
				require.Nil(t, o.conn)
				oe := requireOpErr(t, o.err, "accept", net.ErrClosed)
				require.False(t, oe.Temporary())
				require.NotErrorIs(t, o.err, ErrClosed) // the link is up
				failed++
			} else {
				closeAll(t, x.conn, o.conn) // it outlives the listener
			}
		}
		require.Equal(t, 1, failed)
		require.NoError(t, l.Close())
		_, err := l.Accept()
		requireOpErr(t, err, "accept", net.ErrClosed)
		closeStreams(t, a, b)
	})
}

func requireRefused(t testing.TB, o opened, text string) {
	t.Helper()
	require.Nil(t, o.conn)
	requireOpErr(t, o.err, "open", ErrRefused)
	require.ErrorContains(t, o.err, text)
}

// TestListenerClosed: with the last listener gone, streams that wait and further ones are refused,
// until somebody listens or accepts again.
func TestListenerClosed(t *testing.T) {
	const isClosed = "its listener is closed"
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		l1, l2 := b.Listener(), b.Listener()
		waiting := []<-chan opened{opening(t.Context(), a), opening(t.Context(), a)}
		requireBlocked(t, waiting...)
		require.NoError(t, l1.Close())
		require.NoError(t, l1.Close()) // counts once
		requireBlocked(t, waiting...)
		require.NoError(t, l2.Close())
		for _, o := range waiting {
			requireRefused(t, requireNow(t, o), isClosed)
		}
		requireRefused(t, requireNow(t, opening(t.Context(), a)), isClosed)
		_, err := l1.Accept() // is not listening
		requireOpErr(t, err, "accept", net.ErrClosed)
		requireRefused(t, requireNow(t, opening(t.Context(), a)), isClosed)

		accept := getting(b.Accept)
		requireBlocked(t, accept)
		x := requireNow(t, opening(t.Context(), a))
		require.NoError(t, x.err)
		closeAll(t, x.conn, requireNow(t, accept).conn)

		l3 := b.Listener()
		require.NoError(t, l3.Close())
		requireRefused(t, requireNow(t, opening(t.Context(), a)), isClosed)
		l4 := b.Listener()
		o := opening(t.Context(), a)
		requireBlocked(t, o)
		y, err := l4.Accept()
		require.NoError(t, err)
		closeStreams(t, a, b, requireNow(t, o).conn, y)
	})
}

// TestAcceptBesidesListener: a listener that is closed takes nothing from those who accept besides.
func TestAcceptBesidesListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		accept := getting(b.Accept)
		synctest.Wait()
		l := b.Listener()
		require.NoError(t, l.Close())
		requireBlocked(t, accept)
		x := requireNow(t, opening(t.Context(), a))
		require.NoError(t, x.err, "somebody waits in Accept")
		closeStreams(t, a, b, x.conn, requireNow(t, accept).conn)
	})
}

// TestListenerClosedAsAStreamComes: whoever is woken for a stream and finds its listener closed
// leaves it to others.
func TestListenerClosedAsAStreamComes(t *testing.T) {
	for procs := range 3 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, nil)
			for i := range 300 {
				l1, l2 := b.Listener(), b.Listener()
				first := getting(l1.Accept)
				requireBlocked(t, first)
				second := getting(l2.Accept)
				requireBlocked(t, second)
				o := opening(t.Context(), a)
				for range i % 20 {
					runtime.Gosched()
				}
				require.NoError(t, l1.Close())
				x := requireNow(t, o)
				require.NoError(t, x.err)
				y := requireNow(t, first)
				if y.err != nil {
					y = requireNow(t, second)
				}
				require.NoError(t, y.err)
				require.NoError(t, l2.Close())
				closeStreams(t, a, b, x.conn, y.conn)
			}
		})
	}
}

// TestAcceptSignal: of two that wait in Accept the second is not forgotten, though one signal came:
// where there are two streams, and where the first one's listener is closed before it has seen the
// signal.
func TestAcceptSignal(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // those who are woken do not run at once
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b := pair(t, nil)
			opens := []<-chan opened{opening(t.Context(), a)}
			if !closed {
				opens = append(opens, opening(t.Context(), a))
			}
			requireBlocked(t, opens...)
			ss := &b.streams
			ss.mu.Lock()
			waiting := ss.waiting
			ss.waiting = nil // have not come yet
			ss.mu.Unlock()
			<-ss.arrived
			l1, l2 := b.Listener(), b.Listener()
			accepts := []<-chan opened{getting(l1.Accept)}
			requireBlocked(t, accepts...)
			accepts = append(accepts, getting(l2.Accept))
			requireBlocked(t, accepts...)

			ss.mu.Lock()
			ss.waiting = waiting
			signal(ss.arrived)
			ss.mu.Unlock()
			if closed {
				require.NoError(t, l1.Close())
			}
			for _, o := range opens {
				x := requireNow(t, o)
				require.NoError(t, x.err)
				require.NoError(t, x.conn.Close())
			}
			for _, o := range accepts {
				if y := requireNow(t, o); y.err == nil {
					require.NoError(t, y.conn.Close())
				} else {
					require.True(t, closed)
				}
			}
			closeStreams(t, a, b)
		})
	}
}

// TestListenerClosedAsItAccepts: an Accept that was about to begin does not
// have streams wait for a listener that is closed.
func TestListenerClosedAsItAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		for range 20 {
			l := b.Listener()
			ss := &b.streams
			ss.mu.Lock()
			accept := getting(l.Accept)
			for range 10 {
				runtime.Gosched() // until it waits for mu, having found its listener open
			}
			close(l.(*listener).closed) // as Close does
			ss.listeners--
			ss.noListener = true
			ss.mu.Unlock()
			requireOpErr(t, requireNow(t, accept).err, "accept", net.ErrClosed)
			requireRefused(t, requireNow(t, opening(t.Context(), a)), "its listener is closed")
		}
		for i := range 300 {
			l := b.Listener()
			accept := getting(l.Accept)
			for range i % 10 {
				runtime.Gosched()
			}
			require.NoError(t, l.Close())
			requireOpErr(t, requireNow(t, accept).err, "accept", net.ErrClosed)
			requireRefused(t, requireNow(t, opening(t.Context(), a)), "its listener is closed")
		}
		closeStreams(t, a, b)
	})
}
