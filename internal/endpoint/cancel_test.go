package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/rpc"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Heeding is an argument that is told when nobody waits for its method.
type Heeding struct {
	N   int
	ctx context.Context
}

func (h *Heeding) SetContext(ctx context.Context) { h.ctx = ctx }

// Careful is a service whose method runs until its caller has given up.
type Careful struct {
	begun chan int
	ended chan error
}

func newCareful() *Careful {
	return &Careful{make(chan int, 100), make(chan error, 100)}
}

func (c *Careful) Wait(h *Heeding, reply *int) error {
	c.begun <- h.N
	<-h.ctx.Done()
	c.ended <- h.ctx.Err()
	*reply = h.N
	return nil
}

// Look returns at once, and leaves its context to be looked at.
func (c *Careful) Look(h *Heeding, reply *int) error {
	c.begun <- h.N
	go func() {
		<-h.ctx.Done()
		c.ended <- h.ctx.Err()
	}()
	return nil
}

func (c *Careful) server() *rpc.Server {
	s := testkit.NewServer(nil)
	if err := s.Register(c); err != nil {
		panic(err)
	}
	return s
}

// TestCancel: both sides are free at once.
func TestCancel(t *testing.T) {
	c := newCareful()
	opts := &endpoint.Options{Server: c.server(), MaxMessage: maxMessage}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, b *endpoint.Endpoint) {
		ctx, cancel := context.WithCancel(t.Context())
		reply := 5
		failed := make(chan error)
		go func() { failed <- a.CallContext(ctx, "Careful.Wait", &Heeding{N: 7}, &reply) }()
		require.Equal(t, 7, <-c.begun)
		cancel()
		require.Equal(t, context.Canceled, <-failed)
		require.Equal(t, context.Canceled, <-c.ended)
		require.Equal(t, 5, reply)
		var sum Reply
		require.NoError(t, a.CallContext(t.Context(), "Arith.Add", Args{1, 2}, &sum))
		require.Equal(t, 3, sum.C)
	})
}

// TestDeadline: a call ends when its time is up, and the other side hears of it then.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCareful()
		x, y := testkit.Conns[0].Make(t)
		e, other := endpoint.NewEndpoint(x, nil, nil), endpoint.NewEndpoint(y, nil, &endpoint.Options{Server: c.server()})
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, e.CallContext(ctx, "Careful.Wait", &Heeding{}, nil))
		require.Equal(t, context.Canceled, <-c.ended)
		require.Equal(t, time.Minute, time.Since(start))
		e.Close()
		require.Zero(t, e.Wait(context.Background()))
		require.Zero(t, other.Wait(context.Background()))
	})
}

// TestContextOfHandler ends with the reply, and with the link.
func TestContextOfHandler(t *testing.T) {
	c := newCareful()
	opts := &endpoint.Options{Server: c.server(), MaxMessage: maxMessage}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, b *endpoint.Endpoint) {
		require.NoError(t, a.Call("Careful.Look", &Heeding{}, nil))
		require.Equal(t, context.Canceled, <-c.ended)
		require.NoError(t, a.Notify(t.Context(), "Careful.Look", &Heeding{}))
		require.Equal(t, context.Canceled, <-c.ended)
		a.Go("Careful.Wait", &Heeding{}, nil, nil)
		for range 3 {
			<-c.begun
		}
		a.Close()
		require.Equal(t, context.Canceled, <-c.ended)
	})
}

// TestCancelTooEarly: a call whose context has ended is not sent.
func TestCancelTooEarly(t *testing.T) {
	e, y := plays(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, e.CallContext(ctx, "A.B", 1, nil), context.Canceled)
	e.Go("A.C", 1, nil, nil)
	require.Equal(t, "\x94\x00\xce\x00\x00\x00\x00\xa3A.C\x91\x01", string(reads(t, y, 13)))
}

// TestCancelBytes: what the caller's side sends, and does with the answer.
func TestCancelBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, log := testkit.NewJournal()
		e, y := plays(t, &endpoint.Options{Logger: log})
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() { failed <- e.CallContext(ctx, "A.B", 1, new(int)) }()
		require.Equal(t, "\x94\x00\xce\x00\x00\x00\x00\xa3A.B\x91\x01", string(reads(t, y, 13)))
		cancel()
		require.Equal(t, context.Canceled, <-failed)
		require.Equal(t, "\x93\x02\xa8$/cancel\x91\x00", string(reads(t, y, 13)))
		writes(t, y, "\x94\x01\x00\xa9cancelled\xc0"+"\x94\x01\x00\xc0\x01")
		j.WaitFor(t, "msgid=0 bytes=5")
		require.NotContains(t, j.All(), "bytes=14", "the first is the answer, and expected")
	})
}

// TestCancelIsAnsweredAtOnce: by the side that serves, and once, whatever the method does.
func TestCancelIsAnsweredAtOnce(t *testing.T) {
	gates := make(chan chan struct{}, 1)
	park := func(string) (string, error) {
		gate := make(chan struct{})
		gates <- gate
		<-gate
		return "late", nil
	}
	_, y := plays(t, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Park": park})})
	writes(t, y, "\x94\x00\x05\xa7Park.Do\x91\xa1x")
	gate := <-gates
	writes(t, y, "\x93\x02\xa8$/cancel\x91\x06"+"\x93\x02\xa8$/cancel\x91\xcd\x00\x05")
	const answer = "\x94\x01\xce\x00\x00\x00\x05\xb7viaduct: call cancelled\xc0"
	require.Equal(t, answer, string(reads(t, y, len(answer))))
	writes(t, y, "\x93\x02\xa8$/cancel\x91\x05") // again
	close(gate)
	writes(t, y, "\x94\x00\x05\xa7Park.Do\x91\xa1x") // the msgid is free again
	close(<-gates)
	const late = "\x94\x01\xce\x00\x00\x00\x05\xc0\xa4late"
	require.Equal(t, late, string(reads(t, y, len(late))))
}

// TestBadCancel: one that cannot be understood ends the link, as does what is
// no cancel where only cancels may come.
func TestBadCancel(t *testing.T) {
	for _, text := range []string{
		"\x93\x02\xa8$/cancel\x90", "\x93\x02\xa8$/cancel\x91\xa1x",
		"\x93\x02\xa8$/cancel\x91\xcf\x00\x00\x00\x01\x00\x00\x00\x00", "\x93\x02\xa8$/cancel\x07",
	} {
		e, y := plays(t, nil)
		writes(t, y, text)
		<-e.Done()
		require.ErrorContains(t, e.Err(), "$/cancel names no msgid")
	}
	lane := func(t *testing.T) (*endpoint.Endpoint, *duplex.Lane) {
		x, y := testkit.Conns[0].Make(t)
		dx, dy := testkit.DuplexPair(t, x, y, nil)
		e := endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), nil)
		t.Cleanup(func() { e.Close() })
		return e, dy.ClientLane()
	}
	e, y := lane(t)
	sendFatal(t, y, "\x93\x02\xa8$/cancel\x91\x05", true)
	<-e.Done()
	require.ErrorContains(t, e.Err(), "in the class of another")
	e, y = lane(t)
	require.NoError(t, y.SendUrgent([]byte("\x93\x02\xa3A.B\x91\x05")))
	<-e.Done()
	require.ErrorContains(t, e.Err(), "in the class of cancels")
}

// TestCancelByName: nobody sends a cancel by mistake.
func TestCancelByName(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var body *viaduct.BodyError
		require.ErrorAs(t, a.Notify(t.Context(), "$/cancel", 5), &body)
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
	})
}

// Inner is for an argument whose SetContext is that of an embedded pointer.
type Inner struct{ Ctx string }

func (i *Inner) SetContext(context.Context) { i.Ctx = "set" }

type Outer struct {
	*Inner
	N int
}

// NoArgs has nothing to send.
type NoArgs struct{ ctx context.Context }

func (n *NoArgs) SetContext(ctx context.Context) { n.ctx = ctx }

type Odd struct {
	begun chan struct{}
	ended chan error
}

func (Odd) Embedded(o *Outer, reply *string) error { *reply = o.Inner.Ctx; return nil }
func (Odd) None(n *NoArgs, reply *bool) error      { *reply = n.ctx.Err() == nil; return nil }

func (o Odd) Park(h *Heeding, _ *int) error {
	o.begun <- struct{}{}
	<-h.ctx.Done()
	o.ended <- h.ctx.Err()
	return nil
}

// TestOddArguments: a panic of SetContext costs one call, and an argument may have a context alone.
func TestOddArguments(t *testing.T) {
	server := testkit.NewServer(nil)
	require.NoError(t, server.Register(Odd{}))
	opts := &endpoint.Options{Server: server, MaxMessage: maxMessage}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var text string
		require.ErrorContains(t, a.Call("Odd.Embedded", map[string]int{"N": 3}, &text), "panic in SetContext")
		require.NoError(t, a.Call("Odd.Embedded", Outer{Inner: &Inner{}}, &text))
		require.Equal(t, "set", text)
		var up bool
		for _, args := range []any{&NoArgs{}, NoArgs{}, nil, struct{}{}} {
			up = false
			require.NoError(t, a.Call("Odd.None", args, &up))
			require.True(t, up)
		}
	})
	require.NoError(t, viaduct.Check(NoArgs{}))
}

// TestContextOfServeCodec: net/rpc's own way of serving gives contexts, too, and ends them.
func TestContextOfServeCodec(t *testing.T) {
	odd := Odd{make(chan struct{}, 10), make(chan error, 10)}
	server := testkit.NewServer(nil)
	require.NoError(t, server.Register(odd))
	opts := &viaduct.Options{Server: server}
	x, y := testkit.Conns[0].Make(t)
	served := make(chan struct{})
	go func() {
		defer close(served)
		opts.ServeConn(y)
	}()
	e := endpoint.NewEndpoint(x, nil, nil)
	var up bool
	require.NoError(t, e.Call("Odd.None", &NoArgs{}, &up))
	require.True(t, up)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() { failed <- e.CallContext(ctx, "Odd.Park", &Heeding{}, nil) }()
	<-odd.begun
	e.Go("Odd.Park", &Heeding{}, nil, nil)
	<-odd.begun
	cancel()
	require.Equal(t, context.Canceled, <-failed)
	e.Close() // the one that was not cancelled ends, too, or ServeConn would not return
	<-served
	require.NotEmpty(t, odd.ended)
}

// TestServiceMethodPanics costs one call.
func TestServiceMethodPanics(t *testing.T) {
	opts := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, ServiceMethod: func(name string) string {
		return name[len("Arith.Add")-len(name):]
	}}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, _ *endpoint.Endpoint) {
		require.ErrorContains(t, a.Call("Too.Long.A.Name", Args{1, 2}, nil), "panic in Options.ServiceMethod")
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, nil))
	})
}

// TestCancelsAndReader: answers to cancels may have to wait for room. The
// reader does not, and none is lost.
func TestCancelsAndReader(t *testing.T) {
	const calls = 100
	c := newCareful()
	x, y := testkit.Conns[0].Make(t)
	dx, dy := testkit.DuplexPair(t, x, y, &duplex.Options{Window: 200})
	e := endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), &endpoint.Options{Server: c.server()})
	defer e.Close()
	lane := dy.ClientLane() // nobody takes the answers: their credit does not come back
	for i := range byte(calls) {
		require.NoError(t, lane.Send(testkit.Soon(t), append([]byte("\x94\x00"), i, 0xac, 'C', 'a', 'r', 'e', 'f', 'u', 'l', '.', 'W', 'a', 'i', 't', 0x91, 0x80), false))
		<-c.begun
		require.NoError(t, lane.SendUrgent(append([]byte("\x93\x02\xa8$/cancel\x91"), i)))
		<-c.ended
	}
	_, err := dy.Ping(testkit.Soon(t))
	require.NoError(t, err)
	for range calls {
		msg, err := lane.ReadMessage()
		require.NoError(t, err)
		require.Contains(t, string(msg), "call cancelled")
	}
}

// TestCancelAndReply: whichever is first, the call ends once, and its reply is
// not touched afterwards (the race detector sees to that).
func TestCancelAndReply(t *testing.T) {
	var served atomic.Int64
	echo := func(s string) (string, error) { served.Add(1); runtime.Gosched(); return s, nil }
	overLinks(t, testkit.Hooks{"Echo": echo}, testkit.Hooks{"Echo": echo}, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var callers sync.WaitGroup
		for i := range 4 {
			callers.Go(func() {
				random := rand.New(rand.NewPCG(1, uint64(i)))
				for n := range 300 {
					text := fmt.Sprint(i, n)
					ctx, cancel := context.WithCancel(t.Context())
					stop := make(chan struct{})
					go func() {
						for range random.IntN(20) {
							runtime.Gosched()
						}
						cancel()
						close(stop)
					}()
					var reply string
					err := a.CallContext(ctx, "Echo.Do", text, &reply)
					if err == nil && reply != text || err != nil && (!errors.Is(err, context.Canceled) || reply != "") {
						t.Errorf("%v, reply %q", err, reply)
					}
					reply = "mine"
					<-stop
				}
			})
		}
		callers.Wait()
		var reply string
		require.NoError(t, a.Call("Echo.Do", "x", &reply))
		require.Equal(t, "x", reply)
	})
}

// TestAnswerLatestFirst: the answer to the latest open request goes first, a
// refusal and the answer to a cancel, too.
func TestAnswerLatestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := make(map[string]chan struct{})
		for _, name := range []string{"a", "b", "c"} {
			gates[name] = make(chan struct{})
		}
		pass := func(s string) (string, error) { <-gates[s]; return s, nil }
		_, y := plays(t, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Pass": pass}), AnswerLatestFirst: true})
		writes(t, y, "\x94\x00\x01\xa7Pass.Do\x91\xa1a"+"\x94\x00\x02\xa7Pass.Do\x91\xa1b")
		synctest.Wait() // until both are known
		close(gates["a"])
		synctest.Wait()
		writes(t, y, "\x94\x00\x03\xa7Pass.Do\x91\xa1c"+"\x93\x02\xa8$/cancel\x91\x02")
		synctest.Wait()
		writes(t, y, "\x94\x00\x04\xa4Nope\x91\xa1c")
		require.Equal(t, "\x94\x01\xce\x00\x00\x00\x04\xd9", string(reads(t, y, 8)))
		reads(t, y, 1+len("rpc: service/method request ill-formed: Nope")+1)
		close(gates["c"])
		for _, want := range []string{
			"\x94\x01\xce\x00\x00\x00\x03\xc0\xa1c",
			"\x94\x01\xce\x00\x00\x00\x02\xb7viaduct: call cancelled\xc0",
			"\x94\x01\xce\x00\x00\x00\x01\xc0\xa1a",
		} {
			require.Equal(t, want, string(reads(t, y, len(want))))
		}
		close(gates["b"])
	})
}

// TestServiceMethod: names of another form are served.
func TestServiceMethod(t *testing.T) {
	names := func(name string) string {
		if name == "add" {
			return "Arith.Add"
		}
		return name
	}
	opts := &endpoint.Options{Server: testkit.NewServer(nil), MaxMessage: maxMessage, ServiceMethod: names}
	overLinksOpts(t, opts, opts, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var sum Reply
		require.NoError(t, a.Call("add", Args{1, 2}, &sum))
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, &sum))
		require.Equal(t, 3, sum.C)
		require.ErrorContains(t, a.Call("sub", Args{1, 2}, &sum), "ill-formed: sub")
	})
	x, y := testkit.Conns[0].Make(t)
	go (&viaduct.Options{Server: testkit.NewServer(nil), ServiceMethod: names}).ServeConn(y)
	client := viaduct.NewClient(x)
	defer client.Close()
	var sum Reply
	require.NoError(t, client.Call("add", Args{1, 2}, &sum))
	require.Equal(t, 3, sum.C)
	_, err := x.Write([]byte("\x93\x02\xa8$/cancel\x91\x05")) // is passed over
	require.NoError(t, err)
	require.NoError(t, client.Call("add", Args{1, 2}, &sum))
}
