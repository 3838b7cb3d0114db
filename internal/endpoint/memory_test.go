package endpoint_test

import (
	"net"
	"net/rpc"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Roomy takes a byte on the wire and 1,600 here.
type Roomy struct {
	A [200]int64 `msgpack:",omitempty"`
}

// Rooms is a service whose arguments take much when they are decoded.
type Rooms struct {
	began atomic.Int32
	gate  chan struct{}
}

// RoomArgs knows who calls.
type RoomArgs struct {
	viaduct.Caller
	List []Roomy
}

func (r *Rooms) Hold(list []Roomy, n *int) error {
	r.began.Add(1)
	<-r.gate
	*n = len(list)
	return nil
}

func (r *Rooms) Take(list []Roomy, n *int) error { *n = len(list); return nil }

// Back calls back, with as much again.
func (r *Rooms) Back(args RoomArgs, n *int) error {
	return viaductOf(args.Context()).CallContext(args.Context(), "R.Take", args.List, n)
}

// roomPair makes endpoints that each have 8 MiB for arguments, and the services.
func roomPair(t *testing.T) (a, b *endpoint.Endpoint, there *Rooms) {
	var opts [2]endpoint.Options
	var rooms [2]*Rooms
	for i := range opts {
		rooms[i] = &Rooms{gate: make(chan struct{})}
		opts[i] = endpoint.Options{Server: rpc.NewServer(), MaxHandlerBytes: 8 << 20}
		require.NoError(t, opts[i].Server.RegisterName("R", rooms[i]))
	}
	a, b = extendedPair(t, opts[0], opts[1])
	return a, b, rooms[1]
}

// TestDecodedMemory: small requests that take much memory are refused beyond a limit, and do not
// wait; what was taken is given back before the answer is sent.
func TestDecodedMemory(t *testing.T) {
	testkit.NoneLeft(t)
	a, b, there := roomPair(t)
	list := make([]Roomy, 500) // 1 MB decoded
	done := make(chan *rpc.Call, 100)
	var counts [100]int
	for i := range counts {
		a.Go("R.Hold", list, &counts[i], done)
	}
	for range counts[8:] {
		call := <-done
		require.ErrorIs(t, call.Error, viaduct.ErrOverload)
	}
	require.LessOrEqual(t, int(there.began.Load()), 8)
	var n int
	require.NoError(t, a.Call("R.Take", []Roomy{{}}, &n), "one that takes little")
	require.ErrorIs(t, a.Call("R.Take", list, &n), viaduct.ErrOverload)
	require.NoError(t, b.Call("R.Back", RoomArgs{List: list}, &n), "a nested call has a budget of its own")
	require.Equal(t, len(list), n)
	close(there.gate)
	for range 8 {
		if call := <-done; call.Error != nil { // one more may have been refused
			require.ErrorIs(t, call.Error, viaduct.ErrOverload)
		}
	}
	for range 100 {
		require.NoError(t, a.Call("R.Take", list, &n), "all of it is there again")
	}
}

// TestDecodedMemoryOfCodec: the codec alone has a limit as well.
func TestDecodedMemoryOfCodec(t *testing.T) {
	testkit.NoneLeft(t)
	rooms := &Rooms{gate: make(chan struct{})}
	server := rpc.NewServer()
	require.NoError(t, server.RegisterName("R", rooms))
	x, y := net.Pipe()
	go (&viaduct.Options{Server: server}).ServeConn(y)
	client := viaduct.NewClient(x)
	defer client.Close()
	var n int
	for range 3 {
		require.NoError(t, client.Call("R.Take", make([]Roomy, 400), &n))
		require.Equal(t, 400, n)
	}
	close(rooms.gate)
}

// TestLongMethodNames: they do not keep the message that they came in, nor come back whole.
func TestLongMethodNames(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	a, _, _ := roomPair(t)
	name := "R." + strings.Repeat("x", 3<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		err := a.Call(name, 1, nil)
		require.ErrorContains(t, err, "can't find")
		require.Less(t, len(err.Error()), 8<<10)
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(20*3*len(name)), "but for the message itself")
}
