package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/serve"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

func (Faulty) Wrap(a FailArg, _ *int) error   { return fmt.Errorf("outer: %w", a.Fail(failures[a.How])) }
func (Faulty) Thrown(a FailArg, _ *int) error { a.Fail(io.EOF); return errors.New(a.How) }
func (Faulty) Latest(a FailArg, _ *int) error {
	err := a.Fail(failures[a.How])
	a.Fail(errors.New("no luck"))
	return fmt.Errorf("outer: %w", err)
}

// TestFailWrapped: an error that wraps what Fail has returned crosses with its own text and the
// parts of that.
func TestFailWrapped(t *testing.T) {
	testkit.NoneLeft(t)
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{})
	call := func(method, how, text string) error {
		t.Helper()
		err := a.Call("Faulty."+method, FailArg{How: how}, nil)
		require.EqualError(t, err, text)
		var plain rpc.ServerError
		require.ErrorAs(t, err, &plain)
		require.EqualError(t, plain, text)
		return err
	}
	for how, inner := range failures {
		if text := inner.Error(); text != "" && how != "unsent" {
			call("Wrap", how, "outer: "+text)
		}
	}
	require.ErrorIs(t, call("Wrap", "sold", "outer: seat 5: sold out"), errSold)
	require.ErrorIs(t, call("Wrap", "eof", "outer: EOF"), io.EOF)
	require.ErrorIs(t, call("Wrap", "mute", "outer: unknown error"), errSold)
	var e *viaduct.Error
	require.ErrorAs(t, call("Wrap", "code", "outer: row 7: bad row"), &e)
	require.Equal(t, failures["code"].(interface{ Unwrap() error }).Unwrap(), e)
	require.Equal(t, rpc.ServerError("outer: no luck"), call("Wrap", "plain", "outer: no luck"))

	// What ends alike by chance does not, nor what wraps an earlier one.
	for _, how := range []string{"unexpected EOF", "EOFs: EOF.", "x:EOF", "x EOF", "EOF: x", ": ", "x: ", "eof"} {
		require.Equal(t, rpc.ServerError(how), call("Thrown", how, how))
	}
	require.ErrorIs(t, call("Thrown", "EOF", "EOF"), io.EOF, "as ever")
	require.Equal(t, rpc.ServerError("outer: seat 5: sold out"), call("Latest", "sold", "outer: seat 5: sold out"))
}

// TestFailWrappedHook: the hook of the side that serves a call is told of the same error.
func TestFailWrappedHook(t *testing.T) {
	heard := make(chan error, 1)
	hook := func(ctx context.Context, call serve.CallInfo) (context.Context, func(serve.CallResult)) {
		return ctx, func(r serve.CallResult) { heard <- r.Err }
	}
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{ServeHook: hook})
	require.Error(t, a.Call("Faulty.Wrap", FailArg{How: "sold"}, nil))
	err := <-heard
	require.EqualError(t, err, "outer: seat 5: sold out")
	require.ErrorIs(t, err, errSold)
}
