package rpcpipe_test

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Slowly is a service whose notifications take a while of the bubble's time.
type Slowly struct{ handled atomic.Int64 }

func (s *Slowly) Take(d time.Duration, _ *int) error {
	<-time.After(d)
	s.handled.Add(1)
	return nil
}

// Leave ends its goroutine.
func (s *Slowly) Leave(int, *int) error {
	s.handled.Add(1)
	runtime.Goexit()
	return nil
}

// TestSync: it returns when what was sent before has been handled, in whatever order that is done.
func TestSync(t *testing.T) {
	for _, concurrent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, server := new(Slowly), rpc.NewServer()
			require.NoError(t, server.Register(s))
			a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server, ConcurrentNotify: concurrent})
			require.NoError(t, a.Sync(t.Context()), "there is nothing to wait for")
			for range 3 {
				for i := range 20 {
					require.NoError(t, a.Notify(t.Context(), "Slowly.Take", time.Duration(20-i)*time.Second))
				}
				require.NoError(t, a.Notify(t.Context(), "Slowly.Leave", 1))
				synced := make(chan int64, 3)
				for range 3 {
					go func() {
						if a.Sync(t.Context()) == nil {
							synced <- s.handled.Load()
						}
					}()
				}
				synctest.Wait()
				require.NoError(t, a.Notify(t.Context(), "Slowly.Take", time.Hour))
				require.Empty(t, synced)
				for range 3 {
					require.EqualValues(t, 21, <-synced, "concurrent: %v", concurrent)
				}
				require.NoError(t, a.Sync(t.Context()))
				require.EqualValues(t, 22, s.handled.Swap(0))
			}

			require.NoError(t, a.Notify(t.Context(), "Slowly.Take", time.Minute))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, a.Sync(ctx), context.DeadlineExceeded)
			require.NoError(t, a.Shutdown(t.Context()), "one that was given up is answered all the same")
			require.EqualValues(t, 1, s.handled.Load())
			require.ErrorIs(t, a.Sync(t.Context()), rpc.ErrShutdown)
			a.Wait()
			b.Wait()
		})
	}
}

// TestSyncBeyondItsBound: too many of them are refused, and not for ever.
func TestSyncBeyondItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := new(Slowly), rpc.NewServer()
		require.NoError(t, server.Register(s))
		a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
		require.NoError(t, a.Notify(t.Context(), "Slowly.Take", time.Minute))
		const n = 1100
		ended := make(chan error, n)
		for range n {
			go func() { ended <- a.Sync(t.Context()) }()
		}
		refused := 0
		for range n {
			if err := <-ended; err != nil {
				require.ErrorIs(t, err, viaduct.ErrOverload)
				refused++
			}
		}
		require.Equal(t, n-1024, refused)
		require.NoError(t, a.Sync(t.Context()))
		a.Close()
		a.Wait()
		b.Wait()
	})
}

// TestSyncNeedsViaduct: a bare connection has none.
func TestSyncNeedsViaduct(t *testing.T) {
	one, other := net.Pipe()
	p := rpcpipe.NewBare(one, nil)
	require.ErrorIs(t, p.Sync(t.Context()), errors.ErrUnsupported)
	other.Close()
	p.Wait()
}

// Stubborn is a service whose methods take no notice of being cancelled.
type Stubborn struct{ ran atomic.Int64 }

func (s *Stubborn) Work(d time.Duration, _ *int) error {
	time.Sleep(d) // of the bubble
	s.ran.Add(1)
	return nil
}

// TestSettle: it returns when the methods have ended of all calls that were cancelled before, and of
// no others.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := new(Stubborn), rpc.NewServer()
		require.NoError(t, server.Register(s))
		a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server, MaxHandlers: 40})
		require.NoError(t, rpcpipe.Settle(t.Context(), a), "there is nothing to wait for")
		other := a.Go("Stubborn.Work", time.Hour, nil, nil)
		giveUp := func(n int) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			calls := make(chan error, n)
			for i := range n {
				go func() { calls <- a.CallContext(ctx, "Stubborn.Work", time.Duration(10+i)*time.Second, nil) }()
			}
			for range n {
				require.ErrorIs(t, <-calls, context.DeadlineExceeded)
			}
		}
		for range 3 {
			giveUp(20)
			begin, settled := time.Now(), make(chan int64, 2)
			for range 2 {
				go func() {
					if rpcpipe.Settle(t.Context(), a) == nil {
						settled <- s.ran.Load()
					}
				}()
			}
			synctest.Wait()
			giveUp(1) // ends earlier, and holds nobody up
			require.Empty(t, settled)
			for range 2 {
				require.EqualValues(t, 21, <-settled)
			}
			require.Equal(t, 28*time.Second, time.Since(begin))
			s.ran.Store(0)
		}
		giveUp(60) // 21 of them never begin
		require.NoError(t, rpcpipe.Settle(t.Context(), a))
		require.EqualValues(t, 39, s.ran.Load())
		require.NoError(t, (<-other.Done).Error)
		require.NoError(t, a.Shutdown(t.Context()))
		require.ErrorIs(t, rpcpipe.Settle(t.Context(), a), rpc.ErrShutdown)
		a.Wait()
		b.Wait()
	})
}

// TestSettleCancelled: who asks and does not wait for the answer holds up no end, and no others who ask.
func TestSettleCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, server := new(Stubborn), rpc.NewServer()
		require.NoError(t, server.Register(s))
		a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, a.CallContext(ctx, "Stubborn.Work", 10*time.Second, nil))
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, rpcpipe.Settle(ctx, a), context.DeadlineExceeded)
		}
		require.NoError(t, rpcpipe.Settle(t.Context(), a))
		require.Equal(t, 10*time.Second, time.Since(begin))

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, a.CallContext(ctx, "Stubborn.Work", time.Minute, nil))
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, rpcpipe.Settle(ctx, a))
		begin = time.Now()
		require.NoError(t, a.Shutdown(t.Context()))
		require.Zero(t, time.Since(begin))
		a.Wait()
		b.Wait()
		time.Sleep(time.Minute) // of the bubble: the method is still there
	})
}

// Dozer is a service whose method ends with its context.
type Dozer struct{}

func (Dozer) Wait(a FateArg, _ *int) error {
	<-a.Context().Done()
	return a.Context().Err()
}

// TestOneDeadline: a deadline is one error, whether the caller is the first to notice or the method.
func TestOneDeadline(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.Register(Dozer{}))
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: server})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := a.CallContext(ctx, "Dozer.Wait", FateArg{}, nil)
			require.Equal(t, context.DeadlineExceeded, err)
			a.Close()
			a.Wait()
			b.Wait()
		})
	}
}
