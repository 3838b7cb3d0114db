package duplex

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// An eager message is one that is longer than a frame and needs no grant.

func newEagerPeer(t *testing.T, window int) *rawPeer {
	p := newRawPeer(t, &Options{Window: window, frames: handles.Frames{Eager: true}})
	p.out()
	return p
}

const (
	eagerFirst = "14 00 00 80 00 00 00 00 00 c0 00 00 00 00 00 00 +32760" // of 49,152 bytes
	eagerPiece = "18 00 08 40 00 00 00 00 +16392"
)

var eagerMsg = bytes.Repeat([]byte{'a'}, 49152)

// TestEagerSend: it goes out whole at once, and takes all of its bytes from the credit.
func TestEagerSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newEagerPeer(t, 64)
		_, err := p.raw.Write(wire("20 00 00 00 a0 86 01 00")) // 100,000 for calls
		require.NoError(t, err)
		first, second := wire(eagerFirst, eagerPiece), wire(eagerFirst, eagerPiece)
		second[4], second[headerSize+maxPayload+4] = 1, 1
		for i, want := range [][]byte{first, second} {
			require.NoError(t, p.ClientLane().Send(t.Context(), eagerMsg, false))
			requireWire(t, want, p.out())
			require.EqualValues(t, 100_000-(i+1)*(49152+32), p.credit(call))
		}
		require.NoError(t, p.ClientLane().Send(t.Context(), eagerMsg, false))
		p.out()
		require.EqualValues(t, -47552, p.credit(call))
		sent := sending(t.Context(), p.ClientLane(), []byte("x"), false)
		require.Empty(t, p.out(), "none is left")
		_, err = p.raw.Write(wire("20 00 00 00 c1 b9 00 00")) // 47,553
		require.NoError(t, err)
		require.NoError(t, <-sent)

		_, err = p.raw.Write(wire("20 00 00 00 a0 86 01 00"))
		require.NoError(t, err)
		p.out()
		sent = sending(t.Context(), p.ClientLane(), make([]byte, maxEager+1), false)
		require.Len(t, p.out(), headerSize+maxPayload, "a longer one waits for its grant")
		p.Close()
		require.Error(t, <-sent)
	})
}

func (p *rawPeer) credit(c class) int64 {
	p.writer.mu.Lock()
	defer p.writer.mu.Unlock()
	return p.writer.queues.classes[c].credit
}

// TestEagerReceive: it gets no grant, and all of its bytes are credit again when it was taken.
func TestEagerReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newEagerPeer(t, 64)
		in := receive(p.ServerLane(), false)
		_, err := p.raw.Write(wire(eagerFirst))
		require.NoError(t, err)
		require.Empty(t, p.out())
		_, err = p.raw.Write(wire(eagerPiece))
		require.NoError(t, err)
		requireWire(t, wire("20 00 00 00 20 c0 00 00"), p.out()) // 49,184
		require.Equal(t, [][]byte{eagerMsg}, in.take())

		_, err = p.raw.Write(wire(eagerFirst, "1c 00 00 00 00 00 00 00"))
		require.NoError(t, err)
		requireWire(t, wire("20 00 00 00 20 c0 00 00"), p.out()) // of the aborted one
		require.Empty(t, in.take())
		require.NoError(t, p.Err())
	})
}

// TestEagerBeyondCredit: what is held without a grant is bounded by the credit.
func TestEagerBeyondCredit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newEagerPeer(t, 64)
		_, err := p.raw.Write(wire(eagerFirst))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, p.Err())
		go p.raw.Write(wire("14 00 00 80 01 00 00 00 00 c0 00 00 00 00 00 00 +32760"))
		require.ErrorContains(t, p.Wait(), "call message beyond the credit: 64 bytes granted, all used")
	})
}
