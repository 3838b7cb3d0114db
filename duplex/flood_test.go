package duplex

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFlood: both sides call 500 times at once with 32 KiB, and answer with
// 32 KiB, over real pipes of 64 KiB. If one reader waited for a writer,
// nothing would move any more.
func TestFlood(t *testing.T) {
	const calls, size = 500, 32 << 10
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		var work sync.WaitGroup
		for _, c := range []*Conn{a, b} {
			c.ServerLane().Receive(func(msg []byte, _ bool) bool {
				work.Go(func() {
					if err := c.ServerLane().Send(ctx, msg, false); err != nil {
						t.Errorf("reply: %v", err)
					}
				})
				return true
			}, ignore, func(error) {})
			replies := receive(c.ClientLane(), false)
			for i := range calls {
				work.Go(func() {
					if err := c.ClientLane().Send(ctx, body(i, size), false); err != nil {
						t.Errorf("call: %v", err)
					}
				})
			}
			work.Go(func() {
				seen := map[int]bool{}
				for _, msg := range replies.wait(t, calls) {
					seen[checkBody(t, msg)] = true
				}
				if len(seen) != calls {
					t.Errorf("%d different replies, want %d", len(seen), calls)
				}
			})
		}
		work.Wait()
		require.NoError(t, a.Close())
		b.Wait()
		a.Wait()
		requireIdle(t, a, b)
	})
}

// TestSenders: many senders of the largest size, of all classes, and small ones among them.
func TestSenders(t *testing.T) {
	opts := &Options{Window: 100_000, MaxMessage: 1 << 20}
	overPipes(t, opts, func(t *testing.T, a, b *Conn) {
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		var work sync.WaitGroup
		for _, d := range [][2]*Conn{{a, b}, {b, a}} {
			from, to := d[0], d[1]
			server, client := receive(to.ServerLane(), false), receive(to.ClientLane(), false)
			for _, w := range ways {
				for i := range 16 {
					work.Go(func() {
						for j := range 4 {
							size := opts.MaxMessage
							if (i+j)%4 != 0 {
								size = 8 + i
							}
							if err := w.out(from).Send(ctx, body(i, size), w.isNotification); err != nil {
								t.Errorf("%v: %v", w.class, err)
							}
						}
					})
				}
			}
			work.Go(func() {
				for _, msg := range append(server.wait(t, 128), client.wait(t, 64)...) {
					checkBody(t, msg)
				}
			})
		}
		work.Wait()
		require.NoError(t, a.Close())
		b.Wait()
		a.Wait()
		requireIdle(t, a, b)
	})
}

// TestIdleKeepsNothing: a message that has been taken is nobody's but its receiver's.
func TestIdleKeepsNothing(t *testing.T) {
	a, b := pair(t, nil)
	var collected sync.WaitGroup
	b.ServerLane().Receive(func(msg []byte, _ bool) bool {
		runtime.AddCleanup(&msg[0], func(int) { collected.Done() }, 0)
		return true
	}, ignore, func(error) {})
	for _, n := range []int{100, 32 << 10, 1 << 20} {
		collected.Add(1)
		require.NoError(t, a.ClientLane().Send(t.Context(), body(1, n), false))
	}
	// Behind them, so that they have been delivered.
	reply := receive(a.ClientLane(), false)
	require.NoError(t, b.ServerLane().Send(t.Context(), body(1, 10), false))
	reply.wait(t, 1)
	all := make(chan struct{})
	go func() { collected.Wait(); close(all) }()
	limit := time.After(10 * time.Second)
	for !isClosed(all) {
		runtime.GC()
		select {
		case <-limit:
			require.FailNow(t, "a message is still held")
		default:
			runtime.Gosched()
		}
	}
}
