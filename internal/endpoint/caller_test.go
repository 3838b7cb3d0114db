package endpoint_test

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/rpc"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

func tellingServer(t testing.TB, more ...any) *rpc.Server {
	s := testkit.NewServer(nil)
	for _, service := range append(more, Telling{}) {
		require.NoError(t, s.Register(service))
	}
	return s
}

// Told of arguments that are not the usual ones.
type (
	OwnSetter struct {
		N   int
		ctx context.Context
	}
	ListArg struct {
		viaduct.Positional
		viaduct.Caller
		A, B string
	}
	Bare struct{ viaduct.Caller }
)

func (o *OwnSetter) SetContext(ctx context.Context) { o.ctx = ctx }

func (Telling) Own(a *OwnSetter, told *Told) error {
	told.Metadata = viaduct.Metadata(a.ctx)
	return viaduct.Fail(a.ctx, nil)
}
func (Telling) List(a ListArg, told *Told) error {
	*told = Told{How: a.A + a.B, Metadata: a.Metadata}
	return nil
}
func (Telling) Bare(a Bare, told *Told) error {
	*told = Told{How: "bare", Metadata: a.Metadata}
	return nil
}

// TestMetadata: it crosses with the call that it was attached to, and no other.
func TestMetadata(t *testing.T) {
	testkit.NoneLeft(t)
	a, _ := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: tellingServer(t)})
	ctx := viaduct.WithMetadata(t.Context(), map[string]string{"user": "ann", "trace": "\xff7"})
	ctx = viaduct.WithMetadata(ctx, map[string]string{"user": "bob"})
	want := map[string]string{"user": "bob", "trace": "\xff7"}
	tell := func(ctx context.Context, method string, args any) (told Told) {
		t.Helper()
		require.NoError(t, a.CallContext(ctx, method, args, &told))
		return told
	}
	require.Equal(t, want, tell(ctx, "Telling.Tell", FailArg{How: "x"}).Metadata)
	require.Nil(t, tell(t.Context(), "Telling.Tell", FailArg{How: "x"}).Metadata)
	require.Equal(t, want, tell(ctx, "Telling.Own", &OwnSetter{N: 1}).Metadata)
	require.Equal(t, Told{How: "ab", Metadata: want}, tell(ctx, "Telling.List", ListArg{A: "a", B: "b"}))
	require.Equal(t, Told{How: "bare", Metadata: want}, tell(ctx, "Telling.Bare", Bare{}))

	// Set in the argument, it is part of that; what is attached goes before.
	set := FailArg{Caller: viaduct.Caller{Metadata: map[string]string{"set": "1"}}}
	require.Equal(t, set.Metadata, tell(t.Context(), "Telling.Tell", set).Metadata)
	require.Equal(t, map[string]string{"set": "1", "user": "bob", "trace": "\xff7"}, tell(ctx, "Telling.Tell", set).Metadata)
	set.Metadata = map[string]string{"user": "eve"}
	require.Equal(t, want, tell(ctx, "Telling.Tell", set).Metadata)

	// Too much is refused, and nothing is sent.
	var body *viaduct.BodyError
	for _, many := range []map[string]string{{"k": strings.Repeat("x", 8192)}, manyPairs(257)} {
		err := a.CallContext(viaduct.WithMetadata(t.Context(), many), "Telling.Tell", FailArg{}, nil)
		require.ErrorAs(t, err, &body)
		require.ErrorContains(t, err, "at most 8192 in 256 were expected")
		require.ErrorAs(t, a.Notify(viaduct.WithMetadata(t.Context(), many), "Telling.Tell", FailArg{}), &body)
	}
	most := manyPairs(256)
	require.Equal(t, most, tell(viaduct.WithMetadata(t.Context(), most), "Telling.Tell", FailArg{}).Metadata)
	require.Nil(t, viaduct.Metadata(ctx), "it has not come with a call")
}

func manyPairs(n int) map[string]string {
	m := make(map[string]string)
	for i := range n {
		m[string(rune('a'+i%26))+string(rune('a'+i/26))] = strings.Repeat("v", 30)
	}
	return m
}

// TestMetadataElsewhere: to a peer that takes none it is an error, not lost.
func TestMetadataElsewhere(t *testing.T) {
	overLinks(t, nil, nil, func(t *testing.T, a, b *endpoint.Endpoint) {
		ctx := viaduct.WithMetadata(t.Context(), map[string]string{"user": "ann"})
		require.ErrorIs(t, a.CallContext(ctx, "Arith.Add", Args{1, 2}, nil), errors.ErrUnsupported)
		require.ErrorIs(t, a.Notify(ctx, "Arith.Add", Args{1, 2}), errors.ErrUnsupported)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		require.NoError(t, a.CallContext(ctx, "Arith.Add", Args{1, 2}, nil), "a deadline can be kept without")
	})
}

// TestDeadline: it crosses as what is left of it, ends the method's context without being told, and
// a call that comes after it is not begun.
func TestDeadlineCrosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCareful()
		g := newTurnstile()
		server := tellingServer(t, c, g)
		a, b := extendedPair(t, endpoint.Options{}, endpoint.Options{Server: server, MaxHandlers: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var told Told
		require.NoError(t, a.CallContext(ctx, "Telling.Tell", FailArg{}, &told))
		require.Equal(t, Told{Deadline: true, Left: 3 * time.Second}, told)
		require.NoError(t, a.Call("Telling.Tell", FailArg{}, &told))
		require.False(t, told.Deadline)
		require.NoError(t, a.Notify(ctx, "Careful.Look", Heeding{N: 1}), "there it bounds the sending alone")
		<-c.begun
		require.Equal(t, context.Canceled, <-c.ended)

		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, a.CallContext(ctx, "Turnstile.PassCaller", Numbered{N: 1}, nil))
		synctest.Wait()
		require.Equal(t, 1, b.Stats().Served.Running, "it does not heed its context")
		g.open <- struct{}{}
		synctest.Wait()
		require.Zero(t, b.Stats().Served.Running)
		a.Close()
		b.Close()
		b.Wait(t.Context())
	})
}

// TestDeadlineWithoutCancel: the method's context ends at the deadline, though nobody says that the
// caller has given up.
func TestDeadlineWithoutCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCareful()
		e, conn := plays(t, &endpoint.Options{Server: c.server(), Extended: true})
		begin := time.Now()
		writesHex(t, conn, "95 00 01 ac 43 61 72 65 66 75 6c 2e 57 61 69 74 91 c0 81 a7 74 69 6d 65 6f 75 74 ce 3b 9a ca 00") // Careful.Wait, one second
		require.Equal(t, 0, <-c.begun)
		require.Equal(t, context.DeadlineExceeded, <-c.ended)
		require.Equal(t, time.Second, time.Since(begin))
		batch(t, conn)
		conn.Close()
		e.Wait(t.Context())
	})
}

// TestLateCall: a call whose deadline is over when its turn comes is answered, and its method not
// begun. The caller is a script, which does not cancel.
func TestLateCall(t *testing.T) {
	synctest.Test(t, testLateCall) // some clocks are coarse
}

func testLateCall(t *testing.T) {
	g := newTurnstile()
	server := testkit.NewServer(nil)
	require.NoError(t, server.Register(g))
	e, conn := plays(t, &endpoint.Options{Server: server, Extended: true, MaxHandlers: 1})
	writesHex(t, conn, "94 00 01 ae 54 75 72 6e 73 74 69 6c 65 2e 50 61 73 73 91 01") // Turnstile.Pass
	require.Equal(t, 1, <-g.at)
	writesHex(t, conn, "95 00 02 ae 54 75 72 6e 73 74 69 6c 65 2e 50 61 73 73 91 02 81 a7 74 69 6d 65 6f 75 74 01") // "timeout": 1
	synctest.Wait()
	require.Equal(t, 1, e.Stats().Served.Waiting)
	time.Sleep(time.Nanosecond)
	g.open <- struct{}{}
	answers := batch(t, conn)
	for !strings.Contains(answers, "\xce\x00\x00\x00\x02") {
		answers += batch(t, conn)
	}
	require.Contains(t, answers, "deadline of the call was over before its method began")
	require.Zero(t, len(g.at))
}

// Turnstile is a service whose method says that it has begun, and returns one at a time.
type Turnstile struct {
	at   chan int
	open chan struct{}
}

func newTurnstile() *Turnstile {
	return &Turnstile{make(chan int, 100_000), make(chan struct{})}
}

func (g *Turnstile) Pass(n int, reply *int) error {
	g.at <- n
	<-g.open
	*reply = n
	return nil
}

// PassCaller is Pass with a context, which it does not heed.
func (g *Turnstile) PassCaller(a Numbered, reply *int) error { return g.Pass(a.N, reply) }

type Numbered struct {
	viaduct.Caller
	N int
}

// TestMalformedInfo: what is behind the params costs that call.
func TestMalformedInfo(t *testing.T) {
	e, conn := plays(t, &endpoint.Options{Server: tellingServer(t), Extended: true})
	for _, extra := range []string{
		"01",                               // no map
		"81 01 01",                         // a key that is no str
		"81 a7 74 69 6d 65 6f 75 74 a1 78", // "timeout": "x"
		"81 a7 74 69 6d 65 6f 75 74 ff",    // -1
		"81 a6 77 69 74 68 69 6e cf 00 00 00 01 00 00 00 00",         // "within" of 33 bits
		"81 a4 6d 65 74 61 91 01",                                    // "meta" is no map
		"81 a4 6d 65 74 61 81 a1 61 01",                              // its value no str
		"81 a4 6d 65 74 61 de 01 01" + strings.Repeat(" a0 a0", 257), // too many
	} {
		writesHex(t, conn, "95 00 05 ac 54 65 6c 6c 69 6e 67 2e 54 65 6c 6c 91 c0 "+extra) // Telling.Tell
		answer := batch(t, conn)
		require.Equal(t, "\x94\x01\xce\x00\x00\x00\x05\x82", answer[:8], "%s", extra)
		require.Contains(t, answer, "cannot decode what goes with the call of Telling.Tell")
	}
	// What is not known is passed over.
	writesHex(t, conn, "95 00 05 ac 54 65 6c 6c 69 6e 67 2e 54 65 6c 6c 91 c0 81 a1 78 92 01 02")
	require.Equal(t, "\x94\x01\xce\x00\x00\x00\x05\xc0", batch(t, conn)[:8])
	require.NoError(t, e.Err())
}

// batch returns what the other side writes at once.
func batch(t testing.TB, conn net.Conn) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := conn.Read(buf)
	require.NoError(t, err)
	return string(buf[:n])
}

func writesHex(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	require.NoError(t, err)
	writes(t, conn, string(b))
}
