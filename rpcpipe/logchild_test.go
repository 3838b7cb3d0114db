package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/rpc"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Logs is a child that logs, and keeps what its parent logs.
type Logs struct {
	log  *slog.Logger
	peer *rpcpipe.Peer
	book *logbook
	up   chan struct{} // closed when log and peer are set
}

func init() {
	children["logs"] = func([]string) {
		l := &Logs{book: newLogbook(), up: make(chan struct{})}
		server := rpc.NewServer()
		server.Register(l)
		l.peer = connect(&rpcpipe.Options{Server: server, LogHandler: l.book, LogFallback: slog.DiscardHandler})
		l.log = slog.New(l.peer.LogHandler(nil))
		close(l.up)
		l.peer.Wait()
	}
}

func init() {
	// A hasty child logs and closes the link as soon as it is connected.
	children["hasty"] = func([]string) {
		p := connect(nil)
		log := slog.New(p.LogHandler(nil))
		for range 3 {
			log.Info("hasty")
		}
		p.Close()
	}
}

// TestLogThenClose: what a child logs first may be all that it says.
func TestLogThenClose(t *testing.T) {
	t.Parallel()
	for range 20 {
		book := newLogbook()
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("hasty"), &rpcpipe.Options{LogHandler: book})
		require.NoError(t, err)
		p.Wait()
		book.mu.Lock()
		require.Len(t, book.records, 3)
		require.Zero(t, book.dropped)
		book.mu.Unlock()
	}
}

// Log logs n records and returns how long that took.
func (l *Logs) Log(n int, took *time.Duration) error {
	<-l.up
	*took = logMany(l.log, n)
	return nil
}

// Enabled reports whether somebody wants what is logged.
func (l *Logs) Enabled(_ int, yes *bool) error {
	<-l.up
	*yes = l.log.Enabled(context.Background(), slog.LevelError)
	return nil
}

// Drops returns what LogDrops does.
func (l *Logs) Drops(_ int, drops *[2]uint64) error {
	<-l.up
	drops[0], drops[1] = l.peer.LogDrops()
	return nil
}

// Count waits for n records, those dropped included, and returns how many have come.
func (l *Logs) Count(n int, got *int) error {
	*got = len(l.book.waitFor(n))
	return l.book.gap()
}

// A Crash is how a child ends when it has logged N records.
type Crash struct {
	N       int
	How     string
	Written bool // it makes sure before that they have left
}

func (l *Logs) Crash(c *Crash, _ *int) error {
	<-l.up
	logMany(l.log, c.N)
	if c.Written {
		l.peer.Call("Nobody.There", 0, nil) // goes behind them
	}
	switch c.How {
	case "exit":
		os.Exit(7)
	case "panic":
		go panic("on purpose")
	case "kill":
		self, _ := os.FindProcess(os.Getpid())
		self.Kill()
	}
	select {}
}

// TestLogBlockedHandler: a child goes on at full speed while its parent's handler
// is blocked, so do calls, and no record is unaccounted for.
func TestLogBlockedHandler(t *testing.T) {
	const n = 100_000
	before := snapshot()
	gate := make(chan struct{})
	book := newLogbook()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogHandler: handlerFunc(func(ctx context.Context, r slog.Record) {
		<-gate
		book.Handle(ctx, r)
	})})
	require.NoError(t, err)
	defer p.Close()
	var took time.Duration
	require.NoError(t, p.Call("Logs.Log", n, &took))
	close(gate)
	records := book.waitFor(n)
	require.Equal(t, n, len(records)+book.dropped)
	require.NotZero(t, book.dropped)
	require.Greater(t, len(records), 1000)
	require.NoError(t, book.gap())
	_, in := p.LogDrops()
	require.EqualValues(t, book.dropped, in)
	var there [2]uint64
	require.NoError(t, p.Call("Logs.Drops", 0, &there))
	require.LessOrEqual(t, there[0], in)
	t.Logf("%v a record; %d of %d dropped, %d of them by the child", took/n, in, n, there[0])

	require.NoError(t, p.Call("Logs.Log", 10, &took)) // and on it goes
	require.Equal(t, n+10, len(book.waitFor(n+10))+book.dropped)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
	before.requireSame(t)
}

// TestLogStoppedPeer: a process that does not run holds up nobody who logs to it.
func TestLogStoppedPeer(t *testing.T) {
	t.Parallel()
	const n = 100_000
	p := startChild(t, "logs")
	var enabled bool
	require.NoError(t, p.Call("Logs.Enabled", 0, &enabled))
	require.False(t, enabled, "this side has no LogHandler")
	var got, n1 int
	require.NoError(t, p.Call("Logs.Count", 0, &got))
	suspend(t, p.Process().Pid())
	took := logMany(slog.New(p.LogHandler(nil)), n)
	resume(t, p.Process().Pid())
	require.NoError(t, p.Call("Logs.Count", n, &got))
	out, _ := p.LogDrops()
	var there [2]uint64
	require.NoError(t, p.Call("Logs.Drops", 0, &there))
	require.GreaterOrEqual(t, there[1], out)
	require.EqualValues(t, n, uint64(got)+there[1])
	require.NotZero(t, out)
	t.Logf("%v a record; %d of %d dropped, %d of them here", took/n, there[1], n, out)
	slog.New(p.LogHandler(nil)).Info("and on it goes", "i", n)
	require.NoError(t, p.Call("Logs.Count", n+1, &n1))
	require.Equal(t, got+1, n1)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Wait())
}

// TestLogKilledStopped: nor does one that never runs again.
func TestLogKilledStopped(t *testing.T) {
	before := snapshot()
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogFallback: slog.DiscardHandler})
	require.NoError(t, err)
	suspend(t, p.Process().Pid())
	log := slog.New(p.LogHandler(nil))
	logMany(log, 100_000)
	kill(t, p)
	require.Error(t, p.Wait())
	require.False(t, log.Enabled(t.Context(), slog.LevelError))
	before.requireSame(t)
}

// TestLogLastWords: what was logged just before the end, however that comes, arrives
// before Wait returns. Only if the child is just writing something else it may be too late.
func TestLogLastWords(t *testing.T) {
	t.Parallel() // beside those that wait
	const n, times = 20, 10
	for _, how := range []string{"exit", "panic", "kill"} {
		for _, written := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, written: %v", how, written), func(t *testing.T) {
				if !written {
					onlyUnix(t, "another goroutine than the caller's writes")
				}
				whole := 0
				for range times {
					book := newLogbook()
					p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogHandler: book})
					require.NoError(t, err)
					require.Error(t, p.Call("Logs.Crash", Crash{n, how, written}, nil))
					require.Error(t, p.Wait())
					if len(book.records) == n {
						whole++
					}
					for i, r := range book.records {
						require.EqualValues(t, i, attrsOf(r)["i"])
					}
				}
				if written {
					require.Equal(t, times, whole)
				}
				require.Greater(t, whole, times/2)
			})
		}
	}
}

// Exit logs one record with a message of so many bytes, and exits.
func (l *Logs) Exit(size int, _ *int) error {
	<-l.up
	l.log.Info(strings.Repeat("é", size/2))
	os.Exit(7)
	return nil
}

// TestLogLastRecord: one record arrives whole, or visibly shortened, although the child exits right
// behind it.
func TestLogLastRecord(t *testing.T) {
	t.Parallel() // beside those that wait
	onlyUnix(t, "another goroutine than the caller's writes")
	for _, size := range []int{100, 31_000, 32_000, 33_000, 34_000, 70_000, 1_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			for range 10 {
				book := newLogbook()
				p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogHandler: book})
				require.NoError(t, err)
				require.Error(t, p.Call("Logs.Exit", size, nil))
				require.Error(t, p.Wait())
				require.Len(t, book.records, 1)
				message, short := strings.CutSuffix(book.records[0].Message, "...")
				require.Equal(t, size > 32_500, short)
				require.Equal(t, strings.Repeat("é", len(message)/2), message)
				if short {
					require.Greater(t, len(message), 32_000)
					require.Contains(t, attrsOf(book.records[0]), "!TOOLARGE")
				} else {
					require.Len(t, message, size)
				}
			}
		})
	}
}

// TestLogHandlerNeverReturns: a handler that never returns is given up as methods are.
func TestLogHandlerNeverReturns(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	defer close(gate)
	began := make(chan struct{}, 100)
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("logs"), &rpcpipe.Options{LogHandler: handlerFunc(func(context.Context, slog.Record) {
		began <- struct{}{}
		<-gate
	})})
	require.NoError(t, err)
	var exit *procspawn.Exit
	require.ErrorAs(t, p.Call("Logs.Crash", Crash{N: 20, How: "exit", Written: true}, nil), &exit)
	<-began
	begin := time.Now()
	require.ErrorAs(t, p.Wait(), &exit)
	require.Less(t, time.Since(begin), slack(2*time.Second))
	require.Equal(t, 7, exit.Code)
}

// TestLogNew: over any connection, in both directions at once.
func TestLogNew(t *testing.T) {
	one, other := pipes(t)
	here, there := newLogbook(), newLogbook()
	ready := make(chan *rpcpipe.Peer)
	go func() {
		p, _ := rpcpipe.New(context.Background(), other, &rpcpipe.Options{LogHandler: there})
		ready <- p
	}()
	a, err := rpcpipe.New(t.Context(), one, &rpcpipe.Options{LogHandler: here})
	require.NoError(t, err)
	b := <-ready
	const n = 5000
	done := make(chan error, 2)
	for _, p := range []*rpcpipe.Peer{a, b} {
		go func() {
			logMany(slog.New(p.LogHandler(nil)), n)
			done <- nil
		}()
	}
	<-done
	<-done
	for _, book := range []*logbook{here, there} {
		if got := len(book.waitFor(n)); got+book.dropped != n {
			t.Error(errors.New(fmt.Sprint(got, book.dropped)))
		}
	}
	require.NoError(t, a.Close())
	require.NoError(t, a.Wait())
	require.NoError(t, b.Wait())
}
