package viaduct

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// slowLink is a link that has no room, but for what the test takes from sent.
type slowLink struct {
	link
	sent  chan []byte
	ended chan struct{}
}

var errSlowLink = errors.New("has ended")

func (l *slowLink) TrySend([]byte) (bool, error) { return false, nil }
func (l *slowLink) MaxSend() int                 { return defaultMaxMessage }
func (l *slowLink) Working(int)                  {}
func (l *slowLink) Draining() error              { return nil }

func (l *slowLink) Send(_ context.Context, msg []byte, _ bool) error {
	select {
	case l.sent <- bytes.Clone(msg):
		return nil
	case <-l.ended:
		return errSlowLink
	}
}

// TestLogSender: what is dropped is said just where it is missing, and what was not sent is counted, when the link ends, too.
func TestLogSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &slowLink{sent: make(chan []byte), ended: make(chan struct{})}
		e := &Endpoint{out: l, in: l, up: context.Background()}
		e.dispatcher.init(e)
		e.logSender.init(e)
		e.logSender.asked = true
		log := slog.New(e.LogHandler(nil))
		logged, seen := 0, 0
		logUntil := func(drops uint64) {
			for e.logSender.dropped() < drops {
				log.Info("message", "i", logged)
				logged++
			}
			synctest.Wait()
		}
		take := func() {
			m, err := parseMessage(<-l.sent, 10)
			require.NoError(t, err)
			require.LessOrEqual(t, m.size, logFrame)
			n, dropped, b, err := readLogHead(m.body)
			require.NoError(t, err)
			seen += int(dropped)
			for range n {
				record, rest, err := nextLogRecord(b)
				require.NoError(t, err)
				r, err := decodeLogRecord(record)
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
		full := e.logSender.bytes
		require.InDelta(t, logQueue, full, 100)
		take()
		logUntil(200) // there is room, but not for long
		require.Less(t, e.logSender.bytes, full)
		for e.logSender.full.Load() {
			take()
		}
		require.InDelta(t, logQueue/2, e.logSender.bytes, logFrame)
		logUntil(300)
		require.InDelta(t, logQueue, e.logSender.bytes, 100)
		for seen < logged-100 {
			take()
		}
		require.Equal(t, logged-100, seen)
		take() // a message that says so, and no more
		require.Equal(t, logged, seen)

		logUntil(400)
		take()
		close(l.ended)
		synctest.Wait()
		require.EqualValues(t, logged-seen+300, e.logSender.dropped())
		require.Zero(t, e.logSender.bytes)
		require.Zero(t, e.logHolds.Load())
		e.dispatcher.close()
		require.Zero(t, e.dispatcher.pool.wait(t.Context()))
		log.Info("after the end")
		require.EqualValues(t, logged-seen+301, e.logSender.dropped())
	})
}
