package viaduct

import (
	"context"
	"net/rpc"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// allocs is AllocsPerRun where that says something.
func allocs(t *testing.T, most float64, what string, f func()) {
	t.Helper()
	if raceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	require.LessOrEqual(t, testing.AllocsPerRun(500, f), most, what)
}

func TestAllocs(t *testing.T) {
	small := goldenArgs{1, 2}
	p := &small
	allocs(t, 2, "encodeRequest: those of msgpack", func() {
		msg, err := (*Options)(nil).encodeRequest("Arith.Add", p)
		if err != nil {
			t.Fatal(err)
		}
		putBuffer(msg)
	})
	data := make([]byte, 100)
	allocs(t, 1, "encodeRequest of bytes: the interface", func() {
		msg, _ := (*Options)(nil).encodeRequest("Arith.Add", data)
		putBuffer(msg)
	})
	request := unhex(t, "94 00 05 a9 41 72 69 74 68 2e 41 64 64 91 82 a1 41 01 a1 42 02")
	allocs(t, 0, "parseMessage", func() { _, _ = parseMessage(request, 100) })
	reply := unhex(t, "94 01 05 c0 07")
	allocs(t, 0, "parseMessage of a reply", func() { _, _ = parseMessage(reply, 100) })
	m, err := parseMessage(request, 100)
	require.NoError(t, err)
	allocs(t, 3, "decodeArgument", func() {
		if err := m.decodeArgument(p, &Options{MaxDepth: 100}); err != nil {
			t.Fatal(err)
		}
	})
	var b []byte
	bytesBody := unhex(t, "c4 02 61 62")
	allocs(t, 0, "decodeBody of bytes", func() { _ = (&Options{MaxDepth: 100}).decodeBody(bytesBody, &b) })
	e := &Endpoint{}
	allocs(t, 0, "a pending call", func() { e.pending.put(e.pending.get()) })
}

// TestBubbles: nothing made in a bubble of testing/synctest is used outside, or
// in another.
func TestBubbles(t *testing.T) {
	server := rpc.NewServer()
	require.NoError(t, server.Register(Passing{}))
	call := func(t *testing.T) {
		a, b := barePair(nil, &Options{Server: server})
		for range 10 {
			require.NoError(t, a.Call("Passing.Pass", 1, nil))
		}
		client := a.Client()
		require.NoError(t, client.Call("Passing.Pass", 1, nil))
		require.NoError(t, (<-a.Go("Passing.Pass", 1, nil, make(chan *rpc.Call, 1)).Done).Error)
		client.Close()
		a.Close()
		require.Zero(t, b.Wait(context.Background()))
		require.Zero(t, a.Wait(context.Background()))
	}
	for range 5 {
		synctest.Test(t, call)
		call(t)
	}
}

// Passing is a service.
type Passing struct{}

func (Passing) Pass(n int, reply *int) error { *reply = n; return nil }
