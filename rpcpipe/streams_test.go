package rpcpipe_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// A Parcel is an argument or a reply that may name a stream.
type Parcel struct {
	Stream rpcpipe.StreamName
	Data   []byte

	ctx context.Context
}

func (p *Parcel) SetContext(ctx context.Context) { p.ctx = ctx }

// AcceptEcho has this side accept streams and send back what comes, from now on.
func (s *Service) AcceptEcho(int, *int) error {
	<-s.connected
	go acceptEcho(s.peer.Accept)
	return nil
}

// acceptEcho sends back what comes on each stream, until accept fails.
func acceptEcho(accept func() (net.Conn, error)) error {
	for {
		stream, err := accept()
		if err != nil {
			return err
		}
		go echo(stream)
	}
}

func echo(stream net.Conn) error {
	_, err := io.Copy(stream, stream)
	return errors.Join(err, closeStream(stream.Close))
}

// closeStream is close, of a stream, which returns an error if its end could not be written within 50
// ms. The machine is busy then, and the end goes out by itself.
func closeStream(close func() error) error {
	if err := close(); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// Take returns what a stream in its argument brings.
func (s *Service) Take(p *Parcel, data *[]byte) error {
	stream, err := p.Stream.Open(p.ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	*data, err = io.ReadAll(stream)
	return err
}

// TakeNote is Take called one way. What came is a note: see BigNote.
func (s *Service) TakeNote(p *Parcel, _ *int) error {
	var data []byte
	if err := s.Take(p, &data); err != nil {
		return err
	}
	return s.BigNote(data, nil)
}

// Give returns a stream that brings the argument's data.
func (s *Service) Give(p, reply *Parcel) error {
	var stream net.Conn
	reply.Stream, stream = rpcpipe.FromContext(p.ctx).Offer()
	go send(stream, p.Data)
	return nil
}

// Ignore does nothing with a stream in its argument.
func (s *Service) Ignore(p *Parcel, _ *int) error { return nil }

// Relay opens a stream and returns one, and sends what comes on the first on the second.
func (s *Service) Relay(p, reply *Parcel) error {
	from, err := rpcpipe.FromContext(p.ctx).OpenOffer(p.ctx, p.Stream)
	if err != nil {
		return err
	}
	var to net.Conn
	reply.Stream, to = rpcpipe.FromContext(p.ctx).Offer()
	go func() {
		defer from.Close()
		io.Copy(to, from)
		closeWrite(to)
	}()
	return nil
}

func closeWrite(stream net.Conn) error { return closeStream(stream.(*duplex.Stream).CloseWrite) }

// send sends data and its end. The stream may be an offer that nobody has opened yet.
func send(stream net.Conn, data []byte) error {
	_, err := stream.Write(data)
	return errors.Join(err, closeWrite(stream))
}

// exchange sends data on a stream to who echoes.
func exchange(stream net.Conn, data []byte) error {
	defer stream.Close()
	sent := make(chan error, 1)
	go func() { sent <- send(stream, data) }()
	got, err := io.ReadAll(stream)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	return expectData(got, data)
}

func expectData(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came, not the %d that were sent", len(got), len(want))
	}
	return nil
}

// someData returns n bytes, at most 1 MiB, that do not repeat.
func someData(n int) []byte { return ballast()[:n] }

var ballast = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

func init() {
	behaviours["streams"] = func(p *rpcpipe.Peer) error {
		ctx := context.Background()
		if err := p.Call("Service.AcceptEcho", 0, nil); err != nil {
			return err
		}
		var running sync.WaitGroup
		sizes := []int{0, 1, 4096, 64<<10 + 1, 1 << 20}
		failed := make(chan error, len(sizes))
		for _, n := range sizes {
			running.Go(func() {
				stream, err := p.Open(ctx)
				if err == nil {
					err = exchange(stream, someData(n))
				}
				failed <- err
			})
		}
		running.Wait()
		close(failed)
		var errs []error
		for err := range failed {
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	behaviours["stream in an argument"] = func(p *rpcpipe.Peer) error {
		for _, n := range []int{0, 1, 64<<10 + 1, 1 << 20} {
			name, stream := p.Offer()
			defer stream.Close()
			sent := make(chan error, 1)
			go func() { sent <- send(stream, someData(n)) }()
			var got []byte
			err := p.Call("Service.Take", &Parcel{Stream: name}, &got)
			if err := errors.Join(err, <-sent, expectData(got, someData(n))); err != nil {
				return err
			}
		}
		return nil
	}
	behaviours["stream in a reply"] = func(p *rpcpipe.Peer) error {
		for _, n := range []int{0, 1, 64<<10 + 1, 1 << 20} {
			var reply Parcel
			if err := p.Call("Service.Give", &Parcel{Data: someData(n)}, &reply); err != nil {
				return err
			}
			stream, err := p.OpenOffer(context.Background(), reply.Stream)
			if err != nil {
				return err
			}
			defer stream.Close()
			got, err := io.ReadAll(stream)
			if err := errors.Join(err, expectData(got, someData(n))); err != nil {
				return err
			}
		}
		return nil
	}
	behaviours["one stream there, one back"] = func(p *rpcpipe.Peer) error {
		name, there := p.Offer()
		defer there.Close()
		sent := make(chan error, 1)
		go func() { sent <- send(there, someData(1<<20)) }()
		var reply Parcel
		if err := p.Call("Service.Relay", &Parcel{Stream: name}, &reply); err != nil {
			return err
		}
		back, err := p.OpenOffer(context.Background(), reply.Stream)
		if err != nil {
			return err
		}
		defer back.Close()
		got, err := io.ReadAll(back)
		return errors.Join(err, <-sent, expectData(got, someData(1<<20)))
	}
	behaviours["offer that nobody opens"] = func(p *rpcpipe.Peer) error {
		name, stream := p.Offer()
		written := make(chan error, 1)
		go func() {
			_, err := stream.Write([]byte("for nobody"))
			written <- err
		}()
		if err := p.Call("Service.Ignore", &Parcel{Stream: name}, nil); err != nil {
			return err
		}
		if err := closeStream(stream.Close); err != nil {
			return err
		}
		if err := <-written; !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("Write ended with %v", err)
		}
		err := p.Call("Service.Take", &Parcel{Stream: name}, nil) // too late
		return expectText(err, duplex.ErrRefused.Error())
	}
	behaviours["no such offer"] = func(p *rpcpipe.Peer) error {
		for _, name := range []rpcpipe.StreamName{0, 1 << 31} {
			if _, err := p.OpenOffer(context.Background(), name); !errors.Is(err, duplex.ErrRefused) {
				return fmt.Errorf("OpenOffer(%d) ended with %v", name, err)
			}
		}
		return nil
	}
	behaviours["offer is opened once"] = func(p *rpcpipe.Peer) error {
		name, stream := p.Offer()
		defer stream.Close()
		go send(stream, []byte("once"))
		var got []byte
		if err := p.Call("Service.Take", &Parcel{Stream: name}, &got); err != nil || string(got) != "once" {
			return fmt.Errorf("%q, %v", got, err)
		}
		return expectText(p.Call("Service.Take", &Parcel{Stream: name}, &got), duplex.ErrRefused.Error())
	}
	behaviours["notes with streams"] = func(p *rpcpipe.Peer) error {
		name, stream := p.Offer()
		defer stream.Close()
		go send(stream, make([]byte, 1<<20))
		if err := p.Notify(context.Background(), "Service.TakeNote", &Parcel{Stream: name}); err != nil {
			return err
		}
		var notes []int
		if err := p.Call("Service.Notes", 1, &notes); err != nil || notes[0] != 1<<20 {
			return fmt.Errorf("notes %v, %v", notes, err)
		}
		return nil
	}
}

// TestOffersAreNotAccepted: they go to who opens them, whoever waits in Accept.
func TestOffersAreNotAccepted(t *testing.T) {
	for kind, link := range links {
		t.Run(kind, func(t *testing.T) {
			here := newService()
			p := here.use(link(t, here))
			defer p.Close()
			accepted := make(chan string, 100)
			listener := p.Listener()
			go acceptEcho(func() (net.Conn, error) {
				stream, err := listener.Accept()
				if err == nil {
					accepted <- stream.RemoteAddr().String()
				}
				return stream, err
			})
			for range 10 {
				failure := ""
				require.NoError(t, behaviours["offer is opened once"](p))
				require.NoError(t, p.Call("Service.Run", "offer is opened once", &failure))
				require.Empty(t, failure)
			}
			require.Empty(t, accepted)
			require.NoError(t, p.Call("Service.OpenOne", 0, nil))
			require.Len(t, accepted, 1)
		})
	}
}

// OpenOne opens a stream and uses it.
func (s *Service) OpenOne(int, *int) error {
	<-s.connected
	stream, err := s.peer.Open(context.Background())
	if err != nil {
		return err
	}
	return exchange(stream, []byte("hello"))
}

// TestFromContext: each handler gets the Peer that has called it.
func TestFromContext(t *testing.T) {
	require.Nil(t, rpcpipe.FromContext(t.Context()))
	_, err := rpcpipe.StreamName(1).Open(t.Context())
	require.ErrorContains(t, err, "Peer.OpenOffer")

	type key struct{}
	values := context.WithValue(t.Context(), key{}, "mine")
	whose := make(chan *rpcpipe.Peer, 1)
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("X", asker(func(ctx context.Context) error {
		if ctx.Value(key{}) != "mine" {
			return errors.New("the value of Codec.Context is lost")
		}
		derived, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		whose <- rpcpipe.FromContext(derived)
		return nil
	})))
	opts := &rpcpipe.Options{Server: server, Context: values}
	for range 3 { // all with one server and one Options
		a, b := rpcpipe.Pair(opts, opts)
		require.NoError(t, a.Call("X.Ask", &Parcel{}, nil))
		require.Same(t, b, <-whose)
		require.NoError(t, b.Notify(t.Context(), "X.Ask", &Parcel{}))
		require.Same(t, a, <-whose)
		defer a.Close()
	}
}

// asker calls a function with the context of the call.
type asker func(ctx context.Context) error

func (f asker) Ask(p *Parcel, _ *int) error { return f(p.ctx) }

// TestFromContextAtOnce: the other side calls as soon as it is there.
func TestFromContextAtOnce(t *testing.T) {
	for range 50 {
		called := make(chan *rpcpipe.Peer, 1)
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("X", asker(func(ctx context.Context) error {
			called <- rpcpipe.FromContext(ctx)
			return nil
		})))
		one, other := pipes(t)
		go func() {
			if p, err := rpcpipe.New(context.Background(), other, nil); err == nil {
				p.Call("X.Ask", &Parcel{}, nil)
				p.Close()
			}
		}()
		p, err := rpcpipe.New(t.Context(), one, &rpcpipe.Options{Server: server})
		require.NoError(t, err)
		require.Same(t, p, <-called)
		p.Close()
	}
}
