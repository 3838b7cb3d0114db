package endpoint_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
)

// Counted counts how often its methods begin.
type Counted struct{ begun int }

func (c *Counted) Value(n int, _ *int) error    { c.begun++; return nil }
func (c *Counted) Pointer(n *int, _ *int) error { c.begun++; return nil }
func (c *Counted) Any(n any, _ *int) error      { c.begun++; return nil }
func (c *Counted) Seen(n Bare, _ *int) error    { c.begun++; return nil }
func (c *Counted) Params(p *viaduct.Params, _ *int) error {
	c.begun++
	return nil
}

// TestHookArgs: hooks are told what the caller passes, and what that was decoded into.
func TestHookArgs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var here, there []any
		note := func(to *[]any) serve.Hook {
			return func(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
				*to = append(*to, call.Args)
				return nil, nil
			}
		}
		a, b := extendedPair(t, endpoint.Options{CallHook: note(&here)}, endpoint.Options{ServeHook: note(&there), Server: tellingServer(t, &Counted{})})
		seven, params := 7, viaduct.Params{int64(1), "x"}
		anything := any(7)
		for _, test := range []struct {
			method      string
			args, there any
		}{
			{"Counted.Value", 7, &seven},
			{"Counted.Value", &seven, &seven},
			{"Counted.Pointer", 7, &seven},
			{"Counted.Any", 7, &anything},
			{"Counted.Params", params, &params},
			{"Counted.Value", "no number", nil},
			{"Counted.None", 7, nil},
			{"None", 7, nil},
		} {
			here, there = nil, nil
			err := a.Call(test.method, test.args, nil)
			require.Equal(t, test.there == nil, err != nil, "%v", err)
			synctest.Wait()
			require.Equal(t, []any{test.args}, here)
			require.Equal(t, []any{test.there}, there, "%s", test.method)
		}
		here, there = nil, nil
		encoded, err := a.Encode("Counted.Value", 7)
		require.NoError(t, err)
		require.NoError(t, a.Call("Counted.Value", encoded, nil))
		require.Equal(t, []any{nil}, here)
		require.Equal(t, []any{&seven}, there)
		endBoth(t, a, b)
	})
}

// refusing refuses all calls with err, and notes in ended how they end.
func refusing(err error, ended *[]error) serve.Hook {
	return func(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
		call.Refusal.Refuse(err)
		return nil, func(r serve.CallResult) { *ended = append(*ended, r.Err) }
	}
}

// TestServeHookRefuses: the method does not begin, and the caller has the error with its parts, as
// one that was not begun.
func TestServeHookRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []error
		var why error
		hook := func(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
			return refusing(why, &ended)(ctx, call)
		}
		service := &Counted{}
		var log bytes.Buffer
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{ServeHook: hook, Server: tellingServer(t, service), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		call := func(err error) error {
			why, ended = err, nil
			err = a.Call("Counted.Seen", Bare{}, nil)
			synctest.Wait() // the hook hears behind the caller
			require.Len(t, ended, 1)
			require.ErrorIs(t, ended[0], why)
			require.ErrorIs(t, ended[0], viaduct.ErrNotBegun)
			require.ErrorIs(t, err, viaduct.ErrNotBegun)
			require.NotErrorIs(t, err, viaduct.ErrOverload)
			return err
		}
		require.EqualError(t, call(errors.New("not for you")), "not for you")
		err := call(fmt.Errorf("at %w", io.EOF))
		require.EqualError(t, err, "at EOF")
		require.ErrorIs(t, err, io.EOF)
		var coded *viaduct.Error
		require.ErrorAs(t, call(fmt.Errorf("no: %w", &viaduct.Error{Code: 403, Message: "forbidden"})), &coded)
		require.Equal(t, 403, coded.Code)
		call(viaduct.ErrOverload) // of another call: this one was not refused for it
		require.EqualError(t, call(errors.New("")), "unknown error")
		require.Equal(t, serve.Stats{Calls: 5, Failed: 5}, b.Stats().Served)

		why, ended = io.EOF, nil
		require.NoError(t, a.Notify(t.Context(), "Counted.Seen", Bare{}))
		synctest.Wait()
		require.Len(t, ended, 1)
		require.ErrorIs(t, ended[0], viaduct.ErrNotBegun)
		require.Contains(t, log.String(), serve.FailedNotification)
		require.Zero(t, service.begun)

		why, ended = io.EOF, nil
		err = a.Call("No.Such", 1, nil)
		require.ErrorContains(t, err, "can't find service")
		require.NotErrorIs(t, err, io.EOF)
		synctest.Wait() // before the next one notes its end

		why = nil
		require.NoError(t, a.Call("Counted.Seen", Bare{}, nil))
		require.Equal(t, 1, service.begun)
		endBoth(t, a, b)
	})
}

// TestCallHookRefuses: nothing is sent.
func TestCallHookRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended []error
		a, b := extendedPair(t, endpoint.Options{CallHook: refusing(io.EOF, &ended)}, endpoint.Options{Server: tellingServer(t, &Counted{})})
		client := a.Client()
		for _, call := range []func() error{
			func() error { return a.Call("Counted.Value", 1, nil) },
			func() error { return (<-a.Go("Counted.Value", 1, nil, make(chan *rpc.Call, 1)).Done).Error },
			func() error { return a.Notify(t.Context(), "Counted.Value", 1) },
			func() error { _, err := a.TryNotify("Counted.Value", 1); return err },
		} {
			ended = nil
			err := call()
			require.ErrorIs(t, err, io.EOF)
			require.ErrorIs(t, err, viaduct.ErrNotBegun)
			require.Equal(t, []error{err}, ended)
		}
		ended = nil
		require.Equal(t, io.EOF, client.Call("Counted.Value", 1, nil))
		require.Len(t, ended, 1)
		client.Close()
		endBoth(t, a, b)
		require.Zero(t, b.Stats().Served)
		require.Zero(t, a.Stats().Made.Pending)
	})
}
