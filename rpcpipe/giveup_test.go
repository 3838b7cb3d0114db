package rpcpipe_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

func init() {
	children["lags"] = func(args []string) {
		s, server := &Lagging{takes: time.Millisecond}, rpc.NewServer()
		server.Register(s)
		connect(&rpcpipe.Options{Server: server, ExitTimeout: 200 * time.Millisecond}).Wait()
		os.WriteFile(args[0], []byte(strconv.FormatInt(s.handled.Load(), 10)), 0o600)
	}
}

// TestGiveUpDetached: a child that nothing ends handles what has come, though it takes longer than half
// of its ExitTimeout. Beyond 5 s it would not, which a busy machine must not come near to.
func TestGiveUpDetached(t *testing.T) {
	t.Parallel()
	const notes = 250
	file := filepath.Join(testkit.TempDir(t), "handled")
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("lags", file), &rpcpipe.Options{
		ParentDeath: procspawn.Detach, CloseTimeout: time.Minute,
	})
	require.NoError(t, err)
	for i := range notes {
		require.NoError(t, p.Notify(t.Context(), "Lagging.Note", i))
	}
	require.NoError(t, p.Close())
	require.Equal(t, procspawn.StepCloseLink, p.Process().Exit().Step)
	handled, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(notes), string(handled))
}

// Lagging is a service whose method takes its time.
type Lagging struct {
	takes   time.Duration
	handled atomic.Int64
}

func (s *Lagging) Note(int, *int) error { s.work(); return nil }

func (s *Lagging) work() {
	<-time.After(s.takes)
	s.handled.Add(1)
}

// server returns one that has s.
func (s *Lagging) server(t *testing.T) *rpc.Server {
	server := rpc.NewServer()
	require.NoError(t, server.Register(s))
	return server
}

// log returns a handler that has s do the work.
func (s *Lagging) log() slog.Handler {
	return handlerFunc(func(context.Context, slog.Record) { s.work() })
}

// lagging are ways for a link to end with work left at a, and how long Wait then waits for it.
var lagging = map[string]struct {
	takes time.Duration
	end   func(a, b *rpcpipe.Peer) error
	limit time.Duration
}{
	"all in all it takes too long":    {10 * time.Millisecond, func(_, b *rpcpipe.Peer) error { return b.Close() }, 5 * time.Second},
	"a handler does not return":       {time.Second, func(_, b *rpcpipe.Peer) error { return b.Close() }, 250 * time.Millisecond},
	"this side has called Close":      {time.Millisecond, func(a, _ *rpcpipe.Peer) error { return a.Close() }, 250 * time.Millisecond},
	"the connection has broken":       {10 * time.Millisecond, breakLink, 5 * time.Second},
	"this side has called Close late": {100 * time.Millisecond, func(a, _ *rpcpipe.Peer) error { return a.Close() }, 250 * time.Millisecond},
}

// breakLink has the link of a end without an orderly end.
func breakLink(_, b *rpcpipe.Peer) error { return rpcpipe.Break(b) }

// requireGivesUp ends the link, waits for a, whose handlers are s, and checks that they were given
// the time they are to have, and that hardly anything is handled from then on.
func (s *Lagging) requireGivesUp(t *testing.T, a, b *rpcpipe.Peer, end func(a, b *rpcpipe.Peer) error, limit time.Duration) {
	t.Helper()
	synctest.Wait() // until all has arrived
	before := s.handled.Load()
	begin := time.Now()
	require.NoError(t, end(a, b))
	a.Wait()
	require.Equal(t, limit, time.Since(begin))
	b.Wait()
	most := s.handled.Load() + 1
	require.InDelta(t, int64(limit/s.takes), most-before, 10)
	<-time.After(time.Minute)
	require.LessOrEqual(t, s.handled.Load(), most)
}

// TestGiveUpLog: log records that a handler has not got when Wait gives up are dropped, and
// counted.
func TestGiveUpLog(t *testing.T) {
	for name, how := range lagging {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Lagging{takes: how.takes}
				a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: s.log()}, nil)
				const n = 1000
				logMany(slog.New(b.LogHandler(nil)), n)
				s.requireGivesUp(t, a, b, how.end, how.limit)
				_, in := a.LogDrops()
				require.EqualValues(t, n, int64(in)+s.handled.Load())
			})
		})
	}
}

// TestGiveUpNotes: and so are notifications that wait for their turn.
func TestGiveUpNotes(t *testing.T) {
	t.Parallel()
	for name, how := range lagging {
		for _, concurrent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, concurrent: %v", name, concurrent), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &Lagging{takes: how.takes}
					a, b := rpcpipe.Pair(&rpcpipe.Options{Server: s.server(t), ConcurrentNotify: concurrent, MaxHandlers: 1}, nil)
					const n = 1000
					for i := range n {
						require.NoError(t, b.Notify(t.Context(), "Lagging.Note", i))
					}
					s.requireGivesUp(t, a, b, how.end, how.limit)
					stats := a.Stats().Served
					require.EqualValues(t, n, stats.Notifications)
					require.EqualValues(t, n, int64(stats.DroppedNotifications)+s.handled.Load())
					require.Zero(t, stats.WaitingNotifications)
					require.Zero(t, stats.Running)
				})
			})
		}
	}
}

// TestGiveUpNew: a Peer of New is no child: it takes the time that it needs, whatever its ExitTimeout.
func TestGiveUpNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Lagging{takes: time.Millisecond}
		x, y := net.Pipe()
		up := make(chan *rpcpipe.Peer)
		go func() {
			b, err := rpcpipe.New(t.Context(), y, nil)
			assert.NoError(t, err)
			up <- b
		}()
		a, err := rpcpipe.New(t.Context(), x, &rpcpipe.Options{Server: s.server(t), ExitTimeout: 100 * time.Millisecond})
		require.NoError(t, err)
		b := <-up
		const n = 2000
		for i := range n {
			require.NoError(t, b.Notify(t.Context(), "Lagging.Note", i))
		}
		synctest.Wait()
		require.NoError(t, b.Close())
		a.Wait()
		b.Wait()
		require.EqualValues(t, n, s.handled.Load())
		require.Zero(t, a.Stats().Served.DroppedNotifications)
	})
}

// TestGiveUpNothing: what had come before the other side's end is handled, although that takes a
// while.
func TestGiveUpNothing(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(a, b *rpcpipe.Peer) error{
		"Close":  func(_, b *rpcpipe.Peer) error { return b.Close() },
		"broken": breakLink,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Lagging{takes: time.Millisecond}
				a, b := rpcpipe.Pair(&rpcpipe.Options{Server: s.server(t), LogHandler: s.log()}, nil)
				const n = 2000
				logMany(slog.New(b.LogHandler(nil)), n)
				for i := range n {
					require.NoError(t, b.Notify(t.Context(), "Lagging.Note", i))
				}
				synctest.Wait()
				require.NoError(t, end(a, b))
				a.Wait()
				require.EqualValues(t, 2*n, s.handled.Load())
				_, in := a.LogDrops()
				require.Zero(t, in)
				require.Zero(t, a.Stats().Served.DroppedNotifications)
				b.Wait()
			})
		})
	}
}
