package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// held returns a stream that the other side neither reads nor writes.
func held(p *rpcpipe.Peer) (net.Conn, error) {
	name, stream := p.Offer()
	p.Go("Service.Hold", &Parcel{Stream: name}, nil, nil)
	_, err := stream.Read(make([]byte, 1))
	return stream, err
}

// Hold opens a stream, writes one byte and then does nothing until the link ends.
func (s *Service) Hold(p *Parcel, _ *int) error {
	stream, err := p.Stream.Open(p.ctx)
	if err == nil {
		_, err = stream.Write([]byte{1})
		<-p.ctx.Done()
	}
	return err
}

type blockedEnd struct {
	name string
	err  error
}

// block starts all of blocked but some, and returns when they are about to wait.
func block(p *rpcpipe.Peer, but ...string) <-chan blockedEnd {
	ended := make(chan blockedEnd, len(blocked))
	var ready sync.WaitGroup
	for name, f := range blocked {
		if !slices.Contains(but, name) {
			ready.Add(1)
			go func() { ended <- blockedEnd{name, f(p, sync.OnceFunc(ready.Done))} }()
		}
	}
	ready.Wait()
	return ended
}

// TestStreamsChildKilled: whatever waits fails at once and says how the child has ended.
func TestStreamsChildKilled(t *testing.T) {
	fastest := time.Hour
	for range 3 {
		before := snapshot()
		p, err := rpcpipe.Start(t.Context(), procspawn.Self("service"), nil)
		require.NoError(t, err)
		ended := block(p)
		require.NoError(t, p.Call("Service.Add", Args{}, nil))
		require.Empty(t, ended)
		begin := time.Now()
		kill(t, p)
		for range blocked {
			end := <-ended
			var exit *procspawn.Exit
			require.ErrorAs(t, end.err, &exit, end.name)
			requireKilled(t, exit)
			require.ErrorAs(t, end.err, new(*net.OpError), end.name)
		}
		fastest = min(fastest, time.Since(begin))
		for name, f := range blocked { // later ones, too
			require.ErrorAs(t, f(p, func() {}), new(*procspawn.Exit), name)
		}
		require.Error(t, p.Wait())
		before.requireSame(t)
	}
	require.Less(t, fastest, 200*time.Millisecond)
}

// TestStreamsClosed: Close ends them here with net.ErrClosed, there with ErrPeerClosed.
func TestStreamsClosed(t *testing.T) {
	for _, closedHere := range []bool{true, false} {
		here, there := newService(), newService()
		a, b := rpcpipe.Pair(here.options(), there.options())
		here.use(a)
		there.use(b)
		ended := block(a)
		closing, want := a, net.ErrClosed
		if !closedHere {
			closing, want = b, duplex.ErrPeerClosed
		}
		require.NoError(t, closing.Close())
		for range blocked {
			end := <-ended
			require.ErrorIs(t, end.err, want, end.name)
		}
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	}
}

func init() {
	children["stream witness"] = func([]string) {
		out := inherited()
		p := connect(nil)
		ended := block(p)
		fmt.Fprintln(out, "ready")
		for range blocked {
			end := <-ended
			var exit *procspawn.Exit
			fmt.Fprintln(out, end.name, errors.As(end.err, &exit) && exit.Parent)
		}
		p.Wait()
	}
	children["service middle"] = func(args []string) {
		connect(nil)
		s := newService()
		cmd := procspawn.Self(args...)
		passFile(cmd, inherited())
		p, err := rpcpipe.Start(context.Background(), cmd, s.options())
		if err != nil {
			fmt.Fprintln(inherited(), err)
			os.Exit(1)
		}
		s.use(p)
		select {}
	}
}

// TestStreamsParentKilled: the child's fail, too.
func TestStreamsParentKilled(t *testing.T) {
	cmd, p, out := startMiddle(t, "service middle", "stream witness")
	require.NoError(t, cmd.Process.Kill())
	rest, err := io.ReadAll(out) // ends when the child has
	require.NoError(t, err)
	for name := range blocked {
		require.Contains(t, string(rest), name+" true\n")
	}
	require.Equal(t, len(blocked), strings.Count(string(rest), "\n"), "%s", rest)
	require.Error(t, p.Wait())
}

// TestStreamHeldUp: a stream that nobody reads holds up nothing else.
func TestStreamHeldUp(t *testing.T) {
	t.Parallel()
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			ended := block(p, "Open") // behaviours need Accept there
			for name, behave := range behaviours {
				require.NoError(t, behave(p), name)
			}
			require.NoError(t, p.Close())
			for range len(blocked) - 1 {
				require.Error(t, (<-ended).err)
			}
		})
	}
}

// TestCancelledTake: a method that reads a stream of a call that is given up ends
// when the caller closes the stream.
func TestCancelledTake(t *testing.T) {
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			defer p.Close()
			for range 20 {
				ctx, cancel := context.WithCancel(t.Context())
				name, stream := p.Offer()
				go func() {
					stream.Write(make([]byte, 10)) // returns when the method has opened it
					cancel()
				}()
				require.Equal(t, context.Canceled, p.CallContext(ctx, "Service.Take", &Parcel{Stream: name}, nil))
				require.NoError(t, closeStream(stream.Close))
			}
			require.NoError(t, p.Shutdown(t.Context())) // no stream is left
		})
	}
}

// Pour opens a stream and writes to it until it is told, by the link's end, that nobody takes it;
// then it closes it, as people do.
func (s *Service) Pour(p *Parcel, _ *int) error {
	stream, err := p.Stream.Open(p.ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	_, err = stream.Write(make([]byte, poured))
	return err
}

const poured = 4 << 20

// TestStreamCutOffByTheLink: a stream whose link was closed meanwhile is never a whole one,
// whichever side has closed the link.
func TestStreamCutOffByTheLink(t *testing.T) {
	t.Parallel() // beside those that wait
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			for round := range 30 {
				here := newService()
				p := here.use(link(t, here))
				name, stream := p.Offer()
				p.Go("Service.Pour", &Parcel{Stream: name}, nil, nil)
				some, err := io.ReadFull(stream, make([]byte, 1+round*1000))
				require.NoError(t, err)
				go p.Close()
				rest, err := io.Copy(io.Discard, stream)
				if int64(some)+rest < poured {
					require.Error(t, err, "%d bytes of %d", int64(some)+rest, poured)
				}
				p.Wait()
			}
		})
	}
}
