package endpoint_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// lines returns a handler that sends each record as a line of text.
func lines() (slog.Handler, <-chan string) {
	got := make(chan string, 1000)
	var mu sync.Mutex
	return slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		got <- strings.TrimSpace(string(p))
		return len(p), nil
	}), &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return a
	}}), got
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestLog: over links of all kinds, beside calls, in order, one as large as they may be among
// others.
func TestLog(t *testing.T) {
	handler, got := lines()
	here := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, LogHandler: handler, LogFallback: slog.DiscardHandler}
	there := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, LogPeer: true}
	overLinksOpts(t, here, there, func(t *testing.T, a, b *endpoint.Endpoint) {
		log := slog.New(b.LogHandler(nil)).With("who", "b")
		large := strings.Repeat("x", 32<<10-200)
		for i := range 200 {
			if i == 100 {
				log.Warn("large", "text", large)
			}
			log.Info("small", "i", i)
		}
		for i := range 200 {
			if i == 100 {
				require.Equal(t, "level=WARN msg=large who=b text="+large, <-got)
			}
			require.Equal(t, slog.IntValue(i).String(), strings.TrimPrefix(<-got, "level=INFO msg=small who=b i="))
		}
		require.False(t, a.LogHandler(nil).Enabled(t.Context(), slog.LevelError), "nobody wants them")
		out, in := b.LogDrops()
		require.Zero(t, out+in)
	})
}

// TestLogUnasked: who has no LogHandler treats records as any notification that it does not know.
func TestLogUnasked(t *testing.T) {
	here := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage}
	there := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, LogPeer: true}
	overLinksOpts(t, here, there, func(t *testing.T, a, b *endpoint.Endpoint) {
		slog.New(b.LogHandler(nil)).Info("message")
		require.NoError(t, b.Call("Raw.Echo", []byte("x"), nil), "the link is as before")
	})
}

// TestLogOfAnything: what makes no sense as a record costs itself alone.
func TestLogOfAnything(t *testing.T) {
	handler, got := lines()
	e, y := plays(t, &endpoint.Options{LogHandler: handler})
	for _, params := range []string{"\x90", "\xc0", "\x91\xa1x", "\x92\x00\x93\xc0\x00\xa0"} {
		writes(t, y, "\x93\x02\xa5$/log"+params)
		require.Equal(t, `level=WARN msg="viaduct: log records of the other side were dropped" dropped=1`, <-got)
	}
	writes(t, y, "\x93\x02\xa5$/log\x93\x02\x94\xc0\x00\xa1a\x80\x94\xc0\x00\xa1b\x80")
	require.Equal(t, `level=WARN msg="viaduct: log records of the other side were dropped" dropped=2`, <-got)
	require.Equal(t, "level=INFO msg=a", <-got)
	require.Equal(t, "level=INFO msg=b", <-got)
	_, in := e.LogDrops()
	require.EqualValues(t, 6, in)
	require.NoError(t, e.Err())
}

// TestLogFloodOfBytes: a peer that sends without end what nobody handles takes up a bounded amount
// of memory.
func TestLogFloodOfBytes(t *testing.T) {
	gate, held := make(chan struct{}), 0
	e, y := plays(t, &endpoint.Options{LogHandler: blocked{func() { <-gate; held++ }}})
	for _, params := range [][]byte{
		[]byte("\x92\x00\x94\xc0\x00\xa1a\x80"),
		append([]byte("\xdd\x00\x0f\x42\x40\x00"), bytes.Repeat([]byte{0xc0}, 999_999)...),
		[]byte("\x91\x01"),
	} {
		for range max(5, 50_000/len(params)) {
			writes(t, y, "\x93\x02\xa5$/log"+string(params))
		}
	}
	_, in := e.LogDrops()
	require.Greater(t, in, uint64(1000))
	close(gate)
	require.NoError(t, e.Err())
	y.Close()
	<-e.Done()
	require.Zero(t, e.Wait(t.Context()))
	require.Less(t, held, 10_000)
}

// blocked is a handler that calls f.
type blocked struct{ f func() }

func (blocked) Enabled(context.Context, slog.Level) bool    { return true }
func (b blocked) Handle(context.Context, slog.Record) error { b.f(); return nil }
func (b blocked) WithAttrs([]slog.Attr) slog.Handler        { return b }
func (b blocked) WithGroup(string) slog.Handler             { return b }
