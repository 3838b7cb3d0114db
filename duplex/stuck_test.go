package duplex

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Each of these got stuck in a model of plain bounded queues. They run with a
// window of 64 bytes, both ways at once, and with every sender waiting for
// ever: a test that gets stuck ends with synctest's report of a deadlock.

var tiny = &Options{Window: 64, MaxMessage: 1 << 20}

// both runs f for each side of a link in memory.
func both(t *testing.T, opts *Options, f func(t *testing.T, a, b *Conn)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, opts)
		done := make(chan struct{})
		go func() {
			defer close(done)
			f(t, b, a)
		}()
		f(t, a, b)
		<-done
		synctest.Wait()
		requireAgree(t, a, b)
	})
}

// A way is one class of messages from one side to the other.
type way struct {
	class          class
	out            func(*Conn) *Lane
	in             func(*Conn) *Lane
	isNotification bool
}

var ways = []way{
	{call, (*Conn).ClientLane, (*Conn).ServerLane, false},
	{reply, (*Conn).ServerLane, (*Conn).ClientLane, false},
	{notification, (*Conn).ClientLane, (*Conn).ServerLane, true},
}

func TestLargerThanWindow(t *testing.T) {
	for _, senders := range []int{1, 2, 10} {
		t.Run(fmt.Sprint(senders), func(t *testing.T) {
			both(t, tiny, func(t *testing.T, a, b *Conn) {
				server, client := receive(b.ServerLane(), false), receive(b.ClientLane(), false)
				var sent []<-chan error
				for i := range senders {
					for j, w := range ways {
						// Of the largest size: no two fit what may be granted.
						sent = append(sent, sending(t.Context(), w.out(a), body(3*i+j, 1<<20), w.isNotification))
					}
				}
				for _, c := range sent {
					require.NoError(t, <-c)
				}
				seen := map[int]bool{}
				for _, msg := range append(server.wait(t, 2*senders), client.wait(t, senders)...) {
					seen[checkBody(t, msg)] = true
				}
				require.Len(t, seen, 3*senders)
			})
		})
	}
}

// TestHalfReceived: ten long messages have begun, no more than one may be
// granted. They must not wait for each other's credit.
func TestHalfReceived(t *testing.T) {
	opts := &Options{Window: 10 * 40000, MaxMessage: 10 * 40000}
	both(t, opts, func(t *testing.T, a, b *Conn) {
		in := receive(b.ServerLane(), false)
		var sent []<-chan error
		for i := range 10 {
			sent = append(sent, sending(t.Context(), a.ClientLane(), body(i, opts.MaxMessage), false))
		}
		for _, c := range sent {
			require.NoError(t, <-c)
		}
		for _, msg := range in.wait(t, 10) {
			checkBody(t, msg)
		}
	})
}

// TestNotificationOrder: small ones behind large ones, one queue, none overtakes.
func TestNotificationOrder(t *testing.T) {
	for _, sizes := range [][]int{
		{100_000, 10, 10, 10},
		{10, 1 << 20, 10, 40_000, 40_000, 10, 32_768, 32_769, 8},
	} {
		both(t, tiny, func(t *testing.T, a, b *Conn) {
			in := receive(b.ServerLane(), false)
			for round := range 5 {
				var sent []<-chan error
				for i, n := range sizes {
					sent = append(sent, queued(t, a, body(round*100+i, n)))
				}
				for _, c := range sent {
					require.NoError(t, <-c)
				}
				for i, msg := range in.wait(t, len(sizes)) {
					require.Equal(t, round*100+i, checkBody(t, msg))
				}
			}
		})
	}
}

// queued sends a notification and returns when it is queued or sent.
func queued(t *testing.T, c *Conn, msg []byte) <-chan error {
	entered := make(chan struct{})
	sent := make(chan error, 1)
	go func() {
		ctx := &noticed{Context: t.Context(), tell: sync.OnceFunc(func() { close(entered) })}
		err := c.ClientLane().Send(ctx, msg, true)
		ctx.tell()
		sent <- err
	}()
	<-entered
	return sent
}

// noticed is a context that tells when it is first waited for.
type noticed struct {
	context.Context
	tell func()
}

func (n *noticed) Done() <-chan struct{} {
	n.tell()
	return n.Context.Done()
}

// TestNestedBesideFlood: calls nested eight deep beside notifications that nobody takes.
func TestNestedBesideFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, tiny)
		ctx, cancel := context.WithCancel(t.Context())
		var floods []<-chan error
		for _, c := range []*Conn{a, b} {
			for i := range 20 {
				floods = append(floods, sending(ctx, c.ClientLane(), body(i, 100+40_000*(i%2)), true))
			}
		}
		// A call says in its first byte how much deeper it is to go, in its second who made it.
		replies := map[*Conn]*[10]chan byte{a: {}, b: {}}
		var untaken atomic.Int64
		for c, list := range replies {
			for i := range list {
				list[i] = make(chan byte, 100)
			}
			c.ClientLane().Receive(func(msg []byte, _ bool) bool { list[msg[0]] <- msg[0]; return true }, ignore, func(error) {})
			c.ServerLane().Receive(func(msg []byte, _ bool) bool {
				if len(msg) >= 100 {
					untaken.Add(1)
					return false
				}
				go func() {
					depth := msg[0]
					if depth > 0 {
						if c.ClientLane().Send(ctx, []byte{depth - 1, 0, 0}, false) != nil {
							return
						}
						<-list[depth-1]
					}
					c.ServerLane().Send(ctx, []byte{depth}, false)
				}()
				return true
			}, ignore, func(error) {})
		}
		for range 10 {
			for _, c := range []*Conn{a, b} {
				require.NoError(t, c.ClientLane().Send(ctx, []byte{8, 0, 0}, false))
			}
			<-replies[a][8]
			<-replies[b][8]
		}
		// The flood stands where its credit ended: 64 bytes, overdrawn by one message.
		require.EqualValues(t, 2, untaken.Load())
		cancel()
		for i, c := range floods {
			if err := <-c; err != nil {
				require.ErrorIs(t, err, context.Canceled, "notification %d", i)
			}
		}
	})
}

// TestClassesApart: whatever two classes are stuck in, the third goes on.
func TestClassesApart(t *testing.T) {
	for _, free := range ways {
		t.Run(free.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := pair(t, tiny)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				// Nobody takes the messages of 500 bytes and more.
				got := 0
				deliver := func(msg []byte, _ bool) bool {
					if len(msg) >= 500 {
						return false
					}
					got++
					return true
				}
				b.ServerLane().Receive(deliver, ignore, func(error) {})
				b.ClientLane().Receive(deliver, ignore, func(error) {})
				for _, w := range ways {
					if w.class != free.class {
						for i := range 10 {
							sending(ctx, w.out(a), body(i, 500+100_000*(i%2)), w.isNotification)
						}
					}
				}
				synctest.Wait()
				for i := range 100 {
					require.NoError(t, free.out(a).Send(ctx, body(i, 1+i), free.isNotification))
				}
				synctest.Wait()
				require.Equal(t, 100, got)
			})
		})
	}
}
