//go:build unix

package rpcpipe_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
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
			require.Equal(t, rpc.ErrShutdown, p.Call("Service.Add", Args{}, nil))
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

// Counter counts what has been handled.
type Counter struct {
	server       *rpc.Server
	calls, notes atomic.Int64
	sentCalls    atomic.Int64 // of handlers, and answered without an error
	sentNotes    atomic.Int64
}

func newCounter() *Counter {
	c := &Counter{server: rpc.NewServer()}
	c.server.Register(c)
	return c
}

// Call makes a call and sends a note back if the argument has data.
func (c *Counter) Call(p *Parcel, _ *int) error {
	defer c.calls.Add(1)
	if len(p.Data) > 0 {
		peer := rpcpipe.FromContext(p.ctx)
		if err := peer.CallContext(p.ctx, "Counter.Call", &Parcel{}, nil); err != nil {
			return err
		}
		c.sentCalls.Add(1)
		if err := peer.Notify(p.ctx, "Counter.Note", &Parcel{}); err != nil {
			return err
		}
		c.sentNotes.Add(1)
	}
	return nil
}

// Note does so, too.
func (c *Counter) Note(p *Parcel, _ *int) error {
	defer c.notes.Add(1)
	if len(p.Data) > 0 {
		if err := rpcpipe.FromContext(p.ctx).CallContext(p.ctx, "Counter.Call", &Parcel{}, nil); err != nil {
			return err
		}
		c.sentCalls.Add(1)
	}
	return nil
}

// use has p call and notify until that fails, which it must because of a shutdown.
func (c *Counter) use(p *rpcpipe.Peer) error {
	big := &Parcel{Data: make([]byte, 100_000)}
	parcels := []*Parcel{{}, {Data: []byte{1}}, {}, big}
	var running sync.WaitGroup
	failed := make(chan error, 4)
	for i := range cap(failed) {
		running.Go(func() {
			for n := 0; ; n++ {
				var err error
				if i%2 == 0 {
					if err = p.Call("Counter.Call", parcels[n%4], nil); err == nil {
						c.sentCalls.Add(1)
					}
				} else if err = p.Notify(context.Background(), "Counter.Note", parcels[n%4]); err == nil {
					c.sentNotes.Add(1)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	running.Wait()
	for range cap(failed) {
		if err := <-failed; !errors.Is(err, rpc.ErrShutdown) {
			return err
		}
	}
	return nil
}

// TestShutdownLosesNothing: what was begun on either side is handled, and what
// was refused is not, whoever shuts down.
func TestShutdownLosesNothing(t *testing.T) {
	for kind, pair := range pairs {
		t.Run(kind, func(t *testing.T) {
			for round := range 30 {
				here, there := newCounter(), newCounter()
				a, b := pair(t, here.server, there.server)
				var using, ending sync.WaitGroup
				using.Go(func() { assert.NoError(t, here.use(a)) })
				using.Go(func() { assert.NoError(t, there.use(b)) })
				for range round {
					require.NoError(t, a.Call("Counter.Call", &Parcel{}, nil))
					here.sentCalls.Add(1)
				}
				ending.Go(func() { assert.NoError(t, a.Shutdown(t.Context())) })
				if round%2 == 0 {
					ending.Go(func() { assert.NoError(t, b.Shutdown(t.Context())) })
				}
				ending.Wait()
				using.Wait()
				require.NoError(t, a.Wait())
				require.NoError(t, b.Wait())
				for _, x := range [][2]*Counter{{here, there}, {there, here}} {
					require.Equal(t, x[0].sentCalls.Load(), x[1].calls.Load(), "calls")
					require.Equal(t, x[0].sentNotes.Load(), x[1].notes.Load(), "one-way calls")
				}
			}
		})
	}
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
	process, err := os.FindProcess(p.Process().Pid())
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	require.Error(t, p.Wait())
	require.ErrorAs(t, p.Shutdown(t.Context()), new(*procspawn.Exit))
}

// TestShutdownAndClose: whoever comes first, both return.
func TestShutdownAndClose(t *testing.T) {
	for kind, pair := range pairs {
		t.Run(kind, func(t *testing.T) {
			for i := range 100 {
				service := newService()
				a, b := pair(t, nil, service.server)
				hold := a.Go("Service.Hold", &Parcel{}, nil, nil) // fails soon
				closing := []*rpcpipe.Peer{a, b}[i%2]
				var ending sync.WaitGroup
				ending.Go(func() {
					if err := a.Shutdown(t.Context()); err != nil && err != rpc.ErrShutdown {
						assert.ErrorIs(t, err, duplex.ErrPeerClosed)
					}
				})
				ending.Go(func() { assert.NoError(t, closing.Close()) })
				ending.Wait()
				<-hold.Done
				require.NoError(t, a.Wait())
				require.NoError(t, b.Wait())
			}
		})
	}
}

// TestShutdownEndsWithContext, also if a method never returns, on either side.
func TestShutdownEndsWithContext(t *testing.T) {
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
			require.Less(t, time.Since(begin), 1500*time.Millisecond)
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
	process, err := os.FindProcess(p.Process().Pid())
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	var exit *procspawn.Exit
	require.ErrorAs(t, <-ended, &exit)
	require.Equal(t, os.Kill, exit.Signal)
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

func init() {
	// "recorder" writes the notes that it has handled into the file that it inherits.
	children["recorder"] = func([]string) {
		server := rpc.NewServer()
		server.RegisterName("Recorder", recorder{bufio.NewWriter(inherited())})
		connect(&rpcpipe.Options{Server: server}).Wait()
	}
	// "notifier" starts a recorder, and exits at once when it has told it all.
	children["notifier"] = func([]string) {
		connect(nil)
		cmd := procspawn.Self("recorder")
		cmd.ExtraFiles = []*os.File{inherited()}
		p, err := rpcpipe.Start(context.Background(), cmd, nil)
		if err != nil {
			fmt.Fprintln(inherited(), err)
			os.Exit(1)
		}
		notifyAndExit(p)
	}
	// "notifying child" tells its parent.
	children["notifying child"] = func([]string) { notifyAndExit(connect(nil)) }
}

type recorder struct{ w *bufio.Writer }

const manyNotes = 1000

type Numbered struct {
	N       int
	Ballast []byte
}

func (r recorder) Note(n *Numbered, _ *int) error {
	runtime.Gosched() // others are to be faster
	fmt.Fprintln(r.w, n.N)
	return r.w.Flush()
}

func notifyAndExit(p *rpcpipe.Peer) {
	for i := range manyNotes {
		n := &Numbered{N: i}
		if i%100 == 0 {
			n.Ballast = make([]byte, 300_000)
		}
		if err := p.Notify(context.Background(), "Recorder.Note", n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(6)
		}
	}
	if err := p.Shutdown(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	os.Exit(0)
}

func requireManyNotes(t *testing.T, r io.Reader) {
	t.Helper()
	for i := range manyNotes {
		var n int
		_, err := fmt.Fscanln(r, &n)
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, string(rest))
}

// TestShutdownThenExit: what a process has sent one way is handled though it exits.
func TestShutdownThenExit(t *testing.T) {
	t.Run("to the child", func(t *testing.T) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		cmd := procspawn.Self("notifier")
		cmd.ExtraFiles = []*os.File{w}
		p, err := rpcpipe.Start(t.Context(), cmd, nil)
		require.NoError(t, err)
		w.Close()
		requireManyNotes(t, bufio.NewReader(r))
		require.NoError(t, p.Wait())
	})
	t.Run("to the parent", func(t *testing.T) {
		var out syncBuffer
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("Recorder", recorder{bufio.NewWriter(&out)}))
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("notifying child"), &rpcpipe.Options{Server: server})
		require.NoError(t, err)
		require.NoError(t, p.Wait())
		requireManyNotes(t, bufio.NewReader(&out))
	})
}

// syncBuffer is written by one goroutine and read by another.
type syncBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *syncBuffer) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(p, s.b)
	if s.b = s.b[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// An old peer knows neither streams nor shutdown.
func oldPeer(t *testing.T, conn io.ReadWriteCloser, server *rpc.Server) *viaduct.Endpoint {
	link, err := procspawn.Handshake(context.Background(), conn, &procspawn.Options{})
	if !assert.NoError(t, err) {
		return nil
	}
	old := duplex.New(link, &duplex.Options{NoStreams: true, NoShutdown: true})
	return viaduct.NewEndpoint(old.ClientLane(), old.ServerLane(), &viaduct.Options{Server: server})
}

// withOldPeer returns a peer of one.
func withOldPeer(t *testing.T, here, there *rpc.Server) (*rpcpipe.Peer, *viaduct.Endpoint) {
	one, other := pipes(t)
	ready := make(chan *viaduct.Endpoint)
	go func() { ready <- oldPeer(t, other, there) }()
	p, err := rpcpipe.New(t.Context(), one, &rpcpipe.Options{Server: here})
	require.NoError(t, err)
	return p, <-ready
}

// TestShutdownOldPeer: one that knows nothing of it does not learn of it. This
// side's calls, and those that it serves, are finished all the same.
func TestShutdownOldPeer(t *testing.T) {
	here, there := newService(), newService()
	began, gate := make(chan struct{}, 2), make(chan struct{})
	wait := asker(func(context.Context) error {
		began <- struct{}{}
		<-gate
		return nil
	})
	require.NoError(t, here.server.RegisterName("Test", wait))
	require.NoError(t, there.server.RegisterName("Test", wait))
	p, old := withOldPeer(t, here.server, there.server)
	_, err := p.Open(t.Context())
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, err = p.OpenOffer(t.Context(), 1)
	require.ErrorIs(t, err, duplex.ErrNoStreams)
	_, stream := p.Offer()
	require.NoError(t, stream.Close())

	ours := p.Go("Test.Ask", &Parcel{}, nil, nil)
	theirs := old.Go("Test.Ask", &Parcel{}, nil, nil)
	<-began
	<-began
	for i := range 100 {
		require.NoError(t, p.Notify(t.Context(), "Service.Note", i))
	}
	ended := beginShutdown(t, p)
	require.NoError(t, old.Call("Service.Add", Args{}, nil)) // does not know
	require.Empty(t, ended)
	close(gate)
	require.NoError(t, <-ended)
	require.NoError(t, (<-ours.Done).Error)
	require.NoError(t, (<-theirs.Done).Error)
	require.NoError(t, p.Wait())
	<-old.Done()
	require.ErrorIs(t, old.Err(), duplex.ErrPeerClosed)
	require.Zero(t, old.Wait(t.Context()))
	require.Len(t, there.notes, 100)
}

// TestShutdownOldPeerReply: a reply that comes just when Shutdown begins is not lost.
func TestShutdownOldPeerReply(t *testing.T) {
	for range 300 {
		p, old := withOldPeer(t, nil, newService().server)
		done := make(chan *rpc.Call, 3)
		for range cap(done) {
			require.NoError(t, p.Call("Service.Add", Args{}, nil))
			p.Go("Service.Add", Args{}, nil, done)
		}
		require.NoError(t, p.Shutdown(t.Context()))
		for range cap(done) {
			require.NoError(t, (<-done).Error)
		}
		<-old.Done()
	}
}

// Parent is what the children of examples/polyglot may call.
type polyglotParent struct{ heard chan string }

func (p *polyglotParent) Tell(word string, _ *int) error {
	p.heard <- word
	return nil
}

func (p *polyglotParent) Echo(data []byte, reply *[]byte) error {
	*reply = data
	return nil
}

// TestShutdownPolyglot: children in other languages, which are old peers.
func TestShutdownPolyglot(t *testing.T) {
	const dir = "../examples/polyglot"
	for _, language := range []struct {
		file, needs   string
		interpreters  []string
		hasItsPackage []string // arguments
	}{
		{"child.py", "Python with msgpack", []string{"python3", "/usr/bin/python3"}, []string{"-c", "import msgpack"}},
		{"child.mjs", "Node.js, and npm ci --prefix examples/polyglot", []string{"node"}, []string{"--input-type=module", "-e", "import '@msgpack/msgpack'"}},
	} {
		t.Run(language.file, func(t *testing.T) {
			interpreter := ""
			for _, name := range language.interpreters {
				cmd := exec.Command(name, language.hasItsPackage...)
				cmd.Dir = dir
				if cmd.Run() == nil {
					interpreter = name
					break
				}
			}
			if interpreter == "" {
				if os.Getenv("VIADUCT_MUST_RUN") != "" {
					t.Fatal("needs " + language.needs)
				}
				t.Skip("needs " + language.needs)
			}
			parent := &polyglotParent{make(chan string, 200)}
			server := rpc.NewServer()
			require.NoError(t, server.RegisterName("Parent", parent))
			p, err := rpcpipe.Start(t.Context(), exec.Command(interpreter, filepath.Join(dir, language.file), procspawn.Here, "Ada"),
				&rpcpipe.Options{Server: server, Process: &procspawn.Options{CloseTimeout: 20 * time.Second}})
			require.NoError(t, err)
			defer p.Close()
			_, err = p.Open(t.Context())
			require.ErrorIs(t, err, duplex.ErrNoStreams)
			_, err = p.OpenOffer(t.Context(), 1)
			require.ErrorIs(t, err, duplex.ErrNoStreams)
			done := make(chan *rpc.Call, 20)
			replies := make([][]byte, cap(done))
			for i := range replies {
				p.Go("Child.Relay", someData(20_000*i), &replies[i], done)
			}
			for range 100 {
				require.NoError(t, p.Notify(t.Context(), "Child.Tell", "word"))
			}
			require.NoError(t, p.Shutdown(t.Context()))
			for range replies {
				require.NoError(t, (<-done).Error)
			}
			for i, reply := range replies {
				require.NoError(t, expectData(reply, someData(20_000*i)))
			}
			require.NoError(t, p.Wait())
			exit := p.Process().Exit()
			require.Equal(t, 0, exit.Code)
			require.LessOrEqual(t, exit.Step, procspawn.StepCloseLink)
		})
	}
}

// Spin keeps all processors busy for a time.
func (s *Service) Spin(d time.Duration, _ *int) error {
	var running sync.WaitGroup
	end := time.Now().Add(d)
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for time.Now().Before(end) {
			}
		})
	}
	running.Wait()
	return nil
}

// startWatched starts the child "service" with a keepalive.
func startWatched(t *testing.T, interval time.Duration) *rpcpipe.Peer {
	p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), &rpcpipe.Options{
		Duplex:  &duplex.Options{Keepalive: interval},
		Process: &procspawn.Options{CloseTimeout: -1, TermTimeout: -1}, // it is no use to wait for what is stopped
	})
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

// TestKeepaliveBusy: a child that computes answers.
func TestKeepaliveBusy(t *testing.T) {
	p := startWatched(t, time.Second)
	require.NoError(t, p.Call("Service.Spin", 2500*time.Millisecond, nil)) // longer than two intervals
	require.NoError(t, p.Err())
}

// TestKeepaliveStopped: one that is stopped does not.
func TestKeepaliveStopped(t *testing.T) {
	before := snapshot()
	p := startWatched(t, 100*time.Millisecond)
	ended := block(p)
	call := p.Go("Service.Park", 0, nil, nil)
	require.NoError(t, p.Call("Service.Add", Args{}, nil))
	require.NoError(t, syscall.Kill(p.Process().Pid(), syscall.SIGSTOP))
	begin := time.Now()
	require.ErrorIs(t, (<-call.Done).Error, duplex.ErrUnresponsive)
	for range blocked {
		end := <-ended
		require.ErrorIs(t, end.err, duplex.ErrUnresponsive, end.name)
	}
	require.Less(t, time.Since(begin), time.Second)
	require.ErrorIs(t, p.Err(), duplex.ErrUnresponsive)
	var exit *procspawn.Exit
	require.ErrorAs(t, p.Wait(), &exit) // it had to be killed
	require.Equal(t, os.Kill, exit.Signal)
	before.requireSame(t)
}

func init() {
	children["watching witness"] = func([]string) {
		p := connect(&rpcpipe.Options{Duplex: &duplex.Options{Keepalive: 100 * time.Millisecond}})
		fmt.Fprintln(inherited(), "ready")
		fmt.Fprintln(inherited(), errors.Is(p.Wait(), duplex.ErrUnresponsive))
		select {} // the library ends it
	}
}

// TestKeepaliveParentStopped: a child ends whose parent does not answer.
func TestKeepaliveParentStopped(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	cmd := procspawn.Self("middle", "watching witness")
	cmd.ExtraFiles = []*os.File{w}
	p, err := rpcpipe.Start(t.Context(), cmd, nil)
	require.NoError(t, err)
	w.Close()
	defer func() {
		cmd.Process.Kill()
		p.Wait()
	}()
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	require.NoError(t, cmd.Process.Signal(syscall.SIGSTOP))
	line, err = out.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "true\n", line)
}
