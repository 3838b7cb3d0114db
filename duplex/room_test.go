package duplex

import (
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// slowPeer is a link whose other end the test reads write by write.
type slowPeer struct {
	*Conn
	raw   net.Conn
	trace trace
	tap   tap
	buf   []byte
}

func newSlowPeer(t *testing.T) *slowPeer {
	x, raw := net.Pipe()
	p := &slowPeer{Conn: New(x, nil), raw: raw, buf: make([]byte, maxWrite)}
	p.tap.ReadWriteCloser, p.tap.see = &sink{}, p.trace.see
	t.Cleanup(func() { raw.Close(); p.Wait() })
	synctest.Wait() // the writer is at the first credit, and nobody reads
	for cl := range numClasses {
		require.NoError(t, p.peerTakes(cl, maxWindow))
	}
	return p
}

// read returns the frames that begin in the next write.
func (p *slowPeer) read(t *testing.T) []header {
	n, err := p.raw.Read(p.buf)
	require.NoError(t, err)
	_, err = p.tap.Write(p.buf[:n])
	require.NoError(t, err)
	synctest.Wait()
	return p.trace.take()
}

// waitList has, by the method, why each Send that waits does so.
type waitList struct{ sync.Map }

type waitOf struct {
	list   *waitList
	method string
}

func (w waitOf) Over() { w.list.Delete(w.method) }

func (l *waitList) waits(s handles.Sending, why func() string) handles.Waiting {
	l.Store(s.Method, why)
	return waitOf{l, s.Method}
}

// ask returns the answers.
func (l *waitList) ask() map[string]string {
	synctest.Wait()
	got := make(map[string]string)
	for method, why := range l.Range {
		got[method.(string)] = why.(func() string)()
	}
	return got
}

// TestWaitsFor: whoever is told that a Send waits can ask what for, and hears when that is over.
func TestWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t)
		var list waitList
		wants := func(want map[string]string) {
			t.Helper()
			require.Equal(t, want, list.ask())
		}
		send := func(l *Lane, method string, n int, isNotification bool) {
			go order{p.Conn}.Send(l, t.Context(), body(1, n), isNotification, handles.Sending{Method: method, Waits: list.waits})
			synctest.Wait()
		}
		send(p.ServerLane(), "first", maxPayload, false) // fills the queue
		wants(map[string]string{})
		send(p.ServerLane(), "second", 10, false)
		send(p.ClientLane(), "long", maxPayload+1, true)
		send(p.ClientLane(), "behind", 10, true)
		wants(map[string]string{"second": handles.Room, "long": handles.Room, "behind": handles.Room})
		for len(list.ask()) == 3 {
			p.read(t)
		}
		wants(map[string]string{"long": handles.Credit, "behind": handles.Credit}) // the grant
		p.writer.update(func() { p.writer.queues.grant(notification, 0) })
		wants(map[string]string{"long": handles.Room, "behind": handles.Room})
		for len(list.ask()) > 0 {
			p.read(t)
		}
		p.writer.update(func() { p.writer.queues.classes[call].credit = 0 })
		send(p.ClientLane(), "poor", 10, false)
		wants(map[string]string{"poor": handles.Credit})
		p.end(errEmpty)
		wants(map[string]string{})
	})
}

// TestRoomInTurn: where the queue is always full of one class, the others get into it too.
func TestRoomInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t)
		fill := func() {
			sending(t.Context(), p.ServerLane(), body(1, maxPayload), false)
			synctest.Wait()
		}
		fill()
		sending(t.Context(), p.ClientLane(), body(1, 100), false)
		synctest.Wait()
		for range 10 {
			for _, h := range p.read(t) {
				if h.kind == kindWhole+kind(call) {
					return
				}
			}
			fill()
		}
		require.Fail(t, "the call found no room among the replies")
	})
}

// TestPieceBesideFullQueue: a queue that is always full leaves a long message
// a piece after every 64 KiB.
func TestPieceBesideFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t)
		sending(t.Context(), p.ClientLane(), body(1, 10<<20), false)
		synctest.Wait()
		for range 2 { // credit, the first frame
			p.read(t)
		}
		full := func() bool {
			p.writer.mu.Lock()
			defer p.writer.mu.Unlock()
			return len(p.writer.queues.frames) >= defaultSendQueue
		}
		small := func() { require.NoError(t, p.ServerLane().Send(t.Context(), body(1, 1000), false)) }
		small()
		synctest.Wait() // the writer is at it, and takes none of those that fill the queue
		between, pieces := 0, 0
		for i := range 40 {
			for !full() {
				small()
			}
			if i == 0 {
				p.writer.update(func() { p.writer.queues.grant(call, 0) })
			}
			for _, h := range p.read(t) {
				switch h.kind {
				case kindPiece + kind(call):
					between, pieces = 0, pieces+1
				case kindWhole + kind(reply):
					between += headerSize + int(h.length)
				}
				require.LessOrEqual(t, between, 64<<10, "bytes without a piece")
			}
		}
		require.Greater(t, pieces, 10)
	})
}

// eager is a sink on which something more is sent with each of the first writes.
type eager struct {
	sink
	more  func(n int)
	calls int
	got   trace
	tap   tap
}

func (e *eager) Write(p []byte) (int, error) { return e.tap.Write(p) }

func (e *eager) WriteNow(p []byte) (int, error) {
	if len(p) > 0 && e.more != nil {
		e.calls++
		e.more(e.calls)
	}
	return e.tap.Write(p)
}

// TestHandOver: a sender writes a few batches for others and leaves the rest
// to the writer goroutine, which must hear of it.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &eager{sink: sink{make(chan struct{})}}
		e.tap.ReadWriteCloser, e.tap.see = &sink{}, e.got.see
		c := New(e, nil)
		require.NoError(t, c.peerTakes(call, maxWindow))
		synctest.Wait()
		e.got.take()
		e.more = func(n int) {
			if n <= callerRounds {
				require.NoError(t, c.ClientLane().WriteMessage([]byte("more")))
			}
		}
		require.NoError(t, c.ClientLane().WriteMessage([]byte("one")))
		synctest.Wait()
		require.Len(t, e.got.take(), 1+callerRounds)
		require.NoError(t, c.Close())
		c.Wait()
	})
}
