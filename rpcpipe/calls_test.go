package rpcpipe_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"net/rpc"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Calls is a service whose methods know who calls them.
type Calls struct {
	begun   chan int
	open    chan struct{} // closed when those that hold may return
	running atomic.Int64
	ended   atomic.Int64
}

type CallArg struct {
	viaduct.Caller
	N    int
	Data []byte
}

func newCalls() *Calls { return &Calls{begun: make(chan int, 10), open: make(chan struct{})} }

func (c *Calls) server() *rpc.Server {
	s := rpc.NewServer()
	if err := s.Register(c); err != nil {
		panic(err)
	}
	return s
}

// Back calls the caller back, to a depth of N.
func (c *Calls) Back(a CallArg, reply *int) error {
	if a.N == 0 {
		return nil
	}
	err := rpcpipe.FromContext(a.Context()).CallContext(a.Context(), "Calls.Back", CallArg{N: a.N - 1}, reply)
	*reply++
	return a.Fail(err)
}

// Hold holds until open, whatever becomes of its caller.
func (c *Calls) Hold(a CallArg, _ *int) error {
	c.running.Add(1)
	defer c.running.Add(-1)
	<-c.open
	return nil
}

// Heed returns when its caller has given up.
func (c *Calls) Heed(a CallArg, _ *int) error {
	<-a.Context().Done()
	c.ended.Add(1)
	return nil
}

func (c *Calls) Open(a CallArg, _ *int) error {
	_, err := os.Open(fmt.Sprint("/no/such/file/", a.N))
	return a.Fail(err)
}

func (c *Calls) Panic(a CallArg, _ *int) error { panic(fmt.Sprint("number ", a.N)) }

func (c *Calls) Park(a CallArg, _ *int) error {
	c.begun <- a.N
	select {}
}

func init() {
	children["calls"] = func([]string) {
		connect(&rpcpipe.Options{Server: newCalls().server(), ServeHook: panicHook}).Wait()
	}
}

// panicHook tells of panics.
func panicHook(ctx context.Context, call rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
	return nil, func(r rpcpipe.CallResult) {
		if trap := (*viaduct.PanicError)(nil); errors.As(r.Err, &trap) {
			fmt.Fprintln(os.Stderr, "hook:", call.Method, trap.Value)
		}
	}
}

func callsChild(t *testing.T, opts *rpcpipe.Options) *rpcpipe.Peer {
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("calls"), opts)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// TestCallerAcrossProcesses: contexts, call backs and errors, with a real child.
func TestCallerAcrossProcesses(t *testing.T) {
	t.Parallel()
	p := callsChild(t, &rpcpipe.Options{Server: newCalls().server(), MaxHandlers: 1, MaxWaiting: -1})
	var depth int
	require.NoError(t, p.CallContext(t.Context(), "Calls.Back", CallArg{N: 20}, &depth))
	require.Equal(t, 20, depth)
	err := p.Call("Calls.Open", CallArg{N: 5}, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "open /no/such/file/5: ")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.Equal(t, context.DeadlineExceeded, p.CallContext(ctx, "Calls.Park", CallArg{}, nil))
	stats := p.Stats()
	require.EqualValues(t, 10+3, stats.Made.Calls)
	require.EqualValues(t, 1, stats.Made.Failed)
	require.EqualValues(t, 1, stats.Made.Cancelled)
	require.Zero(t, stats.Made.Pending)
	require.EqualValues(t, 10, stats.Served.Calls)
	require.NotZero(t, stats.Link.BytesIn)
	require.NotZero(t, stats.Link.BytesOut)
	require.Eventually(t, func() bool { return p.Stats().Link.RoundTrip > 0 }, 5*time.Second, time.Millisecond)
}

// TestPanicReachesCaller: the caller has the trace, all others how the process ended.
func TestPanicReachesCaller(t *testing.T) {
	p := callsChild(t, nil)
	parked := p.Go("Calls.Park", CallArg{}, nil, nil)
	err := p.Call("Calls.Panic", CallArg{N: 7}, nil)
	var trap *viaduct.PanicError
	require.ErrorAs(t, err, &trap)
	require.Equal(t, "number 7", trap.Value)
	require.Contains(t, trap.Stack, "(*Calls).Panic(")
	var exit *procspawn.Exit
	require.ErrorAs(t, (<-parked.Done).Error, &exit)
	require.Equal(t, 2, exit.Code)
	require.Contains(t, string(exit.Crash), "panic: number 7")
	require.Contains(t, string(exit.Crash), "(*Calls).Panic(")
	require.Contains(t, string(exit.Stderr), "hook: Calls.Panic number 7\n")
	require.ErrorAs(t, p.Wait(), &exit)
}

// TestRecoveredPanic: it costs one call, whatever server the method is of.
func TestRecoveredPanic(t *testing.T) {
	c := newCalls()
	a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: c.server(), RecoverPanics: true})
	defer b.Close()
	defer a.Close()
	parked := a.Go("Calls.Hold", CallArg{}, nil, nil)
	var trap *viaduct.PanicError
	require.ErrorAs(t, a.Call("Calls.Panic", CallArg{N: 7}, nil), &trap)
	close(c.open)
	require.NoError(t, (<-parked.Done).Error)
}

// TestReplyIsLeftAlone: it is the caller's again when CallContext has returned, though the reply
// comes at the same time.
func TestReplyIsLeftAlone(t *testing.T) {
	s := newService()
	a, b := rpcpipe.Pair(nil, s.options())
	defer b.Close()
	defer a.Close()
	var late atomic.Int64
	for i := range 3000 {
		ctx, cancel := context.WithCancel(t.Context())
		reply := -1
		go func() {
			if i%3 > 0 {
				runtime.Gosched()
			}
			cancel()
		}()
		if err := a.CallContext(ctx, "Service.Add", Args{i, 1}, &reply); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			late.Add(1)
			require.Equal(t, -1, reply)
		} else {
			require.Equal(t, i+1, reply)
		}
		reply = -1 // a race, if anybody else still has it
	}
	require.NotZero(t, late.Load())
}

var callsCancelled = flag.Int("calls.cancelled", 40_000, "how many calls TestManyCancelled gives up")

// TestManyCancelled: calls that are given up leave nothing behind, whether their methods heed it or
// not.
func TestManyCancelled(t *testing.T) {
	n := *callsCancelled
	if raceEnabled {
		n /= 2
	}
	c := newCalls()
	a, b := rpcpipe.Pair(nil, &rpcpipe.Options{Server: c.server()})
	defer b.Close()
	defer a.Close()
	round := func(n int) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range n / 8 {
					ctx, cancel := context.WithCancel(context.Background())
					failed := make(chan error, 1)
					go func() { failed <- a.CallContext(ctx, "Calls.Heed", CallArg{}, nil) }()
					runtime.Gosched()
					cancel()
					if err := <-failed; !errors.Is(err, context.Canceled) {
						panic(err)
					}
				}
			})
		}
		wg.Wait()
		require.Eventually(t, func() bool { return a.Stats().Made.Pending+b.Stats().Served.Running == 0 }, 10*time.Second, time.Millisecond)
	}
	// What is left behind is there after each round. A peak of calls at once leaves tables that are as
	// large as they ever were, and the system decides in which round it comes: so the least of three
	// counts.
	round(n / 10)
	least := int64(math.MaxInt64)
	for range 3 {
		before := heap()
		round(n / 3)
		least = min(least, int64(heap())-int64(before))
	}
	require.Less(t, least, int64(1<<20), "bytes that the calls of a round have left")
	require.NotZero(t, c.ended.Load())
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func init() {
	// flood fires calls at its parent and says how many it has refused.
	children["flood"] = func(args []string) {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			panic(err)
		}
		p := connect(nil)
		refused, done := 0, make(chan *rpc.Call, n)
		for range n {
			p.Go("Calls.Hold", CallArg{Data: make([]byte, 100)}, nil, done)
		}
		for range n {
			if call := <-done; errors.Is(call.Error, viaduct.ErrOverload) {
				refused++
			}
		}
		if err := p.Notify(context.Background(), "Flooded.Refused", refused); err != nil { // a call would be refused
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
		p.Wait()
	}
}

// Flooded hears how many calls were refused.
type Flooded struct{ refused chan int }

func (f *Flooded) Refused(n int, _ *int) error {
	f.refused <- n
	return nil
}

var floodCalls = flag.Int("calls.flood", 80<<10, "how many calls TestFlood makes at once")

// TestFlood: two and a half times as many calls as may run or wait, at a server that is slow, cost it what its
// limits allow.
func TestFlood(t *testing.T) {
	if raceEnabled {
		t.Skip("it takes long, and has no memory to be raced for")
	}
	c, f := newCalls(), &Flooded{make(chan int, 1)}
	server := c.server()
	require.NoError(t, server.Register(f))
	before := heap()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("flood", strconv.Itoa(*floodCalls)), &rpcpipe.Options{Server: server})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	var most uint64
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for p.Stats().Served.Refused < uint64(*floodCalls-32<<10) {
		require.NoError(t, ctx.Err())
		require.NoError(t, p.Err())
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc+m.StackInuse)
		_, err := p.Ping(ctx) // the reader is not held up
		require.NoError(t, err)
	}
	stats := p.Stats().Served
	require.Equal(t, 16<<10, stats.Running)
	require.Equal(t, 16<<10, stats.Waiting)
	t.Logf("%d MiB at most, %d before", most>>20, before>>20)
	require.Less(t, most, before+600<<20, "twice of what lives: the collector lets as much be garbage")
	close(c.open)
	require.Equal(t, *floodCalls-32<<10, <-f.refused)
	require.EqualValues(t, 0, c.running.Load())
}

// TestUnsentIsAborted: a call of 40 MiB that is given up while most of it is unsent is taken back
// at once; nothing of it arrives.
func TestUnsentIsAborted(t *testing.T) {
	t.Parallel()
	p := callsChild(t, nil)
	suspend(t, p.Process().Pid())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- p.CallContext(ctx, "Calls.Panic", CallArg{Data: make([]byte, 40<<20)}, nil) }()
	require.Eventually(t, func() bool { return p.Stats().Link.Senders == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	begin := time.Now()
	require.ErrorIs(t, <-failed, viaduct.ErrNotBegun)
	require.Less(t, time.Since(begin), slack(time.Second))
	require.Zero(t, p.Stats().Link.Senders)
	require.Zero(t, p.Stats().Made.Pending)
	require.EqualValues(t, 1, p.Stats().Made.Cancelled)
	resume(t, p.Process().Pid())
	var depth int
	require.NoError(t, p.Call("Calls.Back", CallArg{N: 0}, &depth), "it has not panicked")
}
