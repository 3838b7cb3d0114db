package rpctest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// Echo gives back what it is given.
type Echo struct{}

func (Echo) Say(text string, reply *string) error {
	*reply = text
	return nil
}

func echoServer() *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.Register(Echo{}); err != nil {
		panic(err)
	}
	return &rpcpipe.Options{Server: server}
}

// TestPairSlow: Peers get along over a link that is slow and cuts everything small, in no time at
// all.
func TestPairSlow(t *testing.T) {
	rpctest.NoneLeft(t)
	synctest.Test(t, func(t *testing.T) {
		faults := []rpctest.Fault{rpctest.Delay(time.Millisecond, time.Second), rpctest.Split(7), rpctest.Rate(1 << 20)}
		link := rpctest.NewLink(&rpctest.LinkOptions{Seed: 1, AToB: faults, BToA: faults})
		a, b := rpctest.Pair(t, link, echoServer(), echoServer())
		long := strings.Repeat("long ", 40_000)
		for _, p := range []*rpcpipe.Peer{a, b} {
			for _, text := range []string{"", "short", long} {
				var reply string
				begin := time.Now()
				require.NoError(t, p.Call("Echo.Say", text, &reply))
				require.Equal(t, text, reply)
				require.GreaterOrEqual(t, time.Since(begin), 2*time.Millisecond, "there and back")
			}
		}
		require.Empty(t, link.Happened())
	})
}

// TestPairFaults: whatever happens to a link at whatever byte or frame, a call gets the right
// answer or an error, and both sides end.
func TestPairFaults(t *testing.T) {
	rpctest.NoneLeft(t)
	long := strings.Repeat("x", 50_000)
	good, happened := 0, 0
	run := func(f rpctest.Fault, found bool) {
		synctest.Test(t, func(t *testing.T) {
			link := rpctest.NewLink(&rpctest.LinkOptions{AToB: []rpctest.Fault{f}})
			opts := echoServer()
			opts.Keepalive = time.Second
			defer link.Cut()
			other := make(chan *rpcpipe.Peer, 1)
			go func() {
				p, _ := rpcpipe.New(t.Context(), link.B, opts)
				other <- p
			}()
			a, err := rpcpipe.New(t.Context(), link.A, opts)
			if err == nil {
				for _, text := range []string{"a", long, "b"} {
					var reply string
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					if err := a.CallContext(ctx, "Echo.Say", text, &reply); err == nil {
						good++
						// What is damaged within a text cannot be told from it, and is as long.
						assert.Len(t, reply, len(text), "%v", f)
					} else if found {
						assert.NotErrorIs(t, err, context.DeadlineExceeded, "%v", f)
					}
					cancel()
				}
				a.Close()
				a.Wait()
			}
			link.Cut()
			if b := <-other; b != nil {
				b.Close()
				b.Wait()
			}
			happened += len(link.Happened())
		})
	}
	for _, at := range points() {
		run(rpctest.Cut(at), true)
		run(rpctest.Stall(at), true)
		// Pipes lose and change nothing: what does is found if it makes no sense, and else it is up
		// to the caller's deadline.
		run(rpctest.Corrupt(at), false)
		run(rpctest.Drop(at), false)
		run(rpctest.Duplicate(at), false)
	}
	require.NotZero(t, good)
	require.Greater(t, happened, 40)
}

// points are in the hello, in the frames of window and calls, and within a long message.
func points() (list []rpctest.Point) {
	for _, n := range []int64{0, 7, 12, 17, 60, 200, 300, 310, 20_000, 40_000} {
		list = append(list, rpctest.Byte(n))
	}
	for n := range int64(8) {
		list = append(list, rpctest.Frame(n))
	}
	return list
}

// TestPairCut: what a call gets when the link ends under it.
func TestPairCut(t *testing.T) {
	rpctest.NoneLeft(t)
	synctest.Test(t, func(t *testing.T) {
		link := rpctest.NewLink(nil)
		server := rpc.NewServer()
		block := make(chan struct{})
		require.NoError(t, server.RegisterName("Slow", &Slow{block}))
		a, b := rpctest.Pair(t, link, nil, &rpcpipe.Options{Server: server})
		call := a.Go("Slow.Wait", 0, nil, nil)
		synctest.Wait()
		link.Cut()
		err := (<-call.Done).Error
		require.Error(t, err)
		require.Error(t, a.Err())
		close(block)
		b.Wait()
		require.ErrorIs(t, a.Err(), io.ErrUnexpectedEOF)
	})
}

// Slow waits until it may return.
type Slow struct{ block chan struct{} }

func (s *Slow) Wait(int, *int) error {
	<-s.block
	return nil
}

// TestPairFails: a pair that cannot connect fails its test, with what the link has done.
func TestPairFails(t *testing.T) {
	rpctest.NoneLeft(t)
	tb := &fakeTB{TB: t}
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { recover() }()
			tb.TB = t
			link := rpctest.NewLink(&rpctest.LinkOptions{AToB: []rpctest.Fault{rpctest.Cut(rpctest.Byte(20))}})
			rpctest.Pair(tb, link, nil, nil)
		}()
		<-done
		tb.end()
	})
	require.Len(t, tb.errors, 1)
	require.Contains(t, tb.errors[0], "rpctest: the two sides do not connect: A: ")
	require.Contains(t, tb.errors[0], "A to B: cut at byte 20")
}

// fakeTB is a test that may fail.
type fakeTB struct {
	testing.TB
	cleanups []func()
	errors   []string
}

var errFailed = errors.New("failed")

func (f *fakeTB) Helper()          {}
func (f *fakeTB) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.errors = append(f.errors, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(errFailed)
}

// end is the end of the test.
func (f *fakeTB) end() {
	for i := len(f.cleanups); i > 0; i-- {
		f.cleanups[i-1]()
	}
}
