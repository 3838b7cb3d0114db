package duplex

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// sink takes everything at once and says nothing.
type sink struct{ closed chan struct{} }

func (s *sink) Read([]byte) (int, error)       { <-s.closed; return 0, io.EOF }
func (s *sink) Write(p []byte) (int, error)    { return len(p), nil }
func (s *sink) WriteNow(p []byte) (int, error) { return len(p), nil }
func (s *sink) Close() error                   { close(s.closed); return nil }

func TestSendAllocates(t *testing.T) {
	c := New(&sink{make(chan struct{})}, nil)
	defer c.Close()
	for cl := range numClasses {
		require.NoError(t, c.peerTakes(cl, maxWindow))
	}
	msg := body(1, 100)
	// A large buffer goes round from here on, and must cost nothing either.
	require.NoError(t, c.ClientLane().Send(t.Context(), body(1, maxPayload), false))
	for _, w := range ways {
		lane := w.out(c)
		n := testing.AllocsPerRun(1000, func() {
			if err := lane.Send(t.Context(), msg, w.isNotification); err != nil {
				t.Fatal(err)
			}
		})
		require.Zero(t, n, "allocations to send a small %v message", w.class)
	}
}

// TestReceiveAllocates: a small message costs its own bytes, its queueing nothing.
func TestReceiveAllocates(t *testing.T) {
	c := New(&sink{make(chan struct{})}, nil)
	defer c.Close()
	msg := body(1, 100)
	receive := 0
	c.ServerLane().Receive(func([]byte, bool) bool { receive++; return false }, ignore, func(error) {})
	n := testing.AllocsPerRun(1000, func() { c.deliver(call, msg) })
	require.Zero(t, n)
	for range 1000 {
		c.deliver(reply, msg)
		if _, err := c.ClientLane().ReadMessage(); err != nil {
			t.Fatal(err)
		}
	}
	n = testing.AllocsPerRun(1000, func() {
		c.deliver(reply, msg)
		c.ClientLane().ReadMessage()
	})
	require.Less(t, n, 0.1)
}

func TestSendLimits(t *testing.T) {
	a, b := pair(t, &Options{MaxMessage: 100, MaxSend: 50})
	in := receive(b.ServerLane(), false)
	err := a.ClientLane().Send(t.Context(), body(1, 51), false)
	var se *SizeError
	require.ErrorAs(t, err, &se)
	require.Equal(t, SizeError{Size: 51, Limit: 50}, *se)
	require.Contains(t, err.Error(), "51")
	require.Contains(t, err.Error(), "50")
	require.Error(t, a.ClientLane().Send(t.Context(), nil, true))
	require.Error(t, a.ServerLane().WriteMessage([]byte{}))
	require.NoError(t, a.ClientLane().Send(t.Context(), body(2, 50), false))
	require.Equal(t, 2, checkBody(t, in.wait(t, 1)[0]))
}
