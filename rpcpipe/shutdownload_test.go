package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Counter counts what has been handled.
type Counter struct {
	server       *rpc.Server
	calls, notes atomic.Int64
	sentCalls    atomic.Int64 // of handlers, and answered without an error
	sentNotes    atomic.Int64
	unknownNotes atomic.Int64 // they may have arrived, as the link has ended before the writer had its turn
}

// noted counts a notification.
func (c *Counter) noted(err error) error {
	switch {
	case err == nil:
		c.sentNotes.Add(1)
	case !errors.Is(err, viaduct.ErrNotBegun):
		c.unknownNotes.Add(1)
	}
	return err
}

func newCounter() *Counter {
	c := &Counter{server: rpc.NewServer()}
	c.server.Register(c)
	return c
}

// Call makes a call and sends a note back if the argument has data.
func (c *Counter) Call(p *Parcel, _ *int) error {
	defer c.calls.Add(1)
	if len(p.Data) > 0 {
		peer := rpcpipe.FromContext(p.ctx)
		if err := peer.CallContext(p.ctx, "Counter.Call", &Parcel{}, nil); err != nil {
			return err
		}
		c.sentCalls.Add(1)
		return c.noted(peer.Notify(p.ctx, "Counter.Note", &Parcel{}))
	}
	return nil
}

// Note does so, too.
func (c *Counter) Note(p *Parcel, _ *int) error {
	defer c.notes.Add(1)
	if len(p.Data) > 0 {
		if err := rpcpipe.FromContext(p.ctx).CallContext(p.ctx, "Counter.Call", &Parcel{}, nil); err != nil {
			return err
		}
		c.sentCalls.Add(1)
	}
	return nil
}

// use has p call and notify until that fails, which it must because of a shutdown.
func (c *Counter) use(p *rpcpipe.Peer) error {
	big := &Parcel{Data: make([]byte, 100_000)}
	parcels := []*Parcel{{}, {Data: []byte{1}}, {}, big}
	var running sync.WaitGroup
	failed := make(chan error, 4)
	for i := range cap(failed) {
		running.Go(func() {
			for n := 0; ; n++ {
				var err error
				if i%2 == 0 {
					if err = p.Call("Counter.Call", parcels[n%4], nil); err == nil {
						c.sentCalls.Add(1)
					}
				} else {
					err = c.noted(p.Notify(context.Background(), "Counter.Note", parcels[n%4]))
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	running.Wait()
	for range cap(failed) {
		if err := <-failed; !errors.Is(err, rpc.ErrShutdown) {
			return err
		}
	}
	return nil
}

// TestShutdownLosesNothing: what was begun on either side is handled, and what
// was refused is not, whoever shuts down.
func TestShutdownLosesNothing(t *testing.T) {
	t.Parallel()
	for kind, pair := range pairs {
		t.Run(kind, func(t *testing.T) {
			for round := range 30 {
				here, there := newCounter(), newCounter()
				a, b := pair(t, here.server, there.server)
				var using, ending sync.WaitGroup
				using.Go(func() { assert.NoError(t, here.use(a)) })
				using.Go(func() { assert.NoError(t, there.use(b)) })
				for range round {
					require.NoError(t, a.Call("Counter.Call", &Parcel{}, nil))
					here.sentCalls.Add(1)
				}
				ending.Go(func() { assert.NoError(t, a.Shutdown(t.Context())) })
				if round%2 == 0 {
					ending.Go(func() { assert.NoError(t, b.Shutdown(t.Context())) })
				}
				ending.Wait()
				using.Wait()
				require.NoError(t, a.Wait())
				require.NoError(t, b.Wait())
				for _, x := range [][2]*Counter{{here, there}, {there, here}} {
					require.Equal(t, x[0].sentCalls.Load(), x[1].calls.Load(), "calls")
					sent, handled := x[0].sentNotes.Load(), x[1].notes.Load()
					require.GreaterOrEqual(t, handled, sent, "notifications")
					require.LessOrEqual(t, handled, sent+x[0].unknownNotes.Load(), "notifications")
				}
			}
		})
	}
}
