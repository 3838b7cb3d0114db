package endpoint_test

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/rpc"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Faulty is a service whose methods fail in one way or another.
type Faulty struct{}

type FailArg struct {
	viaduct.Caller
	How string
}

var errSold = errors.New("sold out")

type shade struct{ R, G, B uint8 }

func init() {
	viaduct.RegisterError("viaduct_test.errSold", errSold)
	gob.Register(shade{})
}

// twoErrors is an error as no package has.
type twoErrors struct{ a, b error }

func (e twoErrors) Error() string   { return "both: " + e.a.Error() + ", " + e.b.Error() }
func (e twoErrors) Unwrap() []error { return []error{e.a, e.b} }

var failures = map[string]error{
	"plain":   errors.New("no luck"),
	"sold":    fmt.Errorf("seat 5: %w", errSold),
	"open":    openError(),
	"eof":     io.EOF,
	"context": fmt.Errorf("reading: %w", context.DeadlineExceeded),
	"code":    fmt.Errorf("row 7: %w", &viaduct.Error{Code: -32000, Message: "bad row", Data: map[string]any{"row": 7.0, "list": []any{"a", nil}}}),
	"typed":   &viaduct.Error{Code: 1, Data: shade{1, 2, 3}},
	"both":    twoErrors{fmt.Errorf("x: %w", errSold), &viaduct.Error{Code: 9, Message: "nine"}},
	"unsent":  &viaduct.Error{Code: 2, Message: "two", Data: make(chan int)},
	"empty":   errors.New(""),
	"mute":    muteError{errSold},
	"body":    &viaduct.BodyError{Op: "decode", What: "reply", Method: "Other.Call", Type: "int", Err: io.EOF},
	"load":    fmt.Errorf("nested: %w", viaduct.ErrOverload),
}

// muteError says nothing.
type muteError struct{ err error }

func (e muteError) Error() string { return "" }
func (e muteError) Unwrap() error { return e.err }

func openError() error {
	_, err := os.Open("/no/such/file")
	return err
}

func (Faulty) Fail(a FailArg, _ *int) error   { return a.Fail(failures[a.How]) }
func (Faulty) Plain(how string, _ *int) error { return failures[how] }
func (Faulty) Other(a FailArg, _ *int) error  { a.Fail(failures[a.How]); return errors.New("another") }
func (Faulty) Panic(how string, _ *int) error { panic(fmt.Sprintf("oh %s", how)) }
func (Faulty) Nil(p *int, _ *int) error       { return fmt.Errorf("%d", *(*int)(nil)) }
func (Faulty) Goexit(int, *int) error         { runtime.Goexit(); return nil }
func (Faulty) Reply(how string, r *any) error { *r = make(chan int); return nil }
func (Faulty) Large(n int, r *[]byte) error   { *r = make([]byte, n); return nil }
func (Faulty) Twice(a FailArg, _ *int) error  { a.Fail(errSold); return a.Fail(failures[a.How]) }
func (Faulty) Relay(a FailArg, _ *int) error {
	return a.Fail(fmt.Errorf("relayed: %w", viaductOf(a.Context()).CallContext(a.Context(), "Faulty.Fail", FailArg{How: a.How}, nil)))
}

type endpointKey struct{}

func viaductOf(ctx context.Context) *endpoint.Endpoint {
	return (*ctx.Value(endpointKey{}).(**endpoint.Endpoint))
}

// extendedPair makes two endpoints that understand each other as those of rpcpipe do.
func extendedPair(t testing.TB, a, b endpoint.Options) (x, y *endpoint.Endpoint) {
	t.Helper()
	for _, o := range []*endpoint.Options{&a, &b} {
		o.Extended, o.GoPeer = true, true
		if o.Server == nil {
			o.Server = testkit.NewServer(nil)
			require.NoError(t, o.Server.Register(Faulty{}))
		}
	}
	a.Context = context.WithValue(context.Background(), endpointKey{}, &x)
	b.Context = context.WithValue(context.Background(), endpointKey{}, &y)
	x, y = laneEndpoints(t, 0, &a, &b)
	return x, y
}

// TestFail: what crosses of an error, and its text.
func TestFail(t *testing.T) {
	testkit.NoneLeft(t)
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{})
	fail := func(how string) error {
		t.Helper()
		err := a.Call("Faulty.Fail", FailArg{How: how}, nil)
		require.EqualError(t, err, failures[how].Error(), "%s", how)
		var text rpc.ServerError
		require.ErrorAs(t, err, &text, "%s", how)
		require.EqualError(t, text, failures[how].Error())
		return err
	}
	require.Equal(t, rpc.ServerError("no luck"), fail("plain"))
	require.ErrorIs(t, fail("sold"), errSold)
	require.ErrorIs(t, fail("open"), fs.ErrNotExist)
	require.NotErrorIs(t, fail("open"), fs.ErrExist)
	require.ErrorIs(t, fail("eof"), io.EOF)
	require.ErrorIs(t, fail("context"), context.DeadlineExceeded)
	var e *viaduct.Error
	require.ErrorAs(t, fail("code"), &e)
	require.Equal(t, failures["code"].(interface{ Unwrap() error }).Unwrap(), e)
	require.ErrorAs(t, fail("typed"), &e)
	require.Equal(t, failures["typed"], e)
	require.ErrorIs(t, fail("mute"), errSold)
	require.ErrorAs(t, fail("both"), &e)
	require.Equal(t, "nine", e.Message)
	require.ErrorIs(t, fail("both"), errSold)

	err := a.Call("Faulty.Fail", FailArg{How: "unsent"}, nil)
	require.ErrorContains(t, err, "two (its data cannot be sent: ")
	require.ErrorAs(t, err, &e)
	require.Equal(t, &viaduct.Error{Code: 2, Message: "two"}, e)
	require.EqualError(t, a.Call("Faulty.Fail", FailArg{How: "empty"}, nil), "unknown error")

	// What the library has said of another call is not said of this one.
	var body *viaduct.BodyError
	require.False(t, errors.As(fail("body"), &body))
	require.ErrorIs(t, fail("body"), io.EOF)
	require.NotErrorIs(t, fail("load"), viaduct.ErrOverload)

	require.Equal(t, rpc.ServerError("another"), a.Call("Faulty.Other", FailArg{How: "sold"}, nil))
	require.NotErrorIs(t, a.Call("Faulty.Twice", FailArg{How: "eof"}, nil), errSold)
	require.NoError(t, viaduct.Fail(context.Background(), nil))
	var none context.Context
	require.Equal(t, errSold, viaduct.Fail(none, errSold), "an argument that was given no context")
	require.Nil(t, viaduct.Metadata(none))
	require.Equal(t, errSold, viaduct.Caller{}.Fail(errSold), "elsewhere")

	// Through two processes.
	err = a.Call("Faulty.Relay", FailArg{How: "both"}, nil)
	require.EqualError(t, err, "relayed: "+failures["both"].Error())
	require.ErrorIs(t, err, errSold)
	require.ErrorAs(t, err, &e)
	require.Equal(t, 9, e.Code)
}

// TestPlainErrors: of those who do nothing for it, a method's error is what it ever was.
func TestPlainErrors(t *testing.T) {
	testkit.NoneLeft(t)
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{})
	client := a.Client()
	defer client.Close()
	for how, err := range failures {
		if err.Error() == "" {
			continue // success, to net/rpc
		}
		require.Equal(t, rpc.ServerError(err.Error()), a.Call("Faulty.Plain", how, nil))
		require.Equal(t, rpc.ServerError(err.Error()), client.Call("Faulty.Plain", how, nil))
		if how != "unsent" {
			require.Equal(t, rpc.ServerError(err.Error()), client.Call("Faulty.Fail", FailArg{How: how}, nil), "its text")
		}
	}
}

// TestFailElsewhere: to a peer that does not understand it the text crosses, and over a codec alone
// as well.
func TestFailElsewhere(t *testing.T) {
	server := testkit.NewServer(nil)
	require.NoError(t, server.Register(Faulty{}))
	opts := &endpoint.Options{Server: server, MaxMessage: maxMessage}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, b *endpoint.Endpoint) {
		require.Equal(t, rpc.ServerError("seat 5: sold out"), a.Call("Faulty.Fail", FailArg{How: "sold"}, nil))
	})
	testkit.OverConns(t, func(t *testing.T, client, served io.ReadWriteCloser) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			(&viaduct.Options{Server: server}).ServeConn(served)
		}()
		c := viaduct.NewClient(client)
		require.Equal(t, rpc.ServerError("seat 5: sold out"), c.Call("Faulty.Fail", FailArg{How: "sold"}, nil))
		c.Close()
		<-done
	})
}

// TestOwnErrors: what the library says of a call has a type.
func TestOwnErrors(t *testing.T) {
	testkit.NoneLeft(t)
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{RecoverPanics: true})

	err := a.Call("Arith.Add", "text", nil)
	var body *viaduct.BodyError
	require.ErrorAs(t, err, &body)
	require.Equal(t, []string{"decode", "arguments", "Arith.Add", "*testkit.Args"}, []string{body.Op, body.What, body.Method, body.Type})
	require.Equal(t, body.Error(), err.Error())
	require.ErrorContains(t, err, "type mismatch")
	require.ErrorAs(t, err, new(rpc.ServerError), "the other side has said it")
	require.False(t, errors.As(a.Call("Arith.Add", make(chan int), nil), new(rpc.ServerError)), "this side has")

	require.ErrorAs(t, a.Call("Faulty.Reply", "", nil), &body)
	require.Equal(t, "encode", body.Op)
	require.Equal(t, "reply", body.What)
	var size *viaduct.SizeError
	require.ErrorAs(t, a.Call("Faulty.Large", maxMessage, nil), &size)
	require.Equal(t, maxMessage, size.Limit)
	require.Greater(t, size.Size, maxMessage)

	err = a.Call("Faulty.Goexit", 1, nil)
	require.ErrorIs(t, err, viaduct.ErrGoexit)
	require.EqualError(t, err, viaduct.ErrGoexit.Error())
	var trap *viaduct.PanicError
	err = a.Call("Faulty.Panic", "dear", nil)
	require.ErrorAs(t, err, &trap)
	require.Equal(t, "oh dear", trap.Value)
	require.Contains(t, trap.Stack, "Faulty.Panic(")
	require.EqualError(t, err, "viaduct: panic in the method: oh dear")
	require.ErrorAs(t, a.Call("Faulty.Nil", 1, nil), &trap)
	require.Contains(t, trap.Value, "nil pointer dereference")

	client := a.Client()
	defer client.Close()
	require.Equal(t, rpc.ServerError("viaduct: panic in the method: oh dear"), client.Call("Faulty.Panic", "dear", nil))
	require.Equal(t, rpc.ServerError(viaduct.ErrGoexit.Error()), client.Call("Faulty.Goexit", 1, nil))
	require.Equal(t, rpc.ServerError("rpc: can't find method Faulty.No"), client.Call("Faulty.No", 1, nil))
	err = a.Call("Faulty.No", 1, nil)
	require.EqualError(t, err, "rpc: can't find method Faulty.No")
	require.ErrorIs(t, err, viaduct.ErrNotBegun)
	var answer rpc.ServerError
	require.ErrorAs(t, err, &answer)
	require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil), "nothing else was harmed")
}

// TestRegisterError: names are taken once.
func TestRegisterError(t *testing.T) {
	viaduct.RegisterError("viaduct_test.errSold", errSold)
	viaduct.RegisterError("io.EOF", io.EOF)
	for want, f := range map[string]func(){
		"for two errors":     func() { viaduct.RegisterError("io.EOF", errSold) },
		"of nil":             func() { viaduct.RegisterError("x", nil) },
		"cannot be compared": func() { viaduct.RegisterError("x", errorList{}) },
		"1 to 100":           func() { viaduct.RegisterError("", errSold) },
		"io.EOF":             func() { viaduct.RegisterError("io.EOF", io.ErrClosedPipe) },
	} {
		require.Panics(t, f)
		func() {
			defer func() { require.Contains(t, recover(), want) }()
			f()
		}()
	}
}

type errorList []error

func (errorList) Error() string { return "list" }

// TestCallerOverGob: an argument with a Caller goes over plain net/rpc as it is.
func TestCallerOverGob(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.Register(Faulty{}))
	require.NoError(t, server.Register(Telling{}))
	x, y := net.Pipe()
	go server.ServeConn(x)
	c := rpc.NewClient(y)
	defer c.Close()
	require.Equal(t, rpc.ServerError("seat 5: sold out"), c.Call("Faulty.Fail", FailArg{How: "sold"}, nil))
	var told Told
	require.NoError(t, c.Call("Telling.Tell", FailArg{How: "gob", Caller: viaduct.Caller{Metadata: map[string]string{"a": "b"}}}, &told))
	require.Equal(t, Told{How: "gob", Metadata: map[string]string{"a": "b"}}, told)
	require.NoError(t, c.Call("Telling.Tell", FailArg{How: "gob"}, &told))
}

// Telling tells of what came with a call.
type Telling struct{}

type Told struct {
	How      string
	Metadata map[string]string
	Deadline bool
	Left     time.Duration
	Ended    bool
}

func (Telling) Tell(a FailArg, told *Told) error {
	deadline, ok := a.Context().Deadline()
	*told = Told{How: a.How, Metadata: a.Metadata, Deadline: ok, Ended: a.Context().Err() != nil}
	if ok {
		told.Left = time.Until(deadline)
	}
	return nil
}

// TestLargeErrors: of an error that is too large the code crosses all the same, and as much of the
// text as can.
func TestLargeErrors(t *testing.T) {
	long := strings.Repeat("x", 2*maxMessage)
	for name, err := range map[string]error{
		"data":    &viaduct.Error{Code: 5, Message: "five", Data: long},
		"message": fmt.Errorf("six: %w", &viaduct.Error{Code: 6, Message: long}),
		"both":    fmt.Errorf("six: %w", &viaduct.Error{Code: 6, Message: long, Data: long}),
		"text":    fmt.Errorf("%w: %s", errSold, long),
	} {
		failures[name+" too long"] = err
	}
	defer func() {
		maps.DeleteFunc(failures, func(name string, _ error) bool { return strings.HasSuffix(name, " too long") })
	}()
	a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{})
	fail := func(name, want string) error {
		t.Helper()
		err := a.Call("Faulty.Fail", FailArg{How: name + " too long"}, nil)
		require.ErrorContains(t, err, want)
		return err
	}
	var e *viaduct.Error
	require.ErrorAs(t, fail("data", "five (its data cannot be sent: viaduct: message of "), &e)
	require.Equal(t, &viaduct.Error{Code: 5, Message: "five"}, e)
	for _, name := range []string{"message", "both"} {
		require.ErrorAs(t, fail(name, "six: xxx"), &e)
		require.Equal(t, 6, e.Code)
		require.Less(t, len(e.Message), 500)
	}
	require.ErrorIs(t, fail("text", "sold out: xxx"), errSold)
	fail("text", "(shortened: viaduct: message of ")
	require.ErrorContains(t, a.Call("Faulty.Plain", "text too long", nil), "(shortened: viaduct: message of ")
	require.Zero(t, b.Err())

	// To others as text.
	x, _ := laneEndpoints(t, 0, &endpoint.Options{}, &endpoint.Options{Server: tellingServer(t, Faulty{})})
	require.ErrorContains(t, x.Call("Faulty.Fail", FailArg{How: "text too long"}, nil), "(shortened: viaduct: message of ")
}
