package endpoint_test

import (
	"net/rpc"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Blind is a service of both sides whose methods call back without the contexts of their calls.
type Blind struct{ e *endpoint.Endpoint }

func (b *Blind) Down(depth int, reply *int) error {
	if depth == 0 {
		return nil
	}
	err := b.e.Call("Blind.Down", depth-1, reply)
	*reply++
	return err
}

func blindPair(t testing.TB, link int, opts endpoint.Options) (a, b *endpoint.Endpoint) {
	x, y := new(Blind), new(Blind)
	optsA, optsB := opts, opts
	optsA.Server, optsB.Server = tellingServer(t, x), tellingServer(t, y)
	a, b = links[link].make(t, &optsA, &optsB)
	x.e, y.e = a, b
	return a, b
}

// TestBlindNesting: calls that nest without contexts go as deep as there are places on both sides.
// Deeper, the one that could only wait for itself is refused, whatever room there is to wait.
func TestBlindNesting(t *testing.T) {
	for i, link := range links[:3] {
		t.Run(link.name, func(t *testing.T) {
			testkit.NoneLeft(t)
			a, b := blindPair(t, i, endpoint.Options{MaxHandlers: 3, MaxMessage: maxMessage})
			ctx := testkit.Soon(t)
			var depth int
			require.NoError(t, a.CallContext(ctx, "Blind.Down", 5, &depth))
			require.Equal(t, 5, depth)
			err := a.CallContext(ctx, "Blind.Down", 100, nil)
			require.ErrorContains(t, err, "call refused: 3 are running (MaxHandlers of the side that takes it), which may wait for it")
			require.EqualValues(t, 1, a.Stats().Served.Refused+b.Stats().Served.Refused)
			require.NoError(t, a.CallContext(ctx, "Blind.Down", 5, &depth), "all is as before")
		})
	}
}

// TestBlindRings: nor do many of them, from both sides at once, wait for each other for ever.
func TestBlindRings(t *testing.T) {
	testkit.NoneLeft(t)
	a, b := blindPair(t, 0, endpoint.Options{MaxHandlers: 3, MaxMessage: maxMessage})
	ctx := testkit.Soon(t)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 20 {
				for _, e := range []*endpoint.Endpoint{a, b} {
					if err := e.CallContext(ctx, "Blind.Down", i%12, nil); err != nil {
						require.ErrorContains(t, err, "call refused")
					}
				}
			}
		})
	}
	wg.Wait()
	for _, e := range []*endpoint.Endpoint{a, b} {
		require.NoError(t, e.CallContext(ctx, "Blind.Down", 5, nil))
	}
}

// TestRefusalOfRing: it is an overload, and nothing was begun. While fewer calls are pending than
// handlers run, calls wait as they do otherwise.
func TestRefusalOfRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := newTurnstile(), newTurnstile()
		a, b := extendedPair(t, endpoint.Options{Server: tellingServer(t, x)},
			endpoint.Options{Server: tellingServer(t, y), MaxHandlers: 2})
		done := make(chan *rpc.Call, 10)
		for i := range 2 {
			a.Go("Turnstile.Pass", i, nil, done)
		}
		b.Go("Turnstile.Pass", 1, nil, done)
		synctest.Wait()
		a.Go("Turnstile.Pass", 3, nil, done)
		synctest.Wait()
		require.Equal(t, serve.Stats{Calls: 3, Running: 2, Waiting: 1}, b.Stats().Served)
		b.Go("Turnstile.Pass", 2, nil, done)
		synctest.Wait()
		err := a.Call("Turnstile.Pass", 4, nil)
		require.ErrorIs(t, err, viaduct.ErrOverload)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.Equal(t, serve.Stats{Calls: 4, Running: 2, Waiting: 1, Refused: 1}, b.Stats().Served, "what waits goes on waiting")
		close(x.open)
		synctest.Wait()
		a.Go("Turnstile.Pass", 5, nil, done)
		synctest.Wait()
		require.Equal(t, 2, b.Stats().Served.Waiting, "no call of this side is pending any more")
		close(y.open)
		for range 6 {
			require.NoError(t, (<-done).Error)
		}
		endBoth(t, a, b)
	})
}
