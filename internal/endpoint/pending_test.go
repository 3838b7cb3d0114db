package endpoint

import (
	"context"
	"io"
	"math"
	"net"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
)

// TestMsgidWrap: behind the last comes 0, and one in use is skipped.
func TestMsgidWrap(t *testing.T) {
	g, server := newGate()
	a, b := barePair(nil, &Options{Server: server})
	first := a.Go("Gate.Pass", 100, new(int), nil) // has msgid 0
	<-g.at
	a.pending.mu.Lock()
	a.pending.next = math.MaxUint32 - 1
	a.pending.mu.Unlock()
	done := make(chan *rpc.Call, 5)
	replies := make([]int, 5)
	for i := range replies {
		a.Go("Gate.Pass", i, &replies[i], done)
		<-g.at
	}
	a.pending.mu.Lock()
	for _, id := range []uint32{0, math.MaxUint32 - 1, math.MaxUint32, 1, 2, 3} {
		require.NotNil(t, a.pending.calls[id], id)
	}
	require.Len(t, a.pending.calls, 6)
	a.pending.mu.Unlock()
	close(g.open)
	for range replies {
		require.NoError(t, (<-done).Error)
	}
	require.Equal(t, []int{0, 1, 2, 3, 4}, replies)
	require.NoError(t, (<-first.Done).Error)
	require.Equal(t, 100, *first.Reply.(*int))
	a.Close()
	require.Zero(t, b.Wait(context.Background()))
}

// TestPendingFails: behind fail nothing is pending.
func TestPendingFails(t *testing.T) {
	p := pendingCalls{calls: make(map[uint32]*pendingCall)}
	one := p.get()
	id, err := p.add(one)
	require.NoError(t, err)
	require.Equal(t, []*pendingCall{one}, p.fail(rpc.ErrShutdown))
	require.Equal(t, rpc.ErrShutdown, one.err)
	require.False(t, p.remove(id, one, false), "somebody else completes it")
	require.Nil(t, p.take(id, false))
	_, err = p.add(p.get())
	require.Equal(t, rpc.ErrShutdown, err)
	require.Empty(t, p.calls)
}

// TestClosedClientLeavesNothing: no call of it stays in the table, however it ended.
func TestClosedClientLeavesNothing(t *testing.T) {
	for _, closed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			g, server := newGate()
			a, b := barePair(nil, &Options{Server: server})
			client := a.Client()
			parked := client.Go("Gate.Pass", 1, nil, nil)
			<-g.at
			if closed {
				client.Close()
				<-parked.Done
			} else {
				codec := &clientCodec{e: a, more: make(chan struct{}, 1)}
				codec.open, codec.close = context.WithCancel(t.Context())
				require.NoError(t, codec.WriteRequest(&rpc.Request{ServiceMethod: "Gate.Nope", Seq: 5}, 1))
				require.NoError(t, codec.WriteRequest(&rpc.Request{ServiceMethod: "Gate.Pass", Seq: 6}, 1))
				require.NoError(t, codec.ReadResponseHeader(&rpc.Response{}))
				codec.current.response = message.Message{Body: []byte{0xc1}}
				var berr *fault.BodyError
				require.ErrorAs(t, codec.ReadResponseBody(new(int)), &berr)
				require.Equal(t, rpc.ErrShutdown, codec.WriteRequest(&rpc.Request{ServiceMethod: "Gate.Pass"}, 1))
				client.Close()
			}
			synctest.Wait() // until the other side has answered the cancels
			a.pending.mu.Lock()
			require.Empty(t, a.pending.calls)
			a.pending.mu.Unlock()
			close(g.open)
			a.Close()
			require.Zero(t, b.Wait(context.Background()))
			require.Zero(t, a.Wait(context.Background()))
		})
	}
}

// TestAbandonedBound: beyond so many calls that were given up and never answered further ones wait,
// until one of those is answered, their context ends, or the link does.
func TestAbandonedBound(t *testing.T) {
	require.Equal(t, 65_536, maxAbandoned)
	defer func(n int) { maxAbandoned = n }(maxAbandoned)
	maxAbandoned = 3
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		go io.Copy(io.Discard, y) // and answers nothing
		e := NewEndpoint(x, nil, nil)
		requireSent := func(n int) {
			t.Helper()
			synctest.Wait()
			require.EqualValues(t, n, e.Stats().Made.Calls)
		}
		giveUp := func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begin := time.Now()
			require.ErrorIs(t, e.CallContext(ctx, "A.B", 1, nil), context.DeadlineExceeded)
			require.Equal(t, time.Second, time.Since(begin))
		}
		for range 5 {
			giveUp()
		}
		requireSent(3)

		ended := make(chan error, 10)
		client := e.Client()
		go func() { ended <- client.Call("A.B", 1, nil) }()
		requireSent(3)
		require.NoError(t, client.Close())
		require.ErrorIs(t, <-ended, rpc.ErrShutdown)

		client = e.Client()
		waiting := []func() error{
			func() error { return e.Call("A.B", 1, nil) },
			func() error { return (<-e.Go("A.B", 1, nil, nil).Done).Error },
			func() error { return client.Call("A.B", 1, nil) },
			func() error { return e.CallContext(t.Context(), "A.B", 1, nil) },
		}
		for _, call := range waiting {
			go func() { ended <- call() }()
		}
		requireSent(3)
		y.Write([]byte("\x94\x01\x01\xc0\xc0")) // the answer to the second call
		requireSent(7)
		require.Empty(t, ended)
		giveUp()
		requireSent(8)
		for _, call := range waiting {
			go func() { ended <- call() }()
		}
		requireSent(8) // once more there are three
		y.Close()
		for range 2 * len(waiting) {
			require.ErrorIs(t, <-ended, rpc.ErrShutdown)
		}
		requireSent(8)
		require.Zero(t, e.Wait(t.Context()))
	})
}

// endingLink is a link that ends while something is being sent.
type endingLink struct {
	link.Link
	ended func(error)
}

func (l *endingLink) Read([]byte) (int, error)  { panic("not used") }
func (l *endingLink) Write([]byte) (int, error) { panic("not used") }
func (l *endingLink) MaxSend() int              { return 1000 }
func (l *endingLink) Draining() error           { return nil }
func (l *endingLink) OnWaiting(func())          {}
func (l *endingLink) Fail(error)                {}
func (l *endingLink) Close() error              { return nil }
func (l *endingLink) Receive(_ func([]byte, bool) bool, _ func([]byte), ended func(error)) {
	l.ended = ended
}
func (l *endingLink) Send(context.Context, []byte, bool, link.Sending) (uint64, error) {
	l.ended(net.ErrClosed)
	return 0, net.ErrClosed
}

// TestEndWhileSending: the call completes once.
func TestEndWhileSending(t *testing.T) {
	for range 20 {
		e := NewEndpoint(&endingLink{}, nil, nil)
		require.ErrorIs(t, e.Call("A.B", 1, nil), fault.ErrNotBegun)
		for range 5 {
			require.Empty(t, e.pending.get().ready, "a call in the pool has not completed")
		}
		e = NewEndpoint(&endingLink{}, nil, nil)
		done := make(chan *rpc.Call, 2)
		e.Go("A.B", 1, nil, done)
		require.ErrorIs(t, (<-done).Error, rpc.ErrShutdown)
		require.Empty(t, done)
		require.Zero(t, e.Wait(context.Background()))
	}
}
