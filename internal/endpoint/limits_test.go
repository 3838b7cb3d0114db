package endpoint_test

import (
	"context"
	"encoding/hex"
	"math"
	"net/rpc"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestMaxHandlers: beyond the limit calls wait in their order, beyond the bound they are refused,
// and all that frees a place lets the next one in.
func TestMaxHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTurnstile()
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 2, MaxWaiting: 3})
		done := make(chan *rpc.Call, 10)
		for i := range 5 {
			a.Go("Turnstile.Pass", i, new(int), done)
		}
		synctest.Wait()
		require.Equal(t, 2, len(g.at))
		stats := b.Stats().Served
		require.Equal(t, serve.Stats{Calls: 5, Running: 2, Waiting: 3}, stats)

		err := a.Call("Turnstile.Pass", 9, nil)
		require.ErrorIs(t, err, viaduct.ErrOverload)
		require.EqualError(t, err, "viaduct: call refused: 2 are running and 3 wait (MaxHandlers and MaxWaiting of the side that takes it)")
		client := a.Client()
		require.Equal(t, rpc.ServerError(err.Error()), client.Call("Turnstile.Pass", 9, nil))
		client.Close()

		// A call that is given up while it waits never runs, and its place is free at once.
		ctx, cancel := context.WithCancel(t.Context())
		g.open <- struct{}{} // one place
		synctest.Wait()
		failed := make(chan error)
		go func() { failed <- a.CallContext(ctx, "Turnstile.Pass", 100, nil) }()
		synctest.Wait()
		require.Equal(t, 3, b.Stats().Served.Waiting)
		cancel()
		require.Equal(t, context.Canceled, <-failed)
		synctest.Wait()
		require.Equal(t, 2, b.Stats().Served.Waiting)

		close(g.open)
		for range 5 {
			require.NoError(t, (<-done).Error)
		}
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4}, sortedPairs(g.at))
		require.Equal(t, serve.Stats{Calls: 8, Refused: 2, Cancelled: 1}, b.Stats().Served)
		require.Equal(t, endpoint.CallStats{Calls: 8, Failed: 2, Cancelled: 1}, a.Stats().Made)
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
		endBoth(t, a, b)
	})
}

func endBoth(t *testing.T, a, b *endpoint.Endpoint) {
	a.Close()
	b.Close()
	require.Zero(t, a.Wait(t.Context()))
	require.Zero(t, b.Wait(t.Context()))
}

// sortedPairs empties c. Two methods may begin at once, in any order.
func sortedPairs(c chan int) (list []int) {
	for len(c) > 0 {
		list = append(list, <-c)
	}
	for i := 1; i < len(list); i++ {
		if list[i-1] > list[i] {
			list[i-1], list[i] = list[i], list[i-1]
		}
	}
	return list
}

// TestPlaceIsFree: when a caller has its reply.
func TestPlaceIsFree(t *testing.T) {
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{MaxHandlers: 1, MaxWaiting: -1})
	for range 5000 {
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
	}
}

// TestGoexitFreesPlace: and so does a panic that is recovered.
func TestGoexitFreesPlace(t *testing.T) {
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{MaxHandlers: 1, MaxWaiting: 1, RecoverPanics: true})
	for range 3 {
		require.ErrorIs(t, a.Call("Faulty.Goexit", 1, nil), viaduct.ErrGoexit)
		require.ErrorContains(t, a.Call("Faulty.Panic", "x", nil), "oh x")
	}
	require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
}

// TestMaxHandlerBytes: large requests wait, too, but for the one with which they become too many.
func TestMaxHandlerBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Holding{open: make(chan struct{})}
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, h), MaxHandlerBytes: 5000})
		done := make(chan *rpc.Call, 10)
		for _, n := range []int{10_000, 1000, 2000, 2000, 2000} {
			a.Go("Holding.Hold", make([]byte, n), nil, done)
		}
		synctest.Wait()
		require.Equal(t, serve.Stats{Calls: 5, Running: 1, Waiting: 4}, b.Stats().Served)
		h.open <- struct{}{}
		synctest.Wait()
		require.Equal(t, serve.Stats{Calls: 5, Running: 3, Waiting: 1}, b.Stats().Served)
		close(h.open)
		for range 5 {
			require.NoError(t, (<-done).Error)
		}
		endBoth(t, a, b)
	})
}

// Holding holds what it gets.
type Holding struct{ open chan struct{} }

func (h *Holding) Hold([]byte, *int) error {
	<-h.open
	return nil
}

// Chain is a service of both sides that call each other to a depth.
type Chain struct {
	e    *endpoint.Endpoint
	held chan struct{} // one for each that is at the bottom
	open chan struct{}
}

type ChainArg struct {
	viaduct.Caller
	Depth  int
	Width  int // calls at once,
	Rounds int // and how often, at the top
}

func (c *Chain) Down(a ChainArg, depth *int) error {
	if a.Depth == 0 {
		if c.held != nil {
			c.held <- struct{}{}
			<-c.open
		}
		return nil
	}
	*depth = a.Depth
	for range max(1, a.Rounds) {
		var wg sync.WaitGroup
		errs := make([]error, max(1, a.Width))
		for i := range errs {
			wg.Go(func() { errs[i] = c.e.CallContext(a.Context(), "Chain.Down", ChainArg{Depth: a.Depth - 1}, nil) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return a.Fail(err)
			}
		}
	}
	return nil
}

func chains(t testing.TB, opts endpoint.Options) (a, b *endpoint.Endpoint, x, y *Chain) {
	x, y = &Chain{}, &Chain{}
	optsA, optsB := opts, opts
	optsA.Server, optsB.Server = tellingServer(t, x), tellingServer(t, y)
	a, b = extendedPair(t, optsA, optsB)
	x.e, y.e = a, b
	return a, b, x, y
}

// TestNestedAtLimit: calls that serve a call of the other side go ahead of its limits, to any
// depth.
func TestNestedAtLimit(t *testing.T) {
	testkit.NoneLeft(t)
	a, _, _, _ := chains(t, endpoint.Options{MaxHandlers: 1, MaxWaiting: -1})
	var depth int
	require.NoError(t, a.CallContext(testkit.Soon(t), "Chain.Down", ChainArg{Depth: 50}, &depth))
	require.Equal(t, 50, depth)
	require.NoError(t, a.CallContext(testkit.Soon(t), "Chain.Down", ChainArg{Depth: 1, Width: 16}, &depth))
}

// TestNestedBound: no more than 16 at once serve one call, so that who says so falsely gains
// little.
func TestNestedBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, x, _ := chains(t, endpoint.Options{MaxHandlers: 1, MaxWaiting: -1})
		x.held, x.open = make(chan struct{}, 100), make(chan struct{})
		failed := make(chan error)
		go func() { failed <- a.Call("Chain.Down", ChainArg{Depth: 1, Width: 18}, nil) }()
		synctest.Wait()
		require.Equal(t, 17, len(x.held), "16 that serve the call, and one within the limit")
		require.Equal(t, serve.Stats{Calls: 18, Running: 17, Refused: 1}, a.Stats().Served)
		close(x.open)
		require.ErrorContains(t, <-failed, "call refused: 1 are running and 0 wait")

		// They are not counted for ever.
		require.NoError(t, a.Call("Chain.Down", ChainArg{Depth: 1, Width: 16, Rounds: 3}, nil))
		endBoth(t, a, b)
	})
}

// TestForgedNesting: a call that names none of this side's pending calls counts as any other.
func TestForgedNesting(t *testing.T) {
	g := newTurnstile()
	e, conn := plays(t, &endpoint.Options{Server: tellingServer(t, g), Extended: true, MaxHandlers: 1, MaxWaiting: -1})
	writesHex(t, conn, "95 00 01 ae 54 75 72 6e 73 74 69 6c 65 2e 50 61 73 73 91 01 81 a6 77 69 74 68 69 6e 05")
	<-g.at
	writesHex(t, conn, "95 00 02 ae 54 75 72 6e 73 74 69 6c 65 2e 50 61 73 73 91 01 81 a6 77 69 74 68 69 6e 05")
	require.Contains(t, batch(t, conn), "call refused: 1 are running")
	require.EqualValues(t, 1, e.Stats().Served.Refused)
	close(g.open)
	batch(t, conn)
}

// TestConcurrentNotify: notifications run at once, within the limit; the others wait.
func TestConcurrentNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTurnstile()
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 3, ConcurrentNotify: true})
		for i := range 5 {
			require.NoError(t, a.Notify(t.Context(), "Turnstile.Pass", i))
		}
		synctest.Wait()
		require.Equal(t, 3, len(g.at))
		require.Equal(t, serve.Stats{Notifications: 5, Running: 3, WaitingNotifications: 2}, b.Stats().Served)
		require.EqualValues(t, 5, a.Stats().Made.Notifications)
		g.open <- struct{}{}
		synctest.Wait()
		require.Equal(t, 4, len(g.at))
		close(g.open)
		synctest.Wait()
		require.Equal(t, serve.Stats{Notifications: 5}, b.Stats().Served)
		endBoth(t, a, b)
	})
}

// TestCancelWithoutRoom: a peer that cancels calls and takes no answers cannot make this side hold
// any number of them.
func TestCancelWithoutRoom(t *testing.T) {
	g := newTurnstile()
	e, conn := plays(t, &endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 4, MaxWaiting: 4})
	conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	var err error
	for err == nil { // some more go through while the link ends
		// Turnstile.Pass, and its cancelling
		_, err = conn.Write([]byte("\x94\x00\x01\xaeTurnstile.Pass\x91\x01\x93\x02\xa8$/cancel\x91\x01"))
	}
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the link has ended: its peer does not read")
	<-e.Done()
	require.ErrorContains(t, e.Err(), "does not read its replies")
	close(g.open)
}

// TestRefusalOutOfTurn: a refusal does not wait for the answers to other calls.
func TestRefusalOutOfTurn(t *testing.T) {
	g := newTurnstile()
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 1, MaxWaiting: -1, AnswerLatestFirst: true})
	first := a.Go("Turnstile.Pass", 1, nil, nil)
	<-g.at
	require.ErrorIs(t, a.CallContext(testkit.Soon(t), "Turnstile.Pass", 2, nil), viaduct.ErrOverload)
	close(g.open)
	require.NoError(t, (<-first.Done).Error)
}

// TestLatestFirstAtLimit: with answers in turn a call may be answered only behind later ones, so
// none may wait for it.
func TestLatestFirstAtLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTurnstile()
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 2, AnswerLatestFirst: true})
		done := make(chan *rpc.Call, 2)
		a.Go("Turnstile.Pass", 1, nil, done)
		a.Go("Turnstile.Pass", 2, nil, done)
		synctest.Wait()
		g.open <- struct{}{} // to one of them, which may have to wait for the other
		synctest.Wait()
		for b.Stats().Served.Running == 2 {
			require.ErrorIs(t, a.Call("Turnstile.Pass", 3, nil), viaduct.ErrOverload)
			g.open <- struct{}{}
			synctest.Wait()
		}
		close(g.open)
		require.NoError(t, (<-done).Error)
		require.NoError(t, (<-done).Error)
		require.NoError(t, a.Call("Turnstile.Pass", 4, nil))
		endBoth(t, a, b)
	})
}

// TestAnswersAreBound: a peer that takes no answers cannot make this side hold any number of bytes
// of them.
func TestAnswersAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, conn := plays(t, &endpoint.Options{Server: tellingServer(t, Faulty{}), MaxHandlerBytes: 2 << 20})
		for i := range 10 {
			writesHex(t, conn, "94 00 "+hex.EncodeToString([]byte{byte(i)})+" ac 46 61 75 6c 74 79 2e 4c 61 72 67 65 91 ce 00 10 00 00") // Faulty.Large of 1 MiB
			synctest.Wait()
		}
		stats := e.Stats().Served
		require.InDelta(t, 7, stats.Waiting, 1, "one or two are queued or being written, two are held")
		require.Zero(t, stats.Running)
		reads(t, conn, 10<<20)
	})
}

// TestNestedBytes: nor can one that sends large calls which it says serve one of this side's.
func TestNestedBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, x, _ := chains(t, endpoint.Options{MaxHandlerBytes: 1})
		x.held, x.open = make(chan struct{}, 100), make(chan struct{})
		failed := make(chan error)
		go func() { failed <- a.Call("Chain.Down", ChainArg{Depth: 1, Width: 3}, nil) }()
		synctest.Wait()
		require.Equal(t, serve.Stats{Calls: 3, Running: 1, Refused: 2}, a.Stats().Served)
		close(x.open)
		require.ErrorContains(t, <-failed, "call refused")
		require.NoError(t, a.Call("Chain.Down", ChainArg{Depth: 1, Rounds: 3}, nil), "what they take is given back")
		endBoth(t, a, b)
	})
}

// TestTurns: calls and concurrent notifications that wait are begun in turn.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTurnstile()
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t, g), MaxHandlers: 1, ConcurrentNotify: true})
		done := make(chan *rpc.Call, 10)
		for i := range 5 {
			a.Go("Turnstile.Pass", i, nil, done)
			synctest.Wait()
		}
		for i := range 4 {
			require.NoError(t, a.Notify(t.Context(), "Turnstile.Pass", 100+i))
		}
		var kinds string
		for range 9 {
			synctest.Wait()
			if <-g.at < 100 {
				kinds += "c"
			} else {
				kinds += "n"
			}
			g.open <- struct{}{}
		}
		require.Contains(t, []string{"cncncncnc", "ccncncncn"}, kinds)
		for range 5 {
			require.NoError(t, (<-done).Error)
		}
		endBoth(t, a, b)
	})
}

// TestUnlimited: as many as there may be.
func TestUnlimited(t *testing.T) {
	a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{MaxHandlers: math.MaxInt, MaxHandlerBytes: math.MaxInt, MaxWaiting: math.MaxInt})
	require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
	require.Zero(t, b.Stats().Served.Refused)
}
