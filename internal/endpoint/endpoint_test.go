package endpoint_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/duplex"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// links are the kinds of link that an Endpoint must work on.
var links = []struct {
	name string
	make func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint)
}{
	{"lanes over net.Pipe", func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
		return laneEndpoints(t, 0, a, b)
	}},
	{"lanes over os.Pipe", func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
		return laneEndpoints(t, 2, a, b)
	}},
	{"bare net.Pipe", func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
		return bareEndpoints(t, 0, a, b)
	}},
	{"bare TCP", func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
		return bareEndpoints(t, 1, a, b)
	}},
	{"two bare connections", func(t testing.TB, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
		xc, ys := testkit.Conns[1].Make(t)
		yc, xs := testkit.Conns[2].Make(t)
		return endWithTest(t, endpoint.NewEndpoint(xc, xs, a), endpoint.NewEndpoint(yc, ys, b))
	}},
}

func laneEndpoints(t testing.TB, conn int, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
	cx, cy := testkit.Conns[conn].Make(t)
	dx, dy := testkit.DuplexPair(t, cx, cy, &duplex.Options{MaxMessage: maxMessage})
	return endWithTest(t,
		endpoint.NewEndpoint(testkit.LinkOf(dx.ClientLane()), testkit.LinkOf(dx.ServerLane()), a),
		endpoint.NewEndpoint(testkit.LinkOf(dy.ClientLane()), testkit.LinkOf(dy.ServerLane()), b))
}

func bareEndpoints(t testing.TB, conn int, a, b *endpoint.Options) (x, y *endpoint.Endpoint) {
	cx, cy := testkit.Conns[conn].Make(t)
	return endWithTest(t, endpoint.NewEndpoint(cx, nil, a), endpoint.NewEndpoint(cy, nil, b))
}

func endWithTest(t testing.TB, x, y *endpoint.Endpoint) (*endpoint.Endpoint, *endpoint.Endpoint) {
	t.Cleanup(func() {
		x.Close()
		y.Close()
		x.Wait(testkit.Soon(t))
		y.Wait(testkit.Soon(t))
	})
	return x, y
}

const maxMessage = 4 << 20

// overLinks runs f over every kind of link and with roles swapped. here and
// there are what each side serves.
func overLinks(t *testing.T, here, there testkit.Hooks, f func(t *testing.T, a, b *endpoint.Endpoint)) {
	overLinksOpts(t, &endpoint.Options{Server: testkit.NewServer(here), MaxMessage: maxMessage}, &endpoint.Options{Server: testkit.NewServer(there), MaxMessage: maxMessage}, f)
}

func overLinksOpts(t *testing.T, here, there *endpoint.Options, f func(t *testing.T, a, b *endpoint.Endpoint)) {
	for _, l := range links {
		for _, swapped := range []bool{false, true} {
			name := l.name
			if swapped {
				name += ", swapped"
			}
			t.Run(name, func(t *testing.T) {
				testkit.NoneLeft(t)
				if swapped {
					b, a := l.make(t, there, here)
					f(t, a, b)
					return
				}
				a, b := l.make(t, here, there)
				f(t, a, b)
			})
		}
	}
}

func TestEndpoint(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, b *endpoint.Endpoint) {
		for _, e := range []*endpoint.Endpoint{a, b} {
			testkit.TestArith(t, e.Call, e.Go)
			c := e.Client()
			testkit.TestArith(t, c.Call, c.Go)
			require.NoError(t, c.Close())
		}
	})
}

// TestEndpointFaults: each costs one call.
func TestEndpointFaults(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var berr *viaduct.BodyError
		err := a.Call("Arith.Add", make(chan int), nil)
		require.ErrorAs(t, err, &berr)
		require.Equal(t, "encode", berr.Op)
		call := <-a.Go("Arith.Add", make(chan int), nil, nil).Done
		require.ErrorAs(t, call.Error, &berr)

		var wrong []string
		err = a.Call("Arith.Add", Args{1, 2}, &wrong)
		require.ErrorAs(t, err, &berr)
		require.Equal(t, "decode", berr.Op)
		require.ErrorContains(t, err, "type mismatch")
		call = <-a.Go("Arith.Add", Args{1, 2}, &wrong, nil).Done
		require.ErrorAs(t, call.Error, &berr)
		require.ErrorAs(t, a.Call("Raw.Echo", []byte("x"), (*[]byte)(nil)), &berr)

		var serr *viaduct.SizeError
		err = a.Call("Raw.Echo", make([]byte, maxMessage), nil)
		require.ErrorAs(t, err, &serr)
		require.Equal(t, viaduct.SizeError{Size: maxMessage + 22, Limit: maxMessage}, *serr)
		err = a.Notify(t.Context(), "Raw.Echo", make([]byte, maxMessage))
		require.ErrorAs(t, err, &serr)
		err = a.Call("Raw.Sized", maxMessage, nil)
		require.IsType(t, rpc.ServerError(""), err)
		require.ErrorContains(t, err, fmt.Sprintf("message of %d bytes is over the limit of %d", maxMessage+13, maxMessage))

		require.ErrorContains(t, a.Call("Bad.Reply", 1, nil), "cannot encode reply of Bad.Reply")
		require.Equal(t, rpc.ServerError("viaduct: handler ended its goroutine with runtime.Goexit"), a.Call("Bad.Goexit", 1, nil))
		require.ErrorContains(t, a.Call("Nobody.Add", 1, nil), "can't find service")
		require.NoError(t, a.Call("Arith.Add", nil, new(Reply)), "a nil argument is an empty one")
		require.NoError(t, a.Call("Arith.Add", Args{1, 2}, new(Reply)), "the link is as before")
		require.NoError(t, a.Err())
	})
}

// TestEndpointGo: the done channel is that of net/rpc.
func TestEndpointGo(t *testing.T) {
	gate := make(chan struct{})
	wait := func(string) (string, error) { <-gate; return "", nil }
	j, log := testkit.NewJournal()
	a, _ := bareEndpoints(t, 0, &endpoint.Options{Logger: log}, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Wait": wait})})
	require.PanicsWithValue(t, "viaduct: done channel is unbuffered", func() { a.Go("Wait.Do", "", nil, make(chan *rpc.Call)) })

	done := make(chan *rpc.Call, 1)
	reply := "before"
	call := a.Go("Wait.Do", "", &reply, done)
	require.Equal(t, []any{"Wait.Do", "", &reply}, []any{call.ServiceMethod, call.Args, call.Reply})
	a.Go("Wait.Do", "", nil, done)
	close(gate)
	j.WaitFor(t, "the Done channel of a call is full")
	require.NoError(t, (<-done).Error)
	select {
	case <-done:
		t.Error("a call that found no room was sent")
	default:
	}
	call = a.Go("Nobody.Do", "", nil, nil)
	require.Same(t, call, <-call.Done)
	require.Error(t, call.Error)
}

// TestNestedBesideFlood: calls nested eight deep, beside notifications both ways
// whose handlers do not get on.
func TestNestedBesideFlood(t *testing.T) {
	for _, l := range links[:2] {
		t.Run(l.name, func(t *testing.T) {
			testkit.NoneLeft(t)
			var a, b *endpoint.Endpoint
			gate := make(chan struct{})
			slow := func(string) (string, error) { <-gate; return "", nil }
			nest := func(e **endpoint.Endpoint) func(string) (string, error) {
				return func(depth string) (reply string, err error) {
					if len(depth) == 8 {
						return depth, nil
					}
					err = (*e).Call("Nest.Do", depth+"x", &reply)
					return reply, err
				}
			}
			here := &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Slow": slow, "Nest": nest(&a)})}
			there := &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Slow": slow, "Nest": nest(&b)})}
			a, b = l.make(t, here, there)
			ctx := testkit.Soon(t)
			var floods sync.WaitGroup
			for _, e := range []*endpoint.Endpoint{a, b} {
				for range 4 {
					floods.Go(func() {
						for range 40 {
							if err := e.Notify(ctx, "Slow.Do", string(make([]byte, 32<<10))); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			var calls sync.WaitGroup
			for _, e := range []*endpoint.Endpoint{a, b} {
				for range 20 {
					calls.Go(func() {
						var reply string
						if err := e.Call("Nest.Do", "", &reply); err != nil || len(reply) != 8 {
							t.Error(reply, err)
						}
					})
				}
			}
			calls.Wait() // while the notifications are stuck
			close(gate)
			floods.Wait()
		})
	}
}

// TestManyCallers: 500 at once, both ways, some with a large body.
func TestManyCallers(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, b *endpoint.Endpoint) {
		var calls sync.WaitGroup
		for i := range 500 {
			for _, e := range []*endpoint.Endpoint{a, b} {
				calls.Go(func() {
					if i%10 == 0 {
						sent := make([]byte, 32<<10)
						sent[i] = 1
						var back []byte
						if err := e.Call("Raw.Echo", sent, &back); err != nil || string(back) != string(sent) {
							t.Errorf("%d bytes came back: %v", len(back), err)
						}
						return
					}
					var reply Reply
					if err := e.Call("Arith.Add", Args{i, i}, &reply); err != nil || reply.C != 2*i {
						t.Errorf("%d + %d = %d, %v", i, i, reply.C, err)
					}
					if err := e.Call("Nobody.Nope", make([]byte, 100), nil); err == nil {
						t.Error("no error")
					}
				})
			}
		}
		calls.Wait()
	})
}

// TestByteArguments: what handlers get and callers get back is theirs alone.
func TestByteArguments(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, _ *endpoint.Endpoint) {
		var calls sync.WaitGroup
		for i := range 50 {
			calls.Go(func() {
				sent := []byte(fmt.Sprintf("message %d", i))
				var back []byte
				for range 20 {
					if err := a.Call("Raw.Echo", sent, &back); err != nil || string(back) != string(sent) {
						t.Errorf("%q came back as %q, %v", sent, back, err)
						return
					}
					_ = append(back, "overwritten"...)
					for j := range back {
						back[j] = 0xc1
					}
				}
			})
		}
		calls.Wait()
	})
}

// plays returns an endpoint on a bare connection, the other end of which the test plays.
func plays(t testing.TB, opts *endpoint.Options) (*endpoint.Endpoint, net.Conn) {
	x, y := net.Pipe()
	e := endpoint.NewEndpoint(x, nil, opts)
	t.Cleanup(func() {
		y.Close()
		e.Close()
		e.Wait(testkit.Soon(t))
	})
	return e, y
}

// reads requires that n bytes come and returns them.
func reads(t testing.TB, r io.Reader, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	require.NoError(t, err)
	return b
}

func writes(t testing.TB, w io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
}

// TestLateReplies are logged, and nothing else happens.
func TestLateReplies(t *testing.T) {
	j, log := testkit.NewJournal()
	e, y := plays(t, &endpoint.Options{Logger: log})
	var reply int
	call := e.Go("A.B", 1, &reply, nil)
	require.Equal(t, "\x94\x00\xce\x00\x00\x00\x00\xa3A.B\x91\x01", string(reads(t, y, 13)))
	writes(t, y, "\x94\x01\x09\xc0\x01"+"\x94\x01\x00\xc0\x2a"+"\x94\x01\x00\xc0\x2b")
	<-call.Done
	require.NoError(t, call.Error)
	require.Equal(t, 42, reply)
	j.WaitFor(t, "msgid=9 bytes=5", "msgid=0 bytes=5")
	require.NoError(t, e.Err())
}

// TestExample is the example of PROTOCOL.md.
func TestExample(t *testing.T) {
	got := make(chan string, 1)
	e, y := plays(t, &endpoint.Options{Server: testkit.NewServer(testkit.Hooks{"Log": func(s string) (string, error) { got <- s; return "", nil }})})
	for _, m := range exampleMessages {
		if m.from == "A" {
			writes(t, y, string(m.bytes()))
		} else {
			require.Equal(t, m.bytes(), reads(t, y, len(m.bytes())))
		}
	}
	require.Equal(t, "hi", <-got)
	var sum Reply
	call := e.Go("Arith.Add", Args{1, 2}, &sum, nil)
	require.Equal(t, exampleMessages[0].bytes()[7:], reads(t, y, len(exampleMessages[0].bytes()))[7:])
	writes(t, y, "\x94\x01\x00\xc0\x81\xa1C\x03")
	require.NoError(t, (<-call.Done).Error)
	require.Equal(t, 3, sum.C)
}

// TestForeignPeer: errors of any type, ids in short form, a result of nil.
func TestForeignPeer(t *testing.T) {
	e, y := plays(t, nil)
	reply := 7
	for answer, want := range map[string]error{
		"\x92\x00\xa9no buffer\xc0": rpc.ServerError(`[0, "no buffer"]`),
		"\xa0\xc0":                  rpc.ServerError("unknown error"),
		"\xc0\xc0":                  nil,
	} {
		call := e.Go("A.B", 1, &reply, nil)
		id := reads(t, y, 13)[6]
		writes(t, y, string([]byte{0x94, 1, id})+answer)
		require.Equal(t, want, (<-call.Done).Error)
		require.Equal(t, 7, reply)
	}
}

var errNoLuck = errors.New("no luck")
