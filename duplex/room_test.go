package duplex

import (
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
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
		between, pieces := 0, 0
		for i := range 40 {
			for !full() {
				require.NoError(t, p.ServerLane().Send(t.Context(), body(1, 1000), false))
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
