package endpoint_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// collect returns a hook that sends its argument, cut off, to a channel.
func collect(n int) (func(string) (string, error), chan string) {
	got := make(chan string, n)
	return func(s string) (string, error) {
		got <- s[:min(len(s), 4)]
		return "", nil
	}, got
}

// TestNotifyOrder: one at a time, in order, a large one among small ones too.
func TestNotifyOrder(t *testing.T) {
	const n = 300
	note, got := collect(2 * n)
	var mu sync.Mutex
	one := func(s string) (string, error) {
		if !mu.TryLock() {
			t.Error("two at once")
		}
		defer mu.Unlock()
		return note(s)
	}
	overLinks(t, testkit.Hooks{"Note": one}, testkit.Hooks{"Note": one}, func(t *testing.T, a, _ *endpoint.Endpoint) {
		name := func(i int) string {
			return string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10), '.'})
		}
		for i := range n {
			text := name(i)
			if i%100 == 20 { // three: a bare connection takes 4 MiB at most in advance
				text += strings.Repeat("x", 1<<20)
			}
			require.NoError(t, a.Notify(t.Context(), "Note.Do", text))
		}
		for i := range n {
			require.Equal(t, name(i), <-got)
		}
	})
}

// TestNotifyFaults: what nobody hears of is logged, and the next ones are handled.
func TestNotifyFaults(t *testing.T) {
	note, got := collect(100)
	fail := func(string) (string, error) { return "", errNoLuck }
	j, log := testkit.NewJournal()
	here := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, Logger: log}
	there := &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Note": note, "Fail": fail}), MaxMessage: maxMessage, Logger: log}
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			testkit.NoneLeft(t)
			a, _ := l.make(t, here, there)
			ctx := t.Context()
			require.NoError(t, a.Notify(ctx, "Nobody.Note", 1))
			require.NoError(t, a.Notify(ctx, "Note.Nope", 1))
			require.NoError(t, a.Notify(ctx, "Note.Do", 1))
			require.NoError(t, a.Notify(ctx, "Fail.Do", "x"))
			require.NoError(t, a.Notify(ctx, "Bad.Goexit", 1))
			require.NoError(t, a.Notify(ctx, strings.Repeat("n", 100_000), 1))
			require.NoError(t, a.Notify(ctx, "Note.Do", "good"))
			require.Equal(t, "good", <-got, "the queue goes on")
			j.WaitFor(t, "can't find service Nobody.Note", "can't find method Note.Nope", "type mismatch", "no luck", "runtime.Goexit", "ill-formed")
			require.Less(t, len(j.All()), 50_000, "what is long is cut off")
			var berr *viaduct.BodyError
			require.ErrorAs(t, a.Notify(ctx, "Note.Do", make(chan int)), &berr)
			ended, cancel := context.WithCancel(ctx)
			cancel()
			require.ErrorIs(t, a.Notify(ended, "Note.Do", "late"), context.Canceled)
			require.NoError(t, a.Call("Note.Do", "call", nil))
			require.Equal(t, "call", <-got)
		})
	}
}

// TestNotifyNeedsNoReply: nothing comes back.
func TestNotifyNeedsNoReply(t *testing.T) {
	note, got := collect(2)
	e, y := plays(t, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Note": note})})
	writes(t, y, "\x93\x02\xa7Note.Do\x91\xa1a"+"\x93\x02\xa7Nobo.Do\x91\xa1b"+"\x94\x00\x05\xa7Note.Do\x91\xa1c")
	require.Equal(t, "\x94\x01\xce\x00\x00\x00\x05\xc0\xa0", string(reads(t, y, 9)))
	require.ElementsMatch(t, []string{"a", "c"}, []string{<-got, <-got})
	require.NoError(t, e.Err())
}

// TestNotifyWaitsWithContext: for room, and no longer than its context.
func TestNotifyWaitsWithContext(t *testing.T) {
	for _, i := range []int{0, 2} { // on net.Pipe
		t.Run(links[i].name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				slow := testkit.Hooks{"Slow": func(string) (string, error) { <-gate; return "", nil }}
				var a *endpoint.Endpoint
				if i == 0 {
					a, _ = links[i].make(t, nil, &endpoint.Options{Server: testkit.NewServer(slow)})
				} else {
					a, _ = plays(t, nil) // nobody reads
				}
				ctx, cancel := context.WithCancel(context.Background())
				failed := make(chan error)
				go func() {
					for {
						if err := a.Notify(ctx, "Slow.Do", strings.Repeat("x", 30<<10)); err != nil {
							failed <- err
							return
						}
					}
				}()
				synctest.Wait()
				select {
				case err := <-failed:
					t.Fatal("did not wait:", err)
				default:
				}
				cancel()
				err := <-failed
				close(gate)
				require.ErrorIs(t, err, context.Canceled)
			})
		})
	}
}

// blocking is a slog.Handler that waits.
type blocking struct {
	slog.Handler
	gate chan struct{}
}

func (b *blocking) Handle(context.Context, slog.Record) error { <-b.gate; return nil }

// TestBlockingLogger: it holds up nobody.
func TestBlockingLogger(t *testing.T) {
	for _, l := range links {
		t.Run(l.name, func(t *testing.T) {
			testkit.NoneLeft(t)
			b := &blocking{slog.DiscardHandler, make(chan struct{})}
			defer close(b.gate)
			opts := &endpoint.Options{Server: testkit.NewServer(nil), Logger: slog.New(b)}
			a, _ := l.make(t, opts, opts)
			for i := range 300 {
				require.NoError(t, a.Notify(t.Context(), "Nobody.Do", i))
				if i%10 == 0 {
					require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
				}
			}
			require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
		})
	}
}

func (b *blocking) Enabled(context.Context, slog.Level) bool { return true }
