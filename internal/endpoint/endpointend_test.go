package endpoint_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/rpc"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// parkAt returns a hook that parks, what tells of each, and what lets them go.
func parkAt() (park func(string) (string, error), parked chan bool, release func()) {
	gate := make(chan struct{})
	parked = make(chan bool, 100)
	return func(string) (string, error) {
		parked <- true
		<-gate
		return "", nil
	}, parked, sync.OnceFunc(func() { close(gate) })
}

// pendingOf makes one call of each kind and returns a function that waits for their errors.
func pendingOf(e *endpoint.Endpoint, parked chan bool) func() []error {
	calls := []*rpc.Call{e.Go("Park.Do", "", nil, nil), e.Client().Go("Park.Do", "", nil, nil)}
	called := make(chan error, 1)
	go func() { called <- e.Call("Park.Do", "", nil) }()
	for range 3 {
		<-parked
	}
	return func() []error {
		errs := []error{<-called}
		for _, c := range calls {
			<-c.Done
			errs = append(errs, c.Error)
		}
		return errs
	}
}

// TestClose: it is rpc.ErrShutdown itself that calls of this side fail with, and
// a DownError that says so to those of the other side.
func TestClose(t *testing.T) {
	var parked chan bool
	var release func()
	var park func(string) (string, error)
	server := testkit.NewServer(testkit.Hooks{"Park": func(s string) (string, error) { return park(s) }})
	overLinksOpts(t, &endpoint.Options{Server: server}, &endpoint.Options{Server: server}, func(t *testing.T, a, b *endpoint.Endpoint) {
		park, parked, release = parkAt()
		ofA, ofB := pendingOf(a, parked), pendingOf(b, parked)
		require.NoError(t, a.Err())
		require.NoError(t, a.Close())
		for _, err := range ofA() {
			require.Equal(t, rpc.ErrShutdown, err)
		}
		for _, err := range ofB() {
			var down *viaduct.DownError
			require.ErrorAs(t, err, &down)
			require.ErrorIs(t, err, rpc.ErrShutdown)
			require.True(t, errors.Is(err, duplex.ErrPeerClosed) || errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
			require.ErrorContains(t, err, "viaduct: link is down: ")
		}
		<-a.Done()
		<-b.Done()
		for e, want := range map[*endpoint.Endpoint]error{a: rpc.ErrShutdown, b: b.Err()} {
			require.Equal(t, want, e.Err())
			for _, err := range []error{
				e.Call("Park.Do", "", nil),
				(<-e.Go("Park.Do", "", nil, nil).Done).Error,
				e.Notify(context.Background(), "Park.Do", ""),
			} {
				require.ErrorIs(t, err, want)
				require.ErrorIs(t, err, viaduct.ErrNotBegun)
			}
			require.ErrorIs(t, e.Client().Call("Park.Do", "", nil), rpc.ErrShutdown)
			require.NoError(t, e.Close())
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.Equal(t, 3, a.Wait(ctx), "the handlers have not returned")
		release()
		require.Zero(t, a.Wait(testkit.Soon(t)))
		require.Zero(t, b.Wait(testkit.Soon(t)))
	})
}

// TestLoss: the connection below ends, without a word.
func TestLoss(t *testing.T) {
	for _, lanes := range []bool{true, false} {
		for _, c := range testkit.Conns {
			t.Run(c.Name, func(t *testing.T) {
				testkit.NoneLeft(t)
				park, parked, release := parkAt()
				defer release()
				x, y := c.Make(t)
				opts := &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Park": park})}
				var a, b *endpoint.Endpoint
				if lanes {
					dx, dy := testkit.DuplexPair(t, x, y, nil)
					a = endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), opts)
					b = endpoint.NewEndpoint(testkit.LinkOf(dy.ClientLane()), testkit.LinkOf(dy.ServerLane()), opts)
				} else {
					a, b = endpoint.NewEndpoint(x, nil, opts), endpoint.NewEndpoint(y, nil, opts)
				}
				endWithTest(t, a, b)
				failed := pendingOf(a, parked)
				y.Close()
				for _, err := range failed() {
					var down *viaduct.DownError
					require.ErrorAs(t, err, &down)
					require.ErrorIs(t, err, rpc.ErrShutdown)
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				}
				<-b.Done()
			})
		}
	}
}

// TestGarbage ends the link, with a ProtocolError in what pending calls fail with.
func TestGarbage(t *testing.T) {
	for text, want := range map[string]string{
		"\x07":                     "message is not an array",
		"\xc1":                     "byte 0xc1",
		"\x94\x05\x05\xc0\xc0":     "message type is 5",
		"\x95\x01\x05\xc0\xc0\xc0": "has 5 elements, expected 4",
		"\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1m\x90": "more than 32 bits",
	} {
		t.Run("bare "+want, func(t *testing.T) {
			e, y := plays(t, nil)
			call := e.Go("A.B", 1, nil, nil)
			reads(t, y, 13)
			writes(t, y, text)
			requireProtocolError(t, (<-call.Done).Error, want)
			requireProtocolError(t, e.Err(), want)
		})
		t.Run("lanes "+want, func(t *testing.T) {
			for range 2 {
				x, y := net.Pipe()
				dx, dy := testkit.DuplexPair(t, x, y, nil)
				e := endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), nil)
				call := e.Go("A.B", 1, nil, nil)
				_, err := dy.ServerLane().ReadMessage()
				require.NoError(t, err)
				require.NoError(t, dy.ServerLane().WriteMessage([]byte(text)))
				requireProtocolError(t, (<-call.Done).Error, want)
			}
		})
	}
}

func requireProtocolError(t *testing.T, err error, want string) {
	t.Helper()
	var perr *viaduct.ProtocolError
	require.ErrorAs(t, err, &perr)
	require.ErrorIs(t, err, rpc.ErrShutdown)
	require.ErrorContains(t, err, want)
}

// TestWrongLane: each lane has messages of its own.
func TestWrongLane(t *testing.T) {
	const request, response, note = "\x94\x00\x05\xa1m\x90", "\x94\x01\x05\xc0\xc0", "\x93\x02\xa1m\x90"
	play := func(t *testing.T, want string, write func(client, server io.Writer) error) {
		t.Run("lanes", func(t *testing.T) {
			x, y := net.Pipe()
			dx, dy := testkit.DuplexPair(t, x, y, nil)
			e := endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), nil)
			require.NoError(t, write(dy.ClientLane(), dy.ServerLane()))
			<-e.Done()
			requireProtocolError(t, e.Err(), want)
		})
		t.Run("two bare connections", func(t *testing.T) {
			x1, y1 := net.Pipe()
			x2, y2 := net.Pipe()
			e := endpoint.NewEndpoint(x1, x2, nil)
			require.NoError(t, write(y2, y1))
			<-e.Done()
			requireProtocolError(t, e.Err(), want)
		})
	}
	play(t, "response came where only requests", func(client, _ io.Writer) error { _, err := io.WriteString(client, response); return err })
	play(t, "message of type 0 came where only responses", func(_, server io.Writer) error { _, err := io.WriteString(server, request); return err })
	play(t, "message of type 2 came where only responses", func(_, server io.Writer) error { _, err := io.WriteString(server, note); return err })
}

// TestDeafAfterGarbage: what comes behind it is not handled.
func TestDeafAfterGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := false
		e, y := plays(t, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Note": func(string) (string, error) { ran = true; return "", nil }})})
		go io.WriteString(y, "\x94\x05\x05\xc0\xc0"+"\x93\x02\xa7Note.Do\x91\xa1b"+"\x94\x00\x05\xa7Note.Do\x91\xa1c")
		<-e.Done()
		e.Wait(context.Background())
		require.False(t, ran)
	})
}

// stubborn is a connection whose Close wakes nobody, and may itself hang.
type stubborn struct {
	hang, never chan struct{}
}

func (s *stubborn) Read([]byte) (int, error)    { <-s.never; return 0, io.EOF }
func (s *stubborn) Write(p []byte) (int, error) { <-s.never; return 0, io.EOF }
func (s *stubborn) Close() error                { <-s.hang; return nil }

// TestStubbornConnection: neither Close nor Wait hangs, nor do calls.
func TestStubbornConnection(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &stubborn{make(chan struct{}), make(chan struct{})}
			if !hangs {
				close(s.hang)
			}
			e := endpoint.NewEndpoint(s, nil, nil)
			call := e.Go("A.B", 1, nil, nil)
			notified := make(chan error, 1)
			go func() { notified <- e.Notify(t.Context(), "A.B", 1) }()
			synctest.Wait()
			begun := time.Now()
			require.NoError(t, e.Close())
			require.ErrorIs(t, <-notified, rpc.ErrShutdown)
			require.Less(t, time.Since(begun), 3*time.Second)
			require.Equal(t, rpc.ErrShutdown, (<-call.Done).Error)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			e.Wait(ctx)
			require.Less(t, time.Since(begun), 5*time.Second)
			close(s.never)
			if hangs {
				close(s.hang)
			}
		})
	}
}

// TestCloseFlushes: what was accepted for sending before Close is sent, if the other side takes it.
func TestCloseFlushes(t *testing.T) {
	note, got := collect(1000)
	overLinks(t, nil, testkit.Hooks{"Note": note}, func(t *testing.T, a, b *endpoint.Endpoint) {
		if strings.Contains(t.Name(), "two_bare") {
			t.Skip("the end of one connection may be seen before what is in the other")
		}
		for range 20 {
			require.NoError(t, a.Notify(t.Context(), "Note.Do", "some"))
		}
		require.NoError(t, a.Close())
		<-b.Done()
		require.Zero(t, b.Wait(testkit.Soon(t)))
		require.Len(t, got, 20)
		for range 20 {
			<-got
		}
	})
}

// brokenPipe is a connection that cannot be written to, while what the other
// side has said is still in it.
type brokenPipe struct {
	io.Reader
	closed chan struct{}
	once   sync.Once
}

func (b *brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
func (b *brokenPipe) Close() error              { b.once.Do(func() { close(b.closed) }); return nil }

type afterward struct {
	b    *brokenPipe
	wait time.Duration
	text string
}

func (a *afterward) Read(p []byte) (int, error) {
	select {
	case <-time.After(a.wait):
		n := copy(p, a.text)
		if a.text = a.text[n:]; n == 0 {
			return 0, io.EOF
		}
		return n, nil
	case <-a.b.closed:
		return 0, io.ErrClosedPipe
	}
}

// TestRepliesInThePipe still count when a write has failed.
func TestRepliesInThePipe(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		20 * time.Millisecond: "",
		time.Second:           "broken pipe",
	} {
		synctest.Test(t, func(t *testing.T) {
			conn := &brokenPipe{closed: make(chan struct{})}
			conn.Reader = &afterward{conn, wait, "\x94\x01\x00\xc0\x2a"}
			e := endpoint.NewEndpoint(conn, nil, nil)
			var reply int
			err := e.Call("A.B", 1, &reply)
			if want == "" {
				require.NoError(t, err)
				require.Equal(t, 42, reply)
			} else {
				require.ErrorContains(t, err, want)
				require.ErrorIs(t, err, rpc.ErrShutdown)
			}
			<-e.Done()
			require.Zero(t, e.Wait(context.Background()))
		})
	}
}

// TestTinyLimit: where not even a refusal fits, the caller must not wait for ever.
func TestTinyLimit(t *testing.T) {
	x, y := net.Pipe()
	a, b := endpoint.NewEndpoint(x, nil, nil), endpoint.NewEndpoint(y, nil, &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: 40})
	endWithTest(t, a, b)
	require.ErrorIs(t, a.Call("Raw.Sized", 1000, nil), rpc.ErrShutdown)
	var serr *viaduct.SizeError
	require.ErrorAs(t, b.Err(), &serr)
}

// TestCloseFromHandler does not wait for itself.
func TestCloseFromHandler(t *testing.T) {
	var b *endpoint.Endpoint
	closeIt := testkit.Hooks{"Close": func(string) (string, error) { return "", b.Close() }}
	overLinks(t, nil, closeIt, func(t *testing.T, a, other *endpoint.Endpoint) {
		b = other
		require.ErrorIs(t, a.Call("Close.Do", "", nil), rpc.ErrShutdown)
		require.Zero(t, b.Wait(testkit.Soon(t)))
	})
}

// TestWrongClass: a message in the class of another would be credited to that
// one, so that the other side gets more there than was granted.
func TestWrongClass(t *testing.T) {
	for name, tt := range map[string]struct {
		msg            string
		isNotification bool
	}{
		"notification as a call":    {"\x93\x02\xa1m\x90", false},
		"request as a notification": {"\x94\x00\x05\xa1m\x90", true},
	} {
		t.Run(name, func(t *testing.T) {
			x, y := net.Pipe()
			dx, dy := testkit.DuplexPair(t, x, y, nil)
			e := endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), nil)
			sendFatal(t, dy.ClientLane(), tt.msg, tt.isNotification)
			<-e.Done()
			requireProtocolError(t, e.Err(), "class of another")
		})
	}
}

// sendFatal sends what ends the link. The other side can end it before this one knows that all is
// written: then Send fails, with whatever the link ended by.
func sendFatal(t *testing.T, lane *duplex.Lane, msg string, isNotification bool) {
	t.Helper()
	if err := lane.Send(t.Context(), []byte(msg), isNotification); err != nil {
		_, ended := lane.ReadMessage()
		require.Error(t, ended, "%v", err)
	}
}
