package logwire

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/link"
)

// fallbackHost is the host of a Sender on a link that takes nothing until it ends.
func fallbackHost(fallback slog.Handler) (host *Host, workers *sync.WaitGroup, end func()) {
	l := &slowLink{sent: make(chan []byte), ended: make(chan struct{})}
	var ended atomic.Bool
	workers = new(sync.WaitGroup)
	return &Host{
			Out: l, In: l, Up: context.Background(), Ended: ended.Load, Fallback: fallback,
			Run: workers.Go, RunOpen: func(f func()) bool { workers.Go(f); return true },
			Send: func(ctx context.Context, msg []byte) error {
				_, err := l.Send(ctx, msg, true, link.Sending{})
				return err
			},
		}, workers, func() {
			ended.Store(true)
			close(l.ended)
		}
}

// TestQueueFallsBack: records that were queued when the link ends go to the fallback as they were
// logged, and before those that are logged then.
func TestQueueFallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		host, workers, end := fallbackHost(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s := NewSender(host, true)
		log := slog.New(s.Handler(&slog.HandlerOptions{Level: slog.LevelDebug}))
		const n = 3000
		for i := range n {
			log.With("a", 1).WithGroup("g").Debug("message", "i", i)
		}
		synctest.Wait() // the worker waits for room
		end()
		log.With("a", 1).WithGroup("g").Info("message", "i", n)
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		require.Len(t, lines, n+1)
		for i, line := range lines {
			require.True(t, strings.HasSuffix(line, fmt.Sprint(" msg=message a=1 g.i=", i)), line)
		}
		require.Zero(t, s.Dropped())
		workers.Wait()
		require.Zero(t, host.holds.Load())
		require.Zero(t, s.bytes)
	})
}

// TestQueueGivenUp: when nobody waits any more the rest of the queue is counted.
func TestQueueGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		slow := &slowHandler{gate: gate}
		host, workers, end := fallbackHost(slow)
		s := NewSender(host, true)
		log := slog.New(s.Handler(nil))
		for range 100 {
			log.Info("message")
		}
		end()
		synctest.Wait() // the fallback is at the first
		s.GiveUp()
		close(gate)
		workers.Wait()
		require.Equal(t, 1, slow.n)
		require.EqualValues(t, 99, s.Dropped())
		log.Info("that is said now")
		require.Equal(t, 2, slow.n)
	})
}

type slowHandler struct {
	gate <-chan struct{}
	n    int
}

func (h *slowHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *slowHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *slowHandler) WithGroup(string) slog.Handler            { return h }
func (h *slowHandler) Handle(context.Context, slog.Record) error {
	<-h.gate
	h.n++
	return nil
}
