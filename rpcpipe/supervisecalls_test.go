package rpcpipe_test

import (
	"context"
	"net/rpc"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// TestRepeats: a call that was in flight when its child died is not made again, unless that does no
// harm, and not for ever.
func TestRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		err := s.Call("Task.Die", 1, nil)
		var down *viaduct.DownError
		require.ErrorAs(t, err, &down)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, 1, n.runs(1))

		time.Sleep(time.Second)
		for name, err := range map[string]error{
			"unknown":     s.Call("Task.Nothing", 1, nil),
			"unencodable": s.Call("Task.Run", make(chan int), nil),
		} {
			require.ErrorIs(t, err, viaduct.ErrNotBegun, name)
			require.NotErrorIs(t, err, rpc.ErrShutdown, name)
		}
		require.Zero(t, s.Stats().Repeated)

		n = new(nursery)
		s = n.supervise(t, &rpcpipe.SuperviseOptions{Idempotent: func(m string) bool { return m != "Task.Run" }})
		call := s.Go("Task.Hold", 2, new(int), nil)
		synctest.Wait()
		n.latest().crash()
		time.Sleep(time.Second)
		n.release()
		require.NoError(t, (<-call.Done).Error)
		require.Equal(t, 1, *call.Reply.(*int))
		require.Equal(t, 2, n.runs(2))

		err = s.Call("Task.Die", 3, nil)
		require.ErrorAs(t, err, &down)
		require.Equal(t, 3, n.runs(3), "it is what kills them")
		require.EqualValues(t, 3, s.Stats().Repeated)

		// Begun in a child that has died, and then no child comes any more.
		call = s.Go("Task.Hold", 4, nil, nil)
		time.Sleep(time.Second)
		n.latest().crash()
		synctest.Wait()
		s.Close()
		err = (<-call.Done).Error
		require.ErrorIs(t, err, rpc.ErrShutdown)
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, 1, n.runs(4))
	})
}

// TestWaitForChild: calls of all kinds wait for a child, and Go and a client's do so without holding
// up others.
func TestWaitForChild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, &rpcpipe.SuperviseOptions{Restart: rpcpipe.Restart{Min: 4 * time.Second}})
		client := s.Client()
		require.NoError(t, client.Call("Task.Run", 1, nil))
		n.latest().crash()
		synctest.Wait()
		begin := time.Now()
		var calls []*rpc.Call
		arg := 2
		for i := range 10 {
			arg = 10 + i
			calls = append(calls, client.Go("Task.Run", &arg, new(int), nil), s.Go("Task.Run", &arg, new(int), nil))
		}
		arg = 0 // they have encoded it
		require.Zero(t, time.Since(begin))
		notified := make(chan error)
		go func() { notified <- s.Notify(t.Context(), "Task.Run", 3) }()
		with := make(chan error)
		go func() {
			with <- s.With(t.Context(), func(ctx context.Context, p *rpcpipe.Peer) error {
				return p.CallContext(ctx, "Task.Run", 4, nil)
			})
		}()
		synctest.Wait()
		require.Equal(t, 22, s.Stats().Waiting)
		for _, call := range calls {
			require.NoError(t, (<-call.Done).Error)
			require.Equal(t, 1, *call.Reply.(*int))
		}
		require.NoError(t, <-notified)
		require.NoError(t, <-with)
		require.GreaterOrEqual(t, time.Since(begin), 3*time.Second)
		for i := range 10 {
			require.Equal(t, 2, n.runs(10+i))
		}
		synctest.Wait() // nil is that it was sent
		require.Equal(t, 1, n.runs(3))

		require.ErrorIs(t, client.Call("Task.Nothing", 1, nil), rpc.ServerError("rpc: can't find method Task.Nothing"))
		require.ErrorContains(t, client.Call("Task.Die", 1, nil), "link is down")
		begin = time.Now()
		require.NoError(t, client.Call("Task.Run", 5, nil), "the client goes on")
		require.Positive(t, time.Since(begin))
		bad := client.Go("Task.Run", make(chan int), nil, nil)
		var body *viaduct.BodyError
		require.ErrorAs(t, (<-bad.Done).Error, &body)
		require.NoError(t, client.Close())
		require.Equal(t, rpc.ErrShutdown, client.Call("Task.Run", 6, nil))
	})
}

// TestSupervisedEncoding: what is encoded ahead is so in the encoding that was chosen.
func TestSupervisedEncoding(t *testing.T) {
	for _, encoding := range []viaduct.Encoding{viaduct.MessagePack, viaduct.Gob, viaduct.JSON} {
		synctest.Test(t, func(t *testing.T) {
			n := new(nursery)
			s := n.supervise(t, &rpcpipe.SuperviseOptions{Peer: &rpcpipe.Options{Encoding: encoding}})
			var first, second int
			require.NoError(t, s.Client().Call("Task.Run", 7, nil))
			n.latest().crash()
			synctest.Wait()
			require.NoError(t, (<-s.Go("Task.Run", 8, &first, nil).Done).Error)
			require.NoError(t, s.Client().Call("Task.Run", 9, &second))
			require.Equal(t, 1, first)
			require.Equal(t, 1, second)
			require.Equal(t, []int{7, 8, 9}, n.ran)
		})
	}
}

// TestNotifyLost: notifications that a child has not handled when it dies are counted, and one that
// has not come to it whole is sent to the next.
func TestNotifyLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(nursery)
		s := n.supervise(t, nil)
		for i := range 1000 {
			require.NoError(t, s.Notify(t.Context(), "Task.Run", i))
		}
		time.Sleep(time.Second)
		require.NoError(t, s.Notify(t.Context(), "Task.Run", 1))
		require.NoError(t, s.Notify(t.Context(), "Task.Hold", 2))
		require.NoError(t, s.Notify(t.Context(), "Task.Run", 3))
		time.Sleep(time.Second)
		n.latest().crash()
		time.Sleep(time.Second)
		lost := s.Stats().LostNotifications
		require.LessOrEqual(t, lost, uint64(3))
		require.GreaterOrEqual(t, lost, uint64(2))

		n.latest().deafen(100_000)
		sent := make(chan error)
		go func() { sent <- s.Notify(t.Context(), "Task.Take", make([]byte, 3<<20)) }()
		synctest.Wait()
		n.latest().crash()
		require.NoError(t, <-sent)
		require.NoError(t, s.Call("Task.Taken", 1, nil))
		require.Equal(t, lost, s.Stats().LostNotifications)
		require.NoError(t, s.Shutdown(t.Context()))
		require.NoError(t, s.Wait())
		require.Equal(t, lost, s.Stats().LostNotifications)
	})
}
