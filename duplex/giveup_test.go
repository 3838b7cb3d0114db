package duplex

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A sender's context ends in each place where it can wait. The message does not
// arrive, nothing it held is lost, and what comes later goes on.

// TestGiveUpCredit: while it waits for credit, also at the head of a queue.
func TestGiveUpCredit(t *testing.T) {
	for _, w := range ways {
		for _, size := range []int{100, 100_000} {
			t.Run(fmt.Sprint(w.class, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := pair(t, tiny)
					in := receive(w.in(b), true)
					synctest.Wait()
					require.NoError(t, w.out(a).Send(t.Context(), body(0, 100), w.isNotification))
					ctx, cancel := context.WithCancel(t.Context())
					sent := sending(ctx, w.out(a), body(1, size), w.isNotification)
					synctest.Wait()
					later := sending(t.Context(), w.out(a), body(2, 100), w.isNotification)
					synctest.Wait()
					cancel()
					require.ErrorIs(t, <-sent, context.Canceled)
					w.in(b).Release(100, w.isNotification)
					require.NoError(t, <-later)
					w.in(b).Release(100, w.isNotification)
					synctest.Wait()
					for i, msg := range in.take() {
						require.Equal(t, 2*i, checkBody(t, msg))
					}
					requireAgree(t, a, b)
				})
			})
		}
	}
}

// TestGiveUpGrant: while it waits for its grant, and while it has it.
func TestGiveUpGrant(t *testing.T) {
	for _, w := range ways[:2] { // notifications wait for each other's end, not for grants
		for give := range 2 {
			t.Run(fmt.Sprint(w.class, give), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const size = 300_000
					a, b := pair(t, &Options{Window: 200_000, MaxMessage: size})
					in := receive(w.in(b), true)
					synctest.Wait()
					// One is received and not taken: it keeps the others from being granted.
					require.NoError(t, w.out(a).Send(t.Context(), body(0, size), w.isNotification))
					var sent []<-chan error
					var cancel []context.CancelFunc
					for i := range 3 {
						ctx, c := context.WithCancel(t.Context())
						sent, cancel = append(sent, sending(ctx, w.out(a), body(i+1, size), w.isNotification)), append(cancel, c)
						synctest.Wait()
						defer c()
					}
					require.Len(t, b.grants.waiting[w.class], 3)
					cancel[give]()
					require.ErrorIs(t, <-sent[give], context.Canceled)
					synctest.Wait()
					require.Len(t, b.grants.waiting[w.class], 2)
					w.in(b).Release(size, w.isNotification)
					for i := range sent {
						if i != give {
							require.NoError(t, <-sent[i])
							synctest.Wait()
							w.in(b).Release(size, w.isNotification)
						}
					}
					synctest.Wait()
					require.Equal(t, 3, in.len())
					requireAgree(t, a, b)
				})
			})
		}
	}
}

// TestGiveUpBetweenPieces: behind so many pieces, with others waiting.
func TestGiveUpBetweenPieces(t *testing.T) {
	for _, w := range ways {
		t.Run(w.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, a, b := tapped(t, tiny)
				in := receive(w.in(b), false)
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				x.stopAt(kindPiece+kind(w.class), 4) // the last of its batch
				sent := sending(ctx, w.out(a), body(1, 1<<20), w.isNotification)
				<-x.stopped
				next := sending(t.Context(), w.out(a), body(2, 1<<20), w.isNotification)
				small := sending(t.Context(), w.out(a), body(3, 8), w.isNotification)
				synctest.Wait()
				cancel()
				require.ErrorIs(t, <-sent, context.Canceled)
				x.trace.take()
				close(x.resume)
				require.NoError(t, <-next)
				require.NoError(t, <-small)
				synctest.Wait()
				seen := map[int]bool{}
				for _, msg := range in.take() {
					seen[checkBody(t, msg)] = true
				}
				require.Equal(t, map[int]bool{2: true, 3: true}, seen)
				frames := x.trace.take()
				require.Equal(t, header{kindAbort + kind(w.class), 0, 0}, frames[0])
				for _, h := range frames[1:] {
					require.NotEqual(t, header{kindPiece + kind(w.class), h.length, 0}, h, "no piece behind the abort")
				}
				requireAgree(t, a, b)
			})
		})
	}
}

// TestGiveUpGranted: its room goes to the one that waits for a grant behind it.
func TestGiveUpGranted(t *testing.T) {
	for _, w := range ways[:2] {
		t.Run(w.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const size = 300_000
				x, a, b := tapped(t, &Options{Window: 200_000, MaxMessage: size})
				in := receive(w.in(b), false)
				synctest.Wait()
				x.stopAt(kindFirst+kind(w.class), 1)
				ctx, cancel := context.WithCancel(t.Context())
				first := sending(ctx, w.out(a), body(1, size), w.isNotification)
				<-x.stopped
				second := sending(t.Context(), w.out(a), body(2, size), w.isNotification)
				synctest.Wait()
				resume := x.resume
				x.stopAt(kindPiece+kind(w.class), 2)
				close(resume)
				<-x.stopped
				synctest.Wait()
				require.Len(t, b.grants.waiting[w.class], 1)
				cancel()
				require.ErrorIs(t, <-first, context.Canceled)
				close(x.resume)
				require.NoError(t, <-second)
				require.Equal(t, 2, checkBody(t, in.wait(t, 1)[0]))
				synctest.Wait()
				requireAgree(t, a, b)
			})
		})
	}
}

// stopper is a tap that stops the writing at a frame and goes on when told.
type stopper struct {
	trace           trace
	kind            kind
	n               int
	stopped, resume chan struct{}
}

func (s *stopper) stopAt(k kind, n int) {
	s.trace.mu.Lock()
	defer s.trace.mu.Unlock()
	s.kind, s.n = k, n
	s.stopped, s.resume = make(chan struct{}), make(chan struct{})
}

func (s *stopper) see(h header) {
	s.trace.see(h)
	s.trace.mu.Lock()
	stopped, resume := s.stopped, s.resume
	stop := h.kind == s.kind && s.n > 0
	if stop {
		s.n--
		stop = s.n == 0
	}
	s.trace.mu.Unlock()
	if stop {
		close(stopped)
		<-resume
	}
}
