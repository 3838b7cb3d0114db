package duplex

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestUrgent: no credit is needed, and nothing sent before is overtaken.
func TestUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		lane := p.ClientLane()
		require.NoError(t, lane.SendUrgent([]byte("now")))
		require.Equal(t, wire("13 00 03 00 00 00 00 00 6e 6f 77"), p.out())
		_, err := p.raw.Write(wire("20 00 00 00 00 00 01 00"))
		require.NoError(t, err)
		require.NoError(t, lane.Send(t.Context(), []byte("call"), false))
		require.NoError(t, lane.SendUrgent([]byte("x")))
		require.Equal(t, wire("10 00 04 00 00 00 00 00 63 61 6c 6c", "13 00 01 00 00 00 00 00 78"), p.out())
		require.Equal(t, errEmpty, lane.SendUrgent(nil))
		require.Equal(t, &SizeError{Size: 65, Limit: 64}, lane.SendUrgent(make([]byte, 65)))
		require.NoError(t, p.Close())
		require.Equal(t, ErrClosed, lane.SendUrgent([]byte("x")))
	})
}

// TestUrgentArrives: in order with calls, and to Receive alone.
func TestUrgentArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		frames := wire("10 00 01 00 00 00 00 00 61", "13 00 01 00 00 00 00 00 62", "10 00 01 00 00 00 00 00 63")
		_, err := p.raw.Write(frames)
		require.NoError(t, err)
		for _, want := range []string{"a", "c"} {
			msg, err := p.ServerLane().ReadMessage()
			require.NoError(t, err)
			require.Equal(t, want, string(msg))
		}
		_, err = p.raw.Write(frames)
		require.NoError(t, err)
		synctest.Wait()
		var got string
		p.ServerLane().Receive(
			func(msg []byte, _ bool) bool { got += string(msg); return true },
			func(msg []byte) { got += "!" + string(msg) },
			func(error) {})
		synctest.Wait()
		require.Equal(t, "a!bc", got)
		require.Zero(t, p.ServerLane().urgents)
	})
}

// TestTooManyUrgent: nobody can fill the memory with them.
func TestTooManyUrgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		var frames []byte
		for range maxUrgents + 1 {
			frames = append(frames, wire("13 00 01 00 00 00 00 00 62")...)
		}
		p.raw.Write(frames)
		require.ErrorContains(t, p.Wait(), "65536 urgent messages more than there are calls without a reply")
	})
}

// TestUrgentRoom: many do not keep others from their turn, nor others them.
func TestUrgentRoom(t *testing.T) {
	msg := make([]byte, maxUrgent)
	w := writer{maxQueue: defaultSendQueue}
	for range 5000 {
		w.queues.urgents = appendWhole(w.queues.urgents, urgent, msg)
	}
	frame := headerSize + maxUrgent
	room := func(batch int) int { return len(w.appendUrgents(make([]byte, batch))) - batch }
	require.Equal(t, (defaultSendQueue+frame-1)/frame*frame, room(0))
	require.Equal(t, (urgentRoom+frame-1)/frame*frame, room(defaultSendQueue))
	for len(w.queues.urgents) > 0 {
		require.Positive(t, room(defaultSendQueue))
	}
	require.Zero(t, room(0))
}
