package conformance_test

import (
	"errors"
	"io"
	"net/rpc"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// What the errors of methods of the child have here.
func TestModulesErrors(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		err := c.Call("T.Fail", Failing{How: "typed"}, nil)
		var typed *viaduct.Error
		require.ErrorAs(t, err, &typed)
		require.Equal(t, &viaduct.Error{Code: -7, Message: "bad", Data: map[string]any{"a": []any{1, "two"}}}, typed)
		require.ErrorIs(t, err, io.EOF)
		require.NotErrorIs(t, err, viaduct.ErrOverload) // a method cannot say that of itself
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)

		err = c.Call("T.Fail", Failing{How: "plain"}, nil)
		require.Equal(t, rpc.ServerError("plain"), err)
		err = c.Call("T.Fail", Failing{How: "passed"}, nil) // from a call of its own
		require.ErrorAs(t, err, new(rpc.ServerError))
		require.NotErrorIs(t, err, viaduct.ErrNotBegun)
		for _, how := range []string{"result", "large"} {
			require.ErrorAs(t, c.Call("T.Fail", Failing{How: how}, nil), new(rpc.ServerError), how)
		}
		err = c.Call("T.Nope", nil, nil)
		require.ErrorAs(t, err, new(rpc.ServerError))
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		require.Error(t, c.Call("T.Nest", "no number", nil))
		err = c.Call("T.Echo", make([]byte, 33<<20), nil) // more than the child takes
		require.ErrorAs(t, err, new(*viaduct.SizeError))
		require.NoError(t, c.Call("T.Echo", 1, nil))
	})
}

// What the errors of methods of this side have in the child.
func TestModulesSeeErrors(t *testing.T) {
	inEachTester(t, func(t *testing.T, c *tester) {
		try := func(what string) (p Problem) {
			require.NoError(t, c.Call("T.Try", what, &p))
			p.Names = nil
			return p
		}
		code := 42
		require.Equal(t, Problem{Kind: "MethodError", Text: "the parent says no", Code: &code, Data: []any{"why", 7}}, try("fail"))
		for what, want := range map[string]Problem{
			"none":        {Kind: "MethodError", NotBegun: true},
			"late":        {Kind: "DeadlineExceeded"},
			"large":       {Kind: "NotSent", NotBegun: true},
			"unencodable": {Kind: "NotSent", NotBegun: true},
		} {
			got := try(what)
			require.NotEmpty(t, got.Text)
			got.Text = ""
			require.Equal(t, want, got, what)
		}
	})
}

// Who has too much to do says so, and the method was not begun. Nested calls are served all the same.
func TestModulesOverload(t *testing.T) {
	eachLanguage(t, func(t *testing.T, name string) {
		c := startTester(t, name, rpcpipe.Options{}, "", "4")
		held := make(chan *rpc.Call, 4)
		for i := range cap(held) {
			// The last of them is called back, when four are at work.
			c.Go("T.Hold", Holding{Ask: i == cap(held)-1}, new(string), held)
			c.hears(t, "held")
		}
		err := c.Call("T.Echo", 1, nil)
		require.ErrorIs(t, err, viaduct.ErrOverload)
		require.ErrorIs(t, err, viaduct.ErrNotBegun)
		close(c.gate)
		for range cap(held) {
			require.NoError(t, (<-held).Error)
		}
		for c.Call("T.Echo", 1, nil) != nil { // the last of their places is free when its answer is with the system
			require.NoError(t, c.Err())
		}
	})
	eachLanguage(t, func(t *testing.T, name string) {
		c := startTester(t, name, rpcpipe.Options{MaxHandlers: 4, MaxWaiting: -1}, "")
		require.NoError(t, c.Notify(t.Context(), "T.Flood", nil))
		c.hearsAll(t, "held", "held", "held", "held", "overload true")
		close(c.gate)
	})
}

// Calls fail on both sides when the child closes the link.
func TestModulesDown(t *testing.T) {
	eachLanguage(t, func(t *testing.T, name string) {
		c := startTester(t, name, rpcpipe.Options{}, "ended: Down false\n")
		call := c.Go("T.Doomed", nil, nil, nil)
		c.hears(t, "held")
		if err := c.Notify(t.Context(), "T.Leave", nil); err != nil {
			require.ErrorIs(t, err, rpc.ErrShutdown) // it has left before this side knew that all was written
		}
		<-call.Done // the link has ended first, or the method has
		require.NoError(t, c.Wait())
		require.Equal(t, 0, c.Process().Exit().Code)
	})
}

// What is going on is finished, whoever shuts down.
func TestModulesShutdown(t *testing.T) {
	for _, by := range []string{"parent", "child"} {
		eachLanguage(t, func(t *testing.T, name string) {
			c := startTester(t, name, rpcpipe.Options{}, "")
			var word string
			call := c.Go("T.Hold", Holding{Ask: false}, &word, nil)
			c.hears(t, "held")
			ended := make(chan error, 1)
			if by == "parent" {
				go func() { ended <- c.Shutdown(t.Context()) }()
			} else {
				require.NoError(t, c.Notify(t.Context(), "T.Shutdown", nil))
				ended <- nil
			}
			for { // until nothing new is begun any more
				err := c.Call("T.Echo", 1, nil)
				if err != nil {
					require.ErrorIs(t, err, rpc.ErrShutdown)
					require.ErrorIs(t, err, viaduct.ErrNotBegun)
					break
				}
			}
			select {
			case <-c.Done():
				t.Fatal("the link has ended, though a call is in flight")
			default:
			}
			close(c.gate)
			require.NoError(t, (<-call.Done).Error)
			require.NoError(t, <-ended)
			require.NoError(t, c.Wait())
			require.Equal(t, 0, c.Process().Exit().Code)
		})
	}
}

// Nothing that the child prints gets between what it says.
func TestModulesNoise(t *testing.T) {
	noise := strings.Repeat("x", 10_000) + "\nnoise\n"
	eachLanguage(t, func(t *testing.T, name string) {
		c := startTester(t, name, rpcpipe.Options{}, "")
		require.NoError(t, c.Call("T.Noise", nil, nil))
		require.NoError(t, c.Call("T.Echo", 1, nil))
		require.NoError(t, c.Close())
		require.NoError(t, c.Wait())
		require.Equal(t, noise, string(c.Process().Exit().Stdout))
	})
	// With the link on standard output, what it prints goes to standard error.
	eachLanguage(t, func(t *testing.T, name string) {
		c := startTester(t, name, rpcpipe.Options{Stdio: true}, noise)
		require.NoError(t, c.Call("T.Noise", nil, nil))
		var back []byte
		require.NoError(t, c.Call("T.Relay", pattern(1<<20), &back))
		require.Equal(t, pattern(1<<20), back)
	})
}

// A program of another name, or version, is refused, and told so.
func TestModulesNeeds(t *testing.T) {
	eachLanguage(t, func(t *testing.T, name string) {
		startTester(t, name, rpcpipe.Options{NeedName: "test", MinVersion: "1.2", MaxVersion: "1.2"}, "")
		for _, opts := range []rpcpipe.Options{{NeedName: "other"}, {NeedName: "test", MinVersion: "1.3"}, {NeedName: "test", MaxVersion: "1.1"}} {
			_, err := rpcpipe.Start(t.Context(), testerCommand(t, name), &opts)
			require.ErrorAs(t, err, new(*procspawn.AppError))
			var exit *procspawn.Exit
			if errors.As(err, &exit) {
				require.Contains(t, string(exit.Stderr), "1.2")
			}
		}
	})
}
