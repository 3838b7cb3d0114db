package rpcpipe_test

import (
	"context"
	"errors"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// Fate is a service whose calls end in all ways.
type Fate struct {
	back  *rpcpipe.Peer // to the caller
	begun chan struct{}
	open  chan struct{}
}

type FateArg struct {
	viaduct.Caller
	N    int
	Data []byte
}

func (f *Fate) Echo(n int, reply *int) error { *reply = n; return nil }
func (f *Fate) Large(n int, reply *[]byte) error {
	*reply = make([]byte, n)
	return nil
}
func (f *Fate) Unencodable(_ int, reply *map[string]any) error {
	*reply = map[string]any{"c": make(chan int)}
	return nil
}
func (f *Fate) Park(FateArg, *int) error {
	f.begun <- struct{}{}
	<-f.open
	return nil
}
func (f *Fate) Imitate(_ int, _ *int) error { return errors.New("rpc: can't find method Fate.Nothing") }

// Nested fails with what a call of its own has failed with.
func (f *Fate) Nested(a FateArg, _ *int) error {
	return a.Fail(f.back.CallContext(a.Context(), "Fate.Nothing", 1, nil))
}
func (f *Fate) Panic(a FateArg, _ *int) error { panic("fate") }

func (f *Fate) options() *rpcpipe.Options {
	server := rpc.NewServer()
	if err := server.Register(f); err != nil {
		panic(err)
	}
	return &rpcpipe.Options{Server: server, MaxMessage: 1 << 20, MaxHandlers: 2, MaxWaiting: -1}
}

func init() {
	children["fate"] = func([]string) {
		f := &Fate{begun: make(chan struct{}, 10), open: make(chan struct{})}
		f.back = connect(f.options())
		f.back.Wait()
	}
}

// TestNotBegun: an error is ErrNotBegun if the method has not begun, and never if it may have.
func TestNotBegun(t *testing.T) {
	f := &Fate{begun: make(chan struct{}, 10), open: make(chan struct{})}
	a, b := rpcpipe.Pair(f.options(), f.options())
	defer a.Close()
	defer b.Close()
	f.back = b
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -1)
	defer cancel()
	for name, test := range map[string]struct {
		begun bool
		is    error
		call  func() error
	}{
		"unknown method":          {false, nil, func() error { return a.Call("Fate.Nothing", 1, nil) }},
		"unknown service":         {false, nil, func() error { return a.Call("Nobody.Echo", 1, nil) }},
		"ill-formed method":       {false, nil, func() error { return a.Call("Fate", 1, nil) }},
		"unencodable arguments":   {false, nil, func() error { return a.Call("Fate.Echo", make(chan int), nil) }},
		"arguments of other type": {false, nil, func() error { return a.Call("Fate.Echo", "text", nil) }},
		"arguments too large":     {false, nil, func() error { return a.Call("Fate.Park", FateArg{Data: make([]byte, 2<<20)}, nil) }},
		"context ended":           {false, context.Canceled, func() error { return a.CallContext(ended, "Fate.Echo", 1, nil) }},
		"deadline over":           {false, context.DeadlineExceeded, func() error { return a.CallContext(late, "Fate.Echo", 1, nil) }},
		"notification not sent":   {false, context.Canceled, func() error { return a.Notify(ended, "Fate.Echo", 1) }},
		"notification too large":  {false, nil, func() error { return a.Notify(t.Context(), "Fate.Park", FateArg{Data: make([]byte, 2<<20)}) }},
		"reply too large":         {true, nil, func() error { return a.Call("Fate.Large", 2<<20, nil) }},
		"unencodable reply":       {true, nil, func() error { return a.Call("Fate.Unencodable", 1, nil) }},
		"reply of other type":     {true, nil, func() error { return a.Call("Fate.Echo", 1, new(string)) }},
		"text of another error":   {true, nil, func() error { return a.Call("Fate.Imitate", 1, nil) }},
		"nested call not begun":   {true, nil, func() error { return a.Call("Fate.Nested", FateArg{}, nil) }},
	} {
		err := test.call()
		require.Error(t, err, name)
		require.Equal(t, !test.begun, errors.Is(err, viaduct.ErrNotBegun), "%s: %v", name, err)
		if test.is != nil {
			require.ErrorIs(t, err, test.is, name)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	given := make(chan error, 1)
	go func() { given <- a.CallContext(ctx, "Fate.Park", FateArg{}, nil) }()
	<-f.begun
	cancel()
	err := <-given
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, viaduct.ErrNotBegun, "it runs")
	pending := a.Go("Fate.Park", FateArg{}, nil, nil)
	<-f.begun // two run
	err = a.Call("Fate.Echo", 1, nil)
	require.ErrorIs(t, err, viaduct.ErrOverload)
	require.ErrorIs(t, err, viaduct.ErrNotBegun)

	a.Close()
	<-pending.Done
	require.ErrorIs(t, pending.Error, rpc.ErrShutdown)
	require.NotErrorIs(t, pending.Error, viaduct.ErrNotBegun)
	err = a.Call("Fate.Echo", 1, nil)
	require.ErrorIs(t, err, rpc.ErrShutdown)
	require.ErrorIs(t, err, viaduct.ErrNotBegun)
	client := a.Client()
	require.Equal(t, rpc.ErrShutdown, client.Call("Fate.Echo", 1, nil), "as package rpc has it")
	close(f.open)
}

// TestNotBegunAtDeath: of a child that is killed, what had been sent may have begun, what comes later
// has not.
func TestNotBegunAtDeath(t *testing.T) {
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("fate"), nil)
	require.NoError(t, err)
	defer p.Close()
	pending := p.Go("Fate.Park", FateArg{}, nil, nil)
	require.NoError(t, p.Call("Fate.Echo", 1, nil))
	suspend(t, p.Process().Pid())
	require.NoError(t, p.Process().Kill())
	<-pending.Done
	require.Error(t, pending.Error)
	require.NotErrorIs(t, pending.Error, viaduct.ErrNotBegun)
	require.ErrorIs(t, p.Call("Fate.Echo", 1, nil), viaduct.ErrNotBegun)
}

// TestNoCallIsLostAfterAPanic: who has the PanicError of a process that ends with it finds that calls
// begin no more.
func TestNoCallIsLostAfterAPanic(t *testing.T) {
	t.Parallel()
	for range 20 {
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("fate"), nil)
		require.NoError(t, err)
		var trap *viaduct.PanicError
		require.ErrorAs(t, p.Call("Fate.Panic", FateArg{}, nil), &trap)
		require.True(t, trap.Ends)
		require.ErrorIs(t, p.Call("Fate.Echo", 1, nil), viaduct.ErrNotBegun)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		require.ErrorIs(t, p.CallContext(ctx, "Fate.Echo", 1, nil), viaduct.ErrNotBegun)
		cancel()
		require.Error(t, p.Wait())
	}
}
