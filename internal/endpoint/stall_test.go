package endpoint_test

import (
	"context"
	"log/slog"
	"net"
	"net/rpc"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Slow is a service whose methods wait.
type Slow struct{ gate chan struct{} }

func (s *Slow) Hold(int, *int) error      { <-s.gate; return nil }
func (s *Slow) Report([]byte, *int) error { <-s.gate; return nil }
func (s *Slow) Brief(int, *int) error     { return nil }

// Rest sleeps for so long.
func (s *Slow) Rest(d time.Duration, _ *int) error { time.Sleep(d); return nil }

// witness is a Logger of which tests see the records, without their times.
type witness struct {
	journal *testkit.Journal
	log     *slog.Logger
}

func newWitness() witness {
	j, log := testkit.NewJournal()
	return witness{j, log}
}

var stamp = regexp.MustCompile(`(?m)^time=\S+ level=WARN msg=`)

// said returns what was reported so far.
func (w witness) said() []string {
	synctest.Wait()
	text := strings.TrimSpace(stamp.ReplaceAllString(w.journal.All(), ""))
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

const (
	behindHold   = `"viaduct: stalled: a notification waits to be handled" method=Slow.Report waits_for="a handler that runs" side="this side" handler=Slow.Hold waited=5s`
	behindReport = `"viaduct: stalled: a notification waits to be handled" method=Slow.Report waits_for="a handler that runs" side="this side" handler=Slow.Report waited=5s`
	forPlace     = `"viaduct: stalled: a call waits to be handled" method=Slow.Brief waits_for="a place among the handlers" side="this side" waited=5s`
)

func unsent(what, method, waitsFor string) string {
	return `"viaduct: stalled: a ` + what + ` waits to be sent" method=` + method + ` waits_for=` + waitsFor + ` side="the other side" waited=5s`
}

// TestStalledNotifications: the receiver tells which handler holds up the queue, once for each
// handler, and the sender that it waits for credit.
func TestStalledNotifications(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Slow{gate: make(chan struct{})}
		x, y := newWitness(), newWitness()
		a, b := extendedPair(t, endpoint.Options{Logger: x.log}, endpoint.Options{Logger: y.log, Server: tellingServer(t, s)})
		require.NoError(t, a.Notify(t.Context(), "Slow.Hold", 1))
		time.Sleep(time.Hour)
		require.Empty(t, y.said(), "nothing waits behind it")
		require.False(t, b.StallTimer())

		sent := make(chan error)
		const n = 300
		go func() {
			for range n {
				if err := a.Notify(t.Context(), "Slow.Report", make([]byte, 1000)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		time.Sleep(5*time.Second - 1)
		require.Empty(t, x.said())
		require.Empty(t, y.said())
		time.Sleep(time.Nanosecond)
		require.Equal(t, []string{behindHold}, y.said())
		require.Equal(t, []string{unsent("notification", "Slow.Report", "credit")}, x.said())
		require.Equal(t, endpoint.StallStats{Sending: 1, Total: 1}, a.Stats().Stalls)
		require.Equal(t, endpoint.StallStats{Handling: 1, Total: 1}, b.Stats().Stalls)
		require.False(t, a.StallTimer())
		time.Sleep(time.Hour)
		require.Len(t, x.said(), 1, "it is told once")
		require.Len(t, y.said(), 1)

		s.gate <- struct{}{} // the next one is another handler
		synctest.Wait()
		require.Equal(t, endpoint.StallStats{Total: 1}, b.Stats().Stalls)
		time.Sleep(5 * time.Second)
		require.Equal(t, []string{behindHold, behindReport}, y.said())

		close(s.gate)
		require.NoError(t, <-sent)
		synctest.Wait()
		require.Equal(t, 0, a.Stats().Stalls.Sending)
		require.Equal(t, endpoint.StallStats{Total: 2}, b.Stats().Stalls)
		require.False(t, a.StallTimer())
		require.False(t, b.StallTimer())
		endBoth(t, a, b)
	})
}

// TestStalledRequests: calls that wait for a place are told of once, as long as one of them waits.
func TestStalledRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Slow{gate: make(chan struct{})}
		x, y := newWitness(), newWitness()
		a, b := extendedPair(t, endpoint.Options{Logger: x.log},
			endpoint.Options{Logger: y.log, Server: tellingServer(t, s), MaxHandlers: 1, ConcurrentNotify: true})
		done := make(chan *rpc.Call, 10)
		a.Go("Slow.Hold", 1, nil, done)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go a.CallContext(ctx, "Slow.Brief", 1, nil)
		time.Sleep(time.Second)
		for range 3 {
			a.Go("Slow.Brief", 1, nil, done)
		}
		time.Sleep(time.Second)
		require.NoError(t, a.Notify(t.Context(), "Slow.Brief", 1))
		time.Sleep(3*time.Second - 1)
		require.Empty(t, y.said())
		time.Sleep(time.Nanosecond)
		require.Equal(t, []string{forPlace}, y.said())
		time.Sleep(time.Second)
		require.Len(t, y.said(), 1, "the others wait as it does")
		require.Equal(t, endpoint.StallStats{Handling: 4, Total: 4}, b.Stats().Stalls)
		time.Sleep(time.Second)
		require.Equal(t, []string{forPlace, strings.Replace(forPlace, "a call", "a notification", 1)}, y.said())
		cancel()
		synctest.Wait()
		require.Equal(t, endpoint.StallStats{Handling: 4, Total: 5}, b.Stats().Stalls)
		require.Empty(t, x.said())

		close(s.gate)
		for range 4 {
			require.NoError(t, (<-done).Error)
		}
		synctest.Wait()
		require.Equal(t, endpoint.StallStats{Total: 5}, b.Stats().Stalls)
		require.False(t, b.StallTimer())
		endBoth(t, a, b)
	})
}

// TestStalledSends: calls, replies and notifications that the other side does not take, on a bare
// link and on lanes.
func TestStalledSends(t *testing.T) {
	wants := func(t *testing.T, w witness, want ...string) {
		t.Helper()
		time.Sleep(5*time.Second - 1)
		require.Empty(t, w.said())
		time.Sleep(time.Nanosecond)
		require.ElementsMatch(t, want, w.said())
	}
	t.Run("bare", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWitness()
			e, conn := plays(t, &endpoint.Options{Logger: w.log})
			go e.Call("Some.Large", make([]byte, 1<<20), nil) // is being written
			synctest.Wait()
			for range 2 { // the first is queued
				go e.Call("Some.Call", make([]byte, 1<<20), nil)
				synctest.Wait()
				go e.Notify(t.Context(), "Some.Notification", 1)
				synctest.Wait()
			}
			wants(t, w, unsent("call", "Some.Call", "room"), unsent("notification", "Some.Notification", "room"))
			require.Equal(t, endpoint.StallStats{Sending: 3, Total: 3}, e.Stats().Stalls)
			conn.Close()
		})
	})
	t.Run("replies on a bare link", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWitness()
			e, conn := plays(t, &endpoint.Options{Logger: w.log, Server: testkit.NewServer(nil)})
			for range 3 {
				writes(t, conn, "\x94\x00\x01\xa9Raw.Sized\x91\xce\x00\x10\x00\x00")
				synctest.Wait()
			}
			wants(t, w, unsent("reply", "Raw.Sized", "room"))
			require.Equal(t, endpoint.StallStats{Sending: 1, Total: 1}, e.Stats().Stalls)
			reads(t, conn, 3<<20)
			synctest.Wait()
			require.Equal(t, endpoint.StallStats{Total: 1}, e.Stats().Stalls)
		})
	})
	t.Run("lanes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWitness()
			x, y := net.Pipe() // at which nobody answers
			d := duplex.New(x, nil)
			e := endpoint.NewEndpoint(testkit.LinkOf(d.ClientLane()), testkit.LinkOf(d.ServerLane()), &endpoint.Options{Logger: w.log})
			go e.Call("Some.Call", 1, nil)
			go e.Notify(t.Context(), "Some.Notification", 1)
			wants(t, w, unsent("call", "Some.Call", "credit"), unsent("notification", "Some.Notification", "credit"))
			y.Close()
			e.Close()
			require.Zero(t, e.Wait(t.Context()))
			synctest.Wait()
			require.Zero(t, e.Stats().Stalls.Sending)
			d.Wait()
		})
	})
}

// TestNothingStalls: what runs for long, or goes on, is no stall, and arms no timer.
func TestNothingStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Slow{gate: make(chan struct{})}
		x, y := newWitness(), newWitness()
		a, b := extendedPair(t, endpoint.Options{Logger: x.log}, endpoint.Options{Logger: y.log, Server: tellingServer(t, s)})
		const n = 1000
		done := make(chan *rpc.Call, n)
		for range n {
			a.Go("Slow.Hold", 1, nil, done)
		}
		synctest.Wait()
		require.False(t, a.StallTimer())
		require.False(t, b.StallTimer())
		time.Sleep(time.Hour)
		close(s.gate)
		for range n {
			require.NoError(t, (<-done).Error)
		}
		for range 100 { // a queue that goes on
			require.NoError(t, a.Notify(t.Context(), "Slow.Rest", 3*time.Second))
		}
		synctest.Wait()
		require.Equal(t, 99, b.Stats().Served.WaitingNotifications)
		time.Sleep(time.Hour)
		require.Zero(t, b.Stats().Served.WaitingNotifications)
		require.Empty(t, x.said())
		require.Empty(t, y.said())
		require.Zero(t, a.Stats().Stalls)
		require.Zero(t, b.Stats().Stalls)
		require.False(t, b.StallTimer())
		endBoth(t, a, b)
	})
}

// TestStallReport: it has its own time, or is not wanted, and there is none behind the link's end.
func TestStallReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Slow{gate: make(chan struct{})}
		for _, limit := range []time.Duration{-1, time.Minute, 0} {
			y := newWitness()
			a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Logger: y.log, Server: tellingServer(t, s), StallReport: limit})
			require.NoError(t, a.Notify(t.Context(), "Slow.Hold", 1))
			require.NoError(t, a.Notify(t.Context(), "Slow.Report", nil))
			synctest.Wait()
			require.Equal(t, limit >= 0, b.StallTimer())
			if limit == 0 { // ends before
				b.Close()
				require.False(t, b.StallTimer())
			}
			time.Sleep(time.Minute - 1)
			require.Empty(t, y.said())
			time.Sleep(time.Nanosecond)
			if limit > 0 {
				require.Equal(t, []string{strings.Replace(behindHold, "5s", "1m0s", 1)}, y.said())
			}
			time.Sleep(time.Hour)
			require.Equal(t, limit > 0, len(y.said()) > 0)
			s.gate <- struct{}{}
			s.gate <- struct{}{}
			endBoth(t, a, b)
		}
	})
}
