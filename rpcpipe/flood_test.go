package rpcpipe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFloodBothWays has both sides send far more than pipes and windows hold, at
// the same time, none of which a handler takes: with net/rpc's own codecs, whose
// read loop writes the error replies, both sides stop for good.
func TestFloodBothWays(t *testing.T) {
	t.Parallel()
	const calls, size = 500, 32 << 10
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			body := make([]byte, size)
			var running sync.WaitGroup
			running.Go(func() {
				failure := ""
				if err := p.Call("Service.Flood", Args{calls, size}, &failure); err != nil || failure != "" {
					t.Errorf("flood from the other side: %v %s", err, failure)
				}
			})
			for range calls {
				running.Go(func() {
					if err := expectText(p.Call("Service.Nope", body, nil), "can't find method"); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			require.NoError(t, p.Close())
			require.NoError(t, p.Wait())
		})
	}
}

// Flood calls the other side args.A times at once with a body of args.B bytes.
func (s *Service) Flood(args *Args, failure *string) error {
	<-s.connected
	body := make([]byte, args.B)
	failed := make(chan error, args.A)
	var running sync.WaitGroup
	for range args.A {
		running.Go(func() {
			failed <- expectText(s.peer.Call("Service.Nope", body, nil), "can't find method")
		})
	}
	running.Wait()
	for range args.A {
		if err := <-failed; err != nil {
			*failure = err.Error()
		}
	}
	return nil
}

// TestNestedCallsBesideNoteFlood: notifications that wait for their turn hold
// up neither calls nor replies, however many there are.
func TestNestedCallsBesideNoteFlood(t *testing.T) {
	t.Parallel()
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			ctx, stop := context.WithCancel(t.Context())
			var flooding sync.WaitGroup
			// The other side handles none of them: its first one parks.
			flooding.Go(func() {
				ballast := make([]byte, 1000)
				for p.Notify(ctx, "Service.ParkNote", ballast) == nil {
				}
			})
			for range 20 {
				var depth int
				require.NoError(t, p.Call("Service.Nest", 8, &depth))
				require.Equal(t, 8, depth)
			}
			require.NoError(t, p.Call("Service.Unpark", 0, nil))
			stop()
			flooding.Wait()
			require.NoError(t, p.Close())
			require.NoError(t, p.Wait())
		})
	}
}

// ParkNote waits for Unpark.
func (s *Service) ParkNote(_ []byte, _ *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.unparked {
		s.changed.Wait()
	}
	return nil
}

func (s *Service) Unpark(int, *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unparked = true
	s.changed.Broadcast()
	return nil
}

// TestLargeMessagesBesideSmallCalls: a small call does not wait for a large one.
func TestLargeMessagesBesideSmallCalls(t *testing.T) {
	t.Parallel()
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			var large sync.WaitGroup
			for i := range 8 {
				large.Go(func() {
					var back []byte
					if err := p.Call("Service.Echo", make([]byte, 3<<20+i), &back); err != nil || len(back) != 3<<20+i {
						t.Errorf("%d bytes, %v", len(back), err)
					}
				})
			}
			for i := range 100 {
				var sum int
				if err := p.Call("Service.Add", Args{i, 1}, &sum); err != nil || sum != i+1 {
					t.Error(fmt.Errorf("%d + 1 = %d, %v", i, sum, err))
				}
			}
			large.Wait()
			require.NoError(t, p.Close())
			require.NoError(t, p.Wait())
		})
	}
}
