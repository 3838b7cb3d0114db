package serve

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// counted is a slog.Handler that waits.
type counted struct {
	slog.Handler
	gate chan struct{}
	mu   sync.Mutex
	all  []string
}

func (c *counted) Enabled(context.Context, slog.Level) bool { return true }

func (c *counted) Handle(_ context.Context, r slog.Record) error {
	<-c.gate
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, r.Message)
	return nil
}

// TestReports: what a slow Logger keeps waiting is bounded, and what was dropped is told.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{Handler: slog.DiscardHandler, gate: make(chan struct{})}
		r := Reporter{Log: slog.New(c)}
		r.Warn("first")
		synctest.Wait()
		for range 1000 {
			r.Warn("more")
		}
		r.mu.Lock()
		require.Len(t, r.queue, reportQueue)
		r.mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r.Wait(ctx)
		close(c.gate)
		r.Wait(t.Context())
		require.Len(t, c.all, 1+reportQueue+1)
		require.Equal(t, "viaduct: reports dropped: the logger is too slow", c.all[len(c.all)-1])
		r.mu.Lock()
		require.Nil(t, r.writing)
		r.mu.Unlock()
	})
}
