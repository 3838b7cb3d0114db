package duplex

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestOrderOfSmall: one-frame messages of a class keep their order, whatever
// waits for credit and whatever long ones go out beside them.
func TestOrderOfSmall(t *testing.T) {
	for _, w := range ways {
		for _, window := range []int{64, 100_000} {
			t.Run(fmt.Sprint(w.class, window), func(t *testing.T) {
				both(t, &Options{Window: window, MaxMessage: 1 << 20}, func(t *testing.T, a, b *Conn) {
					in := receive(w.in(b), false)
					var long <-chan error
					if w.class != notification {
						long = sending(t.Context(), w.out(a), body(1<<20, 1<<20), false)
					}
					const n = 500
					for i := range n {
						require.NoError(t, w.out(a).Send(t.Context(), body(i, 8+i*61%32761), w.isNotification))
					}
					next, want := 0, n
					if long != nil {
						require.NoError(t, <-long)
						want++
					}
					for _, msg := range in.wait(t, want) {
						if len(msg) < 1<<20 {
							require.Equal(t, next, checkBody(t, msg))
							next++
						}
					}
					require.Equal(t, n, next)
				})
			})
		}
	}
}

// TestSmallAmongLarge: a small message of any class that is sent while 100 MiB
// go out is at most one batch of frames behind, and then the large one goes on.
func TestSmallAmongLarge(t *testing.T) {
	for i, w := range ways {
		size := []int{100 << 20, 10 << 20, 10 << 20}[i]
		large := make([]byte, size)
		t.Run(w.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, a, b := tapped(t, nil)
				receive(b.ClientLane(), false)
				receive(b.ServerLane(), false)
				synctest.Wait()
				x.stopAt(kindPiece+kind(call), 100)
				sent := sending(t.Context(), a.ClientLane(), large, false)
				<-x.stopped
				x.trace.take()
				small := sending(t.Context(), w.out(a), body(1, 100), w.isNotification)
				synctest.Wait()
				close(x.resume)
				require.NoError(t, <-small)
				require.NoError(t, <-sent)
				synctest.Wait()
				frames := x.trace.take()
				at := -1
				for i, h := range frames {
					if h.kind == kindWhole+kind(w.class) {
						at = i
					}
				}
				require.GreaterOrEqual(t, at, 0)
				require.LessOrEqual(t, at, 2, "frames ahead of the small message")
				require.Greater(t, len(frames), size/maxPayload-101)
			})
		})
	}
}

// TestLargeAmongSmall: a flood of small messages leaves a long one a piece
// after every 64 KiB at least.
func TestLargeAmongSmall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, a, b := tapped(t, nil)
		receive(b.ClientLane(), false)
		receive(b.ServerLane(), false)
		synctest.Wait()
		stop := make(chan struct{})
		var flood sync.WaitGroup
		for i := range 30 {
			w := ways[i%3]
			flood.Go(func() {
				for !isClosed(stop) {
					if w.out(a).Send(t.Context(), body(i, 1000), w.isNotification) != nil {
						return
					}
				}
			})
		}
		sent := sending(t.Context(), a.ClientLane(), body(1, 10<<20), false)
		require.NoError(t, <-sent)
		close(stop)
		flood.Wait()
		synctest.Wait()
		open, between, pieces := false, 0, 0
		for _, h := range x.trace.take() {
			switch base, _ := h.kind.split(); base {
			case kindFirst:
			case kindPiece:
				open, between, pieces = true, 0, pieces+1
			case kindWhole:
				between += headerSize + int(h.length)
				if open && pieces < 319 {
					require.LessOrEqual(t, between, 64<<10+1100, "bytes between pieces")
				}
			}
		}
		require.Equal(t, 320, pieces)
	})
}

// TestFairness: long messages that may send take turns, piece by piece.
func TestFairness(t *testing.T) {
	const n, size = 6, 2 << 20
	synctest.Test(t, func(t *testing.T) {
		x, a, b := tapped(t, nil)
		client, server := receive(b.ClientLane(), false), receive(b.ServerLane(), false)
		synctest.Wait()
		// A hold on the first frames lets all of them begin together.
		x.stopAt(kindFirst+kind(call), 1)
		var sent []<-chan error
		for i := range n {
			w := ways[i%3]
			if w.class == notification {
				w = ways[0]
			}
			sent = append(sent, sending(t.Context(), w.out(a), body(i, size), false))
		}
		<-x.stopped
		synctest.Wait()
		close(x.resume)
		for _, c := range sent {
			require.NoError(t, <-c)
		}
		client.wait(t, n/3)
		server.wait(t, n-n/3)
		type key struct {
			k  kind
			id uint32
		}
		pieces := map[key]int{}
		const total = (size - firstData + maxPayload - 1) / maxPayload
		compared := 0
		var since map[key]int // pieces since all have begun
		for _, h := range x.trace.take() {
			if base, _ := h.kind.split(); base != kindPiece {
				continue
			}
			m := key{h.kind, h.id}
			pieces[m]++
			if since == nil && len(pieces) == n {
				since = map[key]int{}
			}
			if since == nil {
				continue
			}
			since[m]++
			low, high := since[m], since[m]
			for m, sent := range pieces {
				if sent < total { // who has ended is out of the turn
					low, high = min(low, since[m]), max(high, since[m])
				}
			}
			require.LessOrEqual(t, high-low, 2, "pieces one message is ahead of another")
			compared++
		}
		require.Len(t, pieces, n)
		require.Greater(t, compared, n)
	})
}

// TestControlFirst: what the peer needs goes ahead of what is queued.
func TestControlFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, a, b := tapped(t, nil)
		receive(a.ServerLane(), false)
		receive(b.ServerLane(), false)
		synctest.Wait()
		x.stopAt(kindWhole+kind(call), 1)
		require.NoError(t, a.ClientLane().Send(t.Context(), body(1, 100), false))
		<-x.stopped
		for range 20 {
			require.NoError(t, a.ClientLane().Send(t.Context(), body(1, 1000), false))
		}
		sent := sending(t.Context(), b.ClientLane(), body(1, 200_000), false)
		synctest.Wait() // its first frame has come, and its grant waits
		x.trace.take()
		close(x.resume)
		require.NoError(t, <-sent)
		frames := x.trace.take()
		require.Equal(t, header{kindGrant + kind(call), 0, 0}, frames[0])
	})
}

// TestByteStream: Read and Write keep every byte, however it is cut.
func TestByteStream(t *testing.T) {
	a, b := pair(t, tiny)
	data := body(1, 200_001)
	go func() {
		for rest := data; len(rest) > 0; {
			n := min(len(rest), 70_001)
			m, err := a.ClientLane().Write(rest[:n])
			if err != nil || m != n {
				t.Errorf("Write of %d bytes: %d, %v", n, m, err)
				return
			}
			rest = rest[n:]
		}
		a.Close()
	}()
	n, err := b.ServerLane().Read(nil)
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := io.ReadAll(b.ServerLane())
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got), "%d bytes of %d", len(got), len(data))
}
