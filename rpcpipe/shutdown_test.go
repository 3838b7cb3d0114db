package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// begin has p shut down, and returns when nothing can be begun any more.
func beginShutdown(t *testing.T, p *rpcpipe.Peer) <-chan error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.Shutdown(t.Context()) }()
	var err error
	for err == nil {
		err = p.Call("Service.Add", Args{}, nil)
	}
	require.ErrorIs(t, err, duplex.ErrShutdown)
	require.Empty(t, ended)
	return ended
}

// expectRefusals returns nil if nothing can be begun on p, because of a shutdown.
func expectRefusals(p *rpcpipe.Peer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	call := p.Call("Service.Add", Args{}, nil)
	_, open := p.Open(ctx)
	var errs []error
	for name, err := range map[string]error{
		"Call":   call,
		"Go":     (<-p.Go("Service.Add", Args{}, nil, nil).Done).Error,
		"Notify": p.Notify(ctx, "Service.Note", 1),
		"client": p.Client().Call("Service.Add", Args{}, nil),
		"Open":   open,
	} {
		if !errors.Is(err, duplex.ErrShutdown) || !errors.Is(err, rpc.ErrShutdown) {
			errs = append(errs, fmt.Errorf("%s: %v", name, err))
		}
	}
	return errors.Join(errs...)
}

// AskBack calls Test.Ask of the caller, and then looks what it may do.
func (s *Service) AskBack(p *Parcel, _ *int) error {
	<-s.connected
	if err := s.peer.CallContext(p.ctx, "Test.Ask", &Parcel{}, nil); err != nil {
		return err
	}
	if err := expectRefusals(s.peer); err != nil {
		return fmt.Errorf("without the context of the call: %w", err)
	}
	return nested(p.ctx)
}

// nested does what a method may do while the link is shutting down, given the context of its call.
func nested(ctx context.Context) error {
	p := rpcpipe.FromContext(ctx)
	var sum int
	if err := p.CallContext(ctx, "Service.Add", Args{20, 22}, &sum); err != nil || sum != 42 {
		return fmt.Errorf("20 + 22 = %d, %w", sum, err)
	}
	if err := p.Notify(ctx, "Service.Note", 1); err != nil {
		return err
	}
	name, stream := p.Offer()
	defer stream.Close()
	go send(stream, someData(100_000))
	var got []byte
	err := p.CallContext(ctx, "Service.Take", &Parcel{Stream: name}, &got)
	if err := errors.Join(err, expectData(got, someData(100_000))); err != nil {
		return err
	}
	var reply Parcel
	if err := p.CallContext(ctx, "Service.Give", &Parcel{Data: []byte("given")}, &reply); err != nil {
		return err
	}
	stream, err = p.OpenOffer(ctx, reply.Stream)
	if err != nil {
		return err
	}
	defer stream.Close()
	got, err = io.ReadAll(stream)
	return errors.Join(err, expectData(got, []byte("given")))
}

// TestShutdown: calls in flight finish, with all they need; nothing else begins, on either side.
func TestShutdown(t *testing.T) {
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			before := snapshot()
			here := newService()
			began, gate := make(chan struct{}), make(chan struct{})
			require.NoError(t, here.server.RegisterName("Test", asker(func(ctx context.Context) error {
				close(began)
				<-gate
				return nested(ctx)
			})))
			p := here.use(link(t, here))
			call := p.Go("Service.AskBack", &Parcel{}, nil, nil)
			<-began
			ended := beginShutdown(t, p)
			// This side serves Test.Ask, but here is not its context.
			require.NoError(t, expectRefusals(p))
			require.Empty(t, ended)
			close(gate)
			require.NoError(t, <-ended)
			require.NoError(t, (<-call.Done).Error)
			here.mu.Lock()
			require.Equal(t, []int{1}, here.notes)
			here.mu.Unlock()
			require.NoError(t, p.Wait())
			require.Equal(t, rpc.ErrShutdown, p.Err())
			require.ErrorIs(t, p.Call("Service.Add", Args{}, nil), rpc.ErrShutdown)
			_, err := p.Open(t.Context())
			require.ErrorIs(t, err, net.ErrClosed)
			if kind == "child" {
				exit := p.Process().Exit()
				require.Equal(t, 0, exit.Code)
				require.LessOrEqual(t, exit.Step, procspawn.StepCloseLink)
				before.requireSame(t)
			}
		})
	}
}

// pairs are two peers in this process, each with a server.
var pairs = map[string]func(t testing.TB, a, b *rpc.Server) (*rpcpipe.Peer, *rpcpipe.Peer){
	"memory": func(t testing.TB, a, b *rpc.Server) (*rpcpipe.Peer, *rpcpipe.Peer) {
		return rpcpipe.Pair(&rpcpipe.Options{Server: a}, &rpcpipe.Options{Server: b})
	},
	"pipes": func(t testing.TB, a, b *rpc.Server) (*rpcpipe.Peer, *rpcpipe.Peer) {
		one, other := pipes(t)
		ready := make(chan *rpcpipe.Peer)
		go func() {
			p, _ := rpcpipe.New(context.Background(), other, &rpcpipe.Options{Server: b})
			ready <- p
		}()
		p, err := rpcpipe.New(context.Background(), one, &rpcpipe.Options{Server: a})
		require.NoError(t, err)
		return p, <-ready
	},
}

// TestShutdownIdle: with nothing to wait for, both sides at once, too.
func TestShutdownIdle(t *testing.T) {
	for kind, pair := range pairs {
		t.Run(kind, func(t *testing.T) {
			for range 100 {
				a, b := pair(t, nil, nil)
				var ending sync.WaitGroup
				for _, p := range []*rpcpipe.Peer{a, b, a, b} {
					ending.Go(func() { assert.NoError(t, p.Shutdown(t.Context())) })
				}
				ending.Wait()
				require.NoError(t, a.Wait())
				require.NoError(t, b.Wait())
			}
		})
	}
}

// TestShutdownAgain: after an orderly end there is nothing wrong.
func TestShutdownAgain(t *testing.T) {
	for range 20 {
		a, b := rpcpipe.Pair(nil, nil)
		for range 3 {
			require.NoError(t, a.Shutdown(t.Context()))
			require.NoError(t, b.Shutdown(t.Context()))
		}
	}
	p := startChild(t, "service")
	for range 20 {
		require.NoError(t, p.Shutdown(t.Context()))
	}
}

// TestShutdownAfterClose returns nil if nothing was cut off, and otherwise why the link has ended.
func TestShutdownAfterClose(t *testing.T) {
	for _, busy := range []bool{false, true} {
		there := newService()
		a, b := rpcpipe.Pair(nil, there.options())
		var here error
		if busy {
			_, err := held(a) // a stream, and a call, on both sides
			require.NoError(t, err)
			here = rpc.ErrShutdown
		}
		require.NoError(t, a.Close())
		require.Equal(t, here, a.Shutdown(t.Context()))
		if err := b.Shutdown(t.Context()); busy {
			require.ErrorIs(t, err, duplex.ErrPeerClosed)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	}

	p := startChild(t, "service")
	kill(t, p)
	require.Error(t, p.Wait())
	require.ErrorAs(t, p.Shutdown(t.Context()), new(*procspawn.Exit))
}

// TestShutdownAndClose: whoever comes first, both return.
func TestShutdownAndClose(t *testing.T) {
	t.Parallel()
	for kind, pair := range pairs {
		// Close waits 50 ms for the other side to take what there is to say. In memory it has to have its
		// turn for that, where a pipe would hold the bytes.
		inOrder := func(t *testing.T, err error) {
			if kind != "memory" || !errors.Is(err, io.ErrUnexpectedEOF) {
				assert.NoError(t, err)
			}
		}
		t.Run(kind, func(t *testing.T) {
			for i := range 100 {
				service := newService()
				a, b := pair(t, nil, service.server)
				hold := a.Go("Service.Hold", &Parcel{}, nil, nil) // fails soon
				closing := []*rpcpipe.Peer{a, b}[i%2]
				var ending sync.WaitGroup
				ending.Go(func() {
					err := a.Shutdown(t.Context())
					if err != nil && err != rpc.ErrShutdown && !errors.Is(err, duplex.ErrPeerClosed) {
						inOrder(t, err)
					}
				})
				ending.Go(func() { assert.NoError(t, closing.Close()) })
				ending.Wait()
				<-hold.Done
				inOrder(t, a.Wait())
				inOrder(t, b.Wait())
			}
		})
	}
}

// TestShutdownEndsWithContext, also if a method never returns, on either side.
func TestShutdownEndsWithContext(t *testing.T) {
	t.Parallel() // it waits, nearly all of its time
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			call := p.Go("Service.Park", 0, nil, nil)
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			require.Equal(t, context.DeadlineExceeded, p.Shutdown(ctx))
			require.Equal(t, rpc.ErrShutdown, (<-call.Done).Error)
			require.NoError(t, p.Wait())
			require.Less(t, time.Since(begin), slack(1500*time.Millisecond))
			if kind == "child" {
				require.Equal(t, 0, p.Process().Exit().Code)
			}
		})
		t.Run(kind+", parked here", func(t *testing.T) {
			here := newService()
			began := make(chan struct{})
			require.NoError(t, here.server.RegisterName("Test", asker(func(ctx context.Context) error {
				close(began)
				<-ctx.Done()
				return nil
			})))
			p := here.use(link(t, here))
			call := p.Go("Service.AskBack", &Parcel{}, nil, nil)
			<-began
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.Equal(t, context.Canceled, p.Shutdown(ctx))
			require.Equal(t, rpc.ErrShutdown, (<-call.Done).Error)
			require.NoError(t, p.Wait())
		})
	}
}

// TestShutdownChildKilled says how the child has ended, in OnExit, too.
func TestShutdownChildKilled(t *testing.T) {
	before := snapshot()
	var p *rpcpipe.Peer
	started, inOnExit := make(chan struct{}), make(chan error, 1)
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), &rpcpipe.Options{OnExit: func(*procspawn.Exit) {
		<-started
		inOnExit <- p.Shutdown(context.Background())
	}})
	require.NoError(t, err)
	close(started)
	call := p.Go("Service.Park", 0, nil, nil)
	ended := beginShutdown(t, p)
	kill(t, p)
	var exit *procspawn.Exit
	require.ErrorAs(t, <-ended, &exit)
	requireKilled(t, exit)
	require.ErrorAs(t, (<-call.Done).Error, &exit)
	require.ErrorAs(t, <-inOnExit, &exit)
	require.ErrorAs(t, p.Call("Service.Add", Args{}, nil), &exit)
	_, err = p.Open(t.Context())
	require.ErrorAs(t, err, &exit)
	require.Error(t, p.Wait())
	before.requireSame(t)
}

func init() {
	children["shuts down"] = func([]string) {
		p := connect(newService().options())
		if err := p.Shutdown(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(8)
		}
	}
}

// TestShutdownChildDoes, alone and while the parent does so, too.
func TestShutdownChildDoes(t *testing.T) {
	t.Parallel()
	for i := range 10 {
		p := startChild(t, "shuts down")
		if i%2 == 0 {
			require.NoError(t, p.Shutdown(t.Context()))
		}
		require.NoError(t, p.Wait())
		require.Equal(t, 0, p.Process().Exit().Code)
		require.LessOrEqual(t, p.Process().Exit().Step, procspawn.StepCloseLink)
	}
}

// TestShutdownWaitsForStreams, until both sides have done with them.
func TestShutdownWaitsForStreams(t *testing.T) {
	t.Parallel()
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			require.NoError(t, p.Call("Service.AcceptEcho", 0, nil))
			stream, err := p.Open(t.Context())
			require.NoError(t, err)
			_, untouched := p.Offer()
			ended := beginShutdown(t, p)
			sent := make(chan error, 1)
			go func() { sent <- send(stream, someData(1<<20)) }()
			got, err := io.ReadAll(stream)
			require.NoError(t, err)
			require.NoError(t, <-sent)
			require.NoError(t, expectData(got, someData(1<<20)))
			require.NoError(t, stream.Close())
			require.Empty(t, ended)
			require.NoError(t, untouched.Close())
			require.NoError(t, <-ended)
			require.NoError(t, p.Wait())
			_, err = untouched.Write([]byte("too late"))
			require.ErrorIs(t, err, net.ErrClosed)
		})
	}
}

// TestShutdownCutsStreams when its context ends.
func TestShutdownCutsStreams(t *testing.T) {
	here, there := newService(), newService()
	a, b := rpcpipe.Pair(here.options(), there.options())
	here.use(a)
	there.use(b)
	stream, err := held(a)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Shutdown(ctx) }()
	cancel()
	require.Equal(t, context.Canceled, <-ended)
	_, err = stream.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	require.NoError(t, a.Wait())
	require.NoError(t, b.Wait())
}

// ShutDown has the link that it is called through shut down, while the caller's
// notes are handled and its own call runs.
func (s *Service) ShutDown(p *Parcel, reply *int) error {
	caller := rpcpipe.FromContext(p.ctx)
	if err := caller.Shutdown(p.ctx); err != nil {
		return err
	}
	if err := expectRefusals(caller); err != nil {
		return err
	}
	*reply = 42
	return nested(p.ctx)
}

// ShutDownAndWait does so and does not return before the link has ended.
func (s *Service) ShutDownAndWait(p *Parcel, _ *int) error {
	ctx, cancel := context.WithTimeout(p.ctx, 50*time.Millisecond)
	defer cancel()
	if err := rpcpipe.FromContext(ctx).Shutdown(ctx); err != nil {
		return err
	}
	<-p.ctx.Done()
	return nil
}

// TestShutdownInHandler: its own call is among those that are waited for.
func TestShutdownInHandler(t *testing.T) {
	t.Parallel()
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			reply := 0
			require.NoError(t, p.Call("Service.ShutDown", &Parcel{}, &reply))
			require.Equal(t, 42, reply)
			require.NoError(t, p.Wait())
			require.ErrorIs(t, p.Err(), duplex.ErrPeerClosed)
		})
		t.Run(kind+", one way", func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			require.NoError(t, p.Notify(t.Context(), "Service.ShutDown", &Parcel{}))
			require.NoError(t, p.Wait())
			require.ErrorIs(t, p.Err(), duplex.ErrPeerClosed)
			here.mu.Lock()
			defer here.mu.Unlock()
			require.Equal(t, []int{1}, here.notes) // of nested
		})
		t.Run(kind+", does not return", func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			err := p.Call("Service.ShutDownAndWait", &Parcel{}, nil)
			require.ErrorIs(t, err, duplex.ErrPeerClosed)
			require.NoError(t, p.Wait())
		})
	}
}

// TestShutdownStaleContext: the context of a call that is over is an ordinary one that has ended.
func TestShutdownStaleContext(t *testing.T) {
	here, there := newService(), newService()
	a, b := rpcpipe.Pair(here.options(), there.options())
	here.use(a)
	there.use(b)
	held := make(chan context.Context, 1)
	require.NoError(t, here.server.RegisterName("Keep", asker(func(ctx context.Context) error {
		held <- ctx
		return nil
	})))
	require.NoError(t, b.Call("Keep.Ask", &Parcel{}, nil))
	ctx := <-held
	<-ctx.Done()
	require.Equal(t, context.Canceled, a.Shutdown(ctx))
	require.Equal(t, rpc.ErrShutdown, a.Err())
	require.NoError(t, b.Wait())
}

// TestNoContext: an argument without SetContext has none to give.
func TestNoContext(t *testing.T) {
	var none context.Context
	require.Nil(t, rpcpipe.FromContext(none))
	_, err := rpcpipe.StreamName(1).Open(none)
	require.ErrorContains(t, err, "use Peer.OpenOffer")
}
