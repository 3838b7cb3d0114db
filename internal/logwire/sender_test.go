package logwire

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/link"
	"github.com/viaduct-go/viaduct/internal/message"
)

// slowLink is a link that has no room, but for what the test takes from sent.
type slowLink struct {
	link.Link
	sent  chan []byte
	ended chan struct{}
}

var errSlowLink = errors.New("has ended")

func (l *slowLink) TrySend([]byte) (bool, error) { return false, nil }
func (l *slowLink) MaxSend() int                 { return 1 << 27 }
func (l *slowLink) Working(int)                  {}
func (l *slowLink) Draining() error              { return nil }

func (l *slowLink) Send(_ context.Context, msg []byte, _ bool, _ link.Sending) (uint64, error) {
	select {
	case l.sent <- bytes.Clone(msg):
		return 1, nil
	case <-l.ended:
		return 0, errSlowLink
	}
}

// TestLogSender: what is dropped is said just where it is missing, and what was not sent is
// counted, when the link ends, too.
func TestLogSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLink{sent: make(chan []byte), ended: make(chan struct{})}
		var workers sync.WaitGroup
		host := &Host{
			Out: l, In: l, Up: context.Background(), Ended: func() bool { return false },
			Run: workers.Go, RunOpen: func(f func()) bool { workers.Go(f); return true },
			Send: func(ctx context.Context, msg []byte) error {
				_, err := l.Send(ctx, msg, true, link.Sending{})
				return err
			},
			Fallback: slog.DiscardHandler,
		}
		s := NewSender(host, true)
		log := slog.New(s.Handler(nil))
		logged, seen := 0, 0
		logUntil := func(drops uint64) {
			for s.Dropped() < drops {
				log.Info("message", "i", logged)
				logged++
			}
			synctest.Wait()
		}
		take := func() {
			m, err := message.Parse(<-l.sent, 10)
			require.NoError(t, err)
			require.LessOrEqual(t, m.Size, maxMessage)
			n, dropped, b, err := readHead(m.Body)
			require.NoError(t, err)
			seen += int(dropped)
			for range n {
				record, rest, err := nextRecord(b)
				require.NoError(t, err)
				r, err := decodeRecord(record)
				require.NoError(t, err)
				r.Attrs(func(a slog.Attr) bool {
					require.EqualValues(t, seen, a.Value.Int64())
					return true
				})
				seen++
				b = rest
			}
			synctest.Wait()
		}
		logUntil(100)
		require.Greater(t, logged, 10_000)
		full := s.bytes
		require.InDelta(t, maxQueue, full, 100)
		take()
		logUntil(200) // there is room, but not for long
		require.Less(t, s.bytes, full)
		for s.full.Load() {
			take()
		}
		require.InDelta(t, maxQueue/2, s.bytes, maxMessage)
		logUntil(300)
		require.InDelta(t, maxQueue, s.bytes, 100)
		for seen < logged-100 {
			take()
		}
		require.Equal(t, logged-100, seen)
		take() // a message that says so, and no more
		require.Equal(t, logged, seen)

		s.host.Done = make(chan struct{})
		flushed := make(chan error, 1)
		go func() { flushed <- s.FlushAll(t.Context()) }()
		synctest.Wait()
		require.NoError(t, <-flushed, "nothing is queued")
		log.Info("message", "i", logged)
		logged++
		synctest.Wait() // the worker is sending it
		log.Info("message", "i", logged)
		logged++
		synctest.Wait()
		go func() { flushed <- s.FlushAll(t.Context()) }()
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan error, 1)
		go func() { given <- s.FlushAll(ctx) }()
		synctest.Wait()
		log.Info("message", "i", logged) // later, and so nothing to wait for
		logged++
		take()
		require.Empty(t, flushed)
		cancel()
		require.Equal(t, context.Canceled, <-given)
		for seen < logged {
			take()
		}
		require.NoError(t, <-flushed)

		logUntil(400)
		take()
		close(l.ended)
		synctest.Wait()
		require.EqualValues(t, logged-seen+300, s.Dropped())
		require.Zero(t, s.bytes)
		require.Zero(t, host.holds.Load())
		workers.Wait()
		log.Info("after the end")
		workers.Wait()
		require.EqualValues(t, logged-seen+301, s.Dropped())
	})
}
