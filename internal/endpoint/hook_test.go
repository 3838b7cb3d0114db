package endpoint_test

import (
	"context"
	"fmt"
	"io"
	"net/rpc"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// hookLog notes what testkit.Hooks are told.
type hookLog struct {
	mu    sync.Mutex
	lines []string
	more  func(context.Context) context.Context
}

func (h *hookLog) hook(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
	h.add("%s %v", call.Method, call.Notification)
	if h.more != nil {
		ctx = h.more(ctx)
	}
	return ctx, func(r serve.CallResult) {
		h.add("%s: %v %v %v", call.Method, r.Err, r.Request > 0, r.Reply > 0)
	}
}

func (h *hookLog) add(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, args...))
}

// take returns what was noted since.
func (h *hookLog) take() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.lines
	h.lines = nil
	return lines
}

// TestHooks: both sides hear of every kind of call, and of its end once.
func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var here, there hookLog
		c := newCareful()
		a, b := extendedPair(t, endpoint.Options{CallHook: here.hook}, endpoint.Options{ServeHook: there.hook, Server: tellingServer(t, c, Faulty{}), RecoverPanics: true})
		both := func(method, here1, there1 string, isNotification bool) {
			t.Helper()
			require.Equal(t, []string{fmt.Sprintf("%s %v", method, isNotification), method + ": " + here1}, here.take())
			if there1 == "" {
				require.Empty(t, there.take())
				return
			}
			require.Equal(t, []string{fmt.Sprintf("%s %v", method, isNotification), method + ": " + there1}, there.take())
		}
		var sum Reply
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, &sum))
		both("Arith.Add", "<nil> true true", "<nil> true true", false)
		require.NoError(t, (<-a.Go("Arith.Add", Args{1, 2}, &sum, nil).Done).Error)
		both("Arith.Add", "<nil> true true", "<nil> true true", false)
		client := a.Client()
		require.NoError(t, client.Call("Arith.Add", Args{1, 2}, &sum))
		both("Arith.Add", "<nil> true true", "<nil> true true", false)
		require.NoError(t, a.Notify(t.Context(), "Arith.Add", Args{1, 2}))
		both("Arith.Add", "<nil> true false", "<nil> true false", true)

		require.Error(t, a.Call("Faulty.Fail", FailArg{How: "sold"}, nil))
		both("Faulty.Fail", "seat 5: sold out true true", "seat 5: sold out true true", false)
		require.Error(t, (<-a.Go("Faulty.Plain", "plain", nil, nil).Done).Error)
		both("Faulty.Plain", "no luck true true", "no luck true true", false)
		require.Error(t, client.Call("Faulty.Plain", "plain", nil))
		both("Faulty.Plain", "no luck true true", "no luck true true", false)
		require.Error(t, a.Call("Faulty.Goexit", 1, nil))
		both("Faulty.Goexit", viaduct.ErrGoexit.Error()+" true true", viaduct.ErrGoexit.Error()+" true true", false)
		require.Error(t, a.Call("Faulty.Panic", "x", nil))
		both("Faulty.Panic", "viaduct: panic in the method: oh x true true", "viaduct: panic in the method: oh x true true", false)
		require.Error(t, a.Call("No.Such", 1, nil))
		both("No.Such", "rpc: can't find service No.Such true true", "rpc: can't find service No.Such true true", false)
		require.NoError(t, a.Notify(t.Context(), "Faulty.Plain", "plain"))
		both("Faulty.Plain", "<nil> true false", "no luck true false", true)
		require.Error(t, a.Call("Arith.Add", make(chan int), nil))
		both("Arith.Add", "viaduct: cannot encode arguments of Arith.Add, type chan int: type chan int cannot be sent false false", "", false)

		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() { failed <- a.CallContext(ctx, "Careful.Wait", &Heeding{N: 7}, nil) }()
		<-c.begun
		cancel()
		require.Equal(t, context.Canceled, <-failed)
		both("Careful.Wait", "context canceled true false", "viaduct: call cancelled true false", false)

		call := a.Go("Careful.Wait", &Heeding{N: 7}, nil, nil)
		other := client.Go("Careful.Wait", &Heeding{N: 7}, nil, nil)
		<-c.begun
		<-c.begun
		client.Close()
		<-other.Done
		require.Contains(t, here.take(), "Careful.Wait: connection is shut down true false")
		a.Close()
		<-call.Done
		b.Wait(t.Context())
		require.Equal(t, []string{"Careful.Wait: connection is shut down true false"}, here.take())
		lines := there.take()
		require.Len(t, slices.DeleteFunc(lines, func(s string) bool { return s == "Careful.Wait false" }), 2)
	})
}

// TestHookContext: what testkit.Hooks put into the context reaches the other side, and the method.
func TestHookContext(t *testing.T) {
	testkit.NoneLeft(t)
	type key struct{}
	here := hookLog{more: func(ctx context.Context) context.Context {
		return viaduct.WithMetadata(ctx, map[string]string{"trace": "5"})
	}}
	there := hookLog{more: func(ctx context.Context) context.Context {
		return context.WithValue(ctx, key{}, viaduct.Metadata(ctx)["trace"])
	}}
	server := rpc.NewServer()
	var got any
	require.NoError(t, server.RegisterName("See", &Seeing{func(ctx context.Context) { got = ctx.Value(key{}) }}))
	a, _ := extendedPair(t, endpoint.Options{CallHook: here.hook}, endpoint.Options{ServeHook: there.hook, Server: server})
	require.NoError(t, a.Call("See.See", Bare{}, nil))
	require.Equal(t, "5", got)
	got = nil
	require.NoError(t, (<-a.Go("See.See", Bare{}, nil, nil).Done).Error)
	require.Equal(t, "5", got)
	got = nil
	client := a.Client()
	defer client.Close()
	require.NoError(t, client.Call("See.See", Bare{}, nil))
	require.Equal(t, "5", got)
	require.ErrorIs(t, a.Call("See.Fail", Bare{}, nil), io.EOF, "Fail knows its call behind a hook's context")
}

// Seeing shows the context of its calls.
type Seeing struct{ see func(context.Context) }

func (s *Seeing) See(a Bare, _ *int) error {
	s.see(a.Context())
	return nil
}

func (s *Seeing) Fail(a Bare, _ *int) error { return a.Fail(io.EOF) }

// TestHookBlocks: one that does not return holds up its own call, not the link's end.
func TestHookBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hook := func(ctx context.Context, _ serve.CallInfo) (context.Context, func(serve.CallResult)) {
			return nil, func(serve.CallResult) { <-release }
		}
		g := newTurnstile() // its method does not heed the end of the link, and answers later
		a, b := extendedPair(t, endpoint.Options{CallHook: hook}, endpoint.Options{Server: tellingServer(t, g)})
		done := make(chan *rpc.Call, 2)
		a.Go("Turnstile.Pass", 1, nil, done)
		a.Go("Turnstile.Pass", 2, nil, done)
		<-g.at
		<-g.at
		b.Close()
		<-a.Done()
		synctest.Wait()
		require.Empty(t, done)
		close(release)
		close(g.open)
		require.ErrorIs(t, (<-done).Error, rpc.ErrShutdown)
		require.ErrorIs(t, (<-done).Error, rpc.ErrShutdown)
		endBoth(t, a, b)
	})
}

// TestHookOfClosedClient: the end of a call that is still being sent when its client is closed is
// told once.
func TestHookOfClosedClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log hookLog
		e, _ := plays(t, &endpoint.Options{CallHook: log.hook}) // nobody reads
		client := e.Client()
		first := client.Go("A.B", make([]byte, 1<<20), nil, nil)
		var second *rpc.Call
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			second = client.Go("A.C", make([]byte, 1<<20), nil, nil) // waits for room
		}()
		synctest.Wait()
		client.Close()
		<-sent
		<-first.Done
		<-second.Done
		require.ElementsMatch(t, []string{
			"A.B false", "A.B: connection is shut down true false",
			"A.C false", "A.C: connection is shut down true false",
		}, log.take())
	})
}

// TestHookOfLargeReply: a reply that cannot be sent is a failure.
func TestHookOfLargeReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log hookLog
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{ServeHook: log.hook})
		require.Error(t, a.Call("Faulty.Large", 2*maxMessage, nil))
		synctest.Wait() // the hook hears behind the caller
		require.Error(t, a.Call("Faulty.Reply", "", nil))
		synctest.Wait()
		lines := log.take()
		require.Len(t, lines, 4)
		require.Contains(t, lines[1], fmt.Sprintf("is over the limit of %d bytes", maxMessage))
		require.Contains(t, lines[3], "cannot encode reply")
		require.Equal(t, serve.Stats{Calls: 2, Failed: 2}, b.Stats().Served)
		endBoth(t, a, b)
	})
}
