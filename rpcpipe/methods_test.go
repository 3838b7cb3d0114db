package rpcpipe_test

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Sums is a service that says what it does.
type Sums struct{}

type Pair struct {
	A int `doc:"the first"`
	B int
}

func (Sums) Add(args Pair, sum *int) error { *sum = args.A + args.B; return nil }

func (Sums) Now(_ struct{}, at *time.Time) error { *at = time.Now(); return nil }

func (Sums) MethodDocs() map[string]string { return map[string]string{"Add": "adds two numbers"} }

func sumsOptions() *rpcpipe.Options {
	server := rpc.NewServer()
	server.Register(Sums{})
	return &rpcpipe.Options{Server: server}
}

var sumsListing = &rpcpipe.Listing{
	Methods: []rpcpipe.Method{
		{Name: "Sums.Add", Arg: "rpcpipe_test.Pair", Reply: "int", Doc: "adds two numbers"},
		{Name: "Sums.Now", Arg: "struct{}", Reply: "time",
			Notes: strings.Split(viaduct.Explain(time.Time{}), "\n")},
	},
	Types: []rpcpipe.Type{{Name: "rpcpipe_test.Pair", Fields: []rpcpipe.Field{
		{Name: "A", Type: "int", Doc: "the first"}, {Name: "B", Type: "int"},
	}}},
}

func init() {
	children["sums"] = func(args []string) {
		opts := sumsOptions()
		opts.NoListing = len(args) > 0
		connect(opts).Wait()
	}
}

// TestMethods: a parent learns what its child has to call, and nothing where the child says nothing.
func TestMethods(t *testing.T) {
	for _, args := range [][]string{{"sums"}, {"sums", "in silence"}} {
		p, err := rpcpipe.Start(t.Context(), procspawn.Self(args...), sumsOptions())
		require.NoError(t, err)
		l, err := p.Methods(t.Context())
		if len(args) == 1 {
			require.NoError(t, err)
			require.Equal(t, sumsListing, l)
		} else {
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, p.Call("$/methods", 0, nil), "ill-formed: $/methods")
		}
		var sum int
		require.NoError(t, p.Call("Sums.Add", Pair{1, 2}, &sum))
		require.Equal(t, 3, sum)
		require.NoError(t, p.Close())
		_, err = p.Methods(t.Context())
		require.Error(t, err)
	}
}

// TestMethodsWhateverTheEncoding: a listing is MessagePack.
func TestMethodsWhateverTheEncoding(t *testing.T) {
	for name, encoding := range encodings {
		opts := sumsOptions()
		opts.Encoding = encoding
		a, b := rpcpipe.Pair(opts, opts)
		for _, p := range []*rpcpipe.Peer{a, b} {
			l, err := p.Methods(t.Context())
			require.NoError(t, err, name)
			require.Equal(t, sumsListing, l)
		}
		a.Close()
		b.Close()
	}
}

// TestMethodsIsNoCall: hooks and ServiceMethod do not see it, nobody else's services are in it, and it
// ends with its context.
func TestMethodsIsNoCall(t *testing.T) {
	var seen atomic.Int64
	hook := func(ctx context.Context, call rpcpipe.CallInfo) (context.Context, func(rpcpipe.CallResult)) {
		seen.Add(1)
		return ctx, nil
	}
	opts := sumsOptions()
	opts.ServeHook = hook
	opts.ServiceMethod = func(name string) string {
		if strings.HasPrefix(name, "$") {
			seen.Add(1)
		}
		return strings.Replace(name, "Now", "Add", 1)
	}
	a, b := rpcpipe.Pair(&rpcpipe.Options{Server: rpc.NewServer(), CallHook: hook}, opts)
	defer func() { a.Close(); b.Close() }()
	l, err := a.Methods(t.Context())
	require.NoError(t, err)
	require.Equal(t, "rpcpipe_test.Pair", l.Methods[1].Arg, "what the name leads to")
	require.Zero(t, seen.Load())
	l, err = b.Methods(t.Context())
	require.NoError(t, err)
	require.Equal(t, new(rpcpipe.Listing), l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = a.Methods(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

// TestMethodsDamaged: a listing that is none is an error of that call alone, of a kind that it can be
// asked for.
func TestMethodsDamaged(t *testing.T) {
	x, y := net.Pipe()
	other := make(chan error, 1)
	go func() {
		other <- func() error {
			opts := new(procspawn.Options)
			handles.SetHello(opts, handles.Hello{MaxMessage: 1 << 20, Features: []string{"methods"}})
			link, err := procspawn.Handshake(t.Context(), y, opts)
			if err != nil {
				return err
			}
			conn := duplex.New(link, nil)
			defer conn.Close()
			lane := conn.ServerLane()
			for _, result := range []byte{0x05, 0xc0} { // a number for a listing, and nil for a reply
				b, err := lane.ReadMessage()
				if err != nil {
					return err
				}
				m, err := message.Parse(b, 10)
				if err != nil {
					return err
				}
				if err := lane.WriteMessage(append(message.AppendDone(nil, m.ID)[:7], 0xc0, result)); err != nil {
					return err
				}
			}
			_, err = lane.ReadMessage()
			return err
		}()
	}()
	p, err := rpcpipe.New(t.Context(), x, nil)
	require.NoError(t, err)
	defer p.Close()
	_, err = p.Methods(t.Context())
	var bad *viaduct.BodyError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "reply", bad.What)
	require.ErrorContains(t, err, "found uint where map was expected")
	require.NoError(t, p.Call("Any.Thing", 1, nil))
	p.Close()
	require.Error(t, <-other) // that of the last read
}

// TestMethodsTooLarge: a listing that the other side does not take is an error of that call alone.
func TestMethodsTooLarge(t *testing.T) {
	a, b := rpcpipe.Pair(&rpcpipe.Options{MaxMessage: 200}, sumsOptions())
	defer func() { a.Close(); b.Close() }()
	_, err := a.Methods(t.Context())
	require.ErrorAs(t, err, new(*viaduct.SizeError))
	var sum int
	require.NoError(t, a.Call("Sums.Add", Pair{1, 2}, &sum))
}

// TestMethodsNeedsViaduct: a bare connection has no listing, whoever asks.
func TestMethodsNeedsViaduct(t *testing.T) {
	x, y := net.Pipe()
	a, b := rpcpipe.NewBare(x, nil), rpcpipe.NewBare(y, sumsOptions())
	defer func() { a.Close(); b.Close() }()
	_, err := a.Methods(t.Context())
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, a.Call("$/methods", 0, nil), "ill-formed: $/methods")
}
