package endpoint_test

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net/rpc"
	"os"
	"sync"
	"testing"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type (
	chain struct {
		Next *chain
		V    int
	}
	outer struct {
		Name string
		In   chain
		Ptr  *chain
		List []int
		Map  map[string]any
	}
)

// scripted is a connection on which b comes in chunks; what goes out is dropped.
type scripted struct {
	rest   []byte
	chunk  int
	closed chan struct{}
	once   sync.Once
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.chunk, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error) { return len(p), nil }
func (s *scripted) Close() error                { s.once.Do(func() { close(s.closed) }); return nil }

// Any takes anything.
type Any struct{}

func (Any) V(_ any, reply *int) error            { *reply = 1; return nil }
func (Any) S(a outer, reply *outer) error        { *reply = a; return nil }
func (Any) B(a []byte, reply *[]byte) error      { *reply = a; return nil }
func (Any) L(a []chain, _ *map[string]any) error { return nil }

// FuzzStream: any bytes, in any chunks, to a server and to an endpoint.
func FuzzStream(f *testing.F) {
	add := func(b []byte) {
		f.Add(b, uint16(4096))
		if len(b) < 10_000 {
			f.Add(b, uint16(0))
			f.Add(b, uint16(2))
		}
	}
	var all []byte
	for _, hex := range []string{
		"94 00 05 a1 6d 91 07", "95 00 05 a1 6d 91 07 80", "93 02 a1 6d 91 07", "94 01 05 c0 07", "94 01 05 a2 6e 6f c0",
		"93 02 a8 24 2f 63 61 6e 63 65 6c 91 05",
	} {
		all = append(all, testkit.Unhex(f, hex)...)
		add(testkit.Unhex(f, hex))
	}
	add(all)
	for _, method := range []string{"Any.V", "Any.S", "Any.B", "Any.L", "Any.Nope"} {
		for _, b := range testkit.Hostile() {
			add(append(append(message.AppendRequest(nil, method), 0x91), b...))
			add(append(append(message.AppendNotification(nil, method), 0x91), b...))
		}
	}
	server := rpc.NewServer()
	if err := server.Register(Any{}); err != nil {
		f.Fatal(err)
	}
	log.SetOutput(io.Discard) // net/rpc says what it has been sent
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, params := range []string{"91 00", "92 00 94 d6 ff 00 00 00 01 00 a2 68 69 81 a1 6e 05", "92 02 c0"} {
		add(append(message.AppendNotification(nil, message.LogMethod), testkit.Unhex(f, params)...))
	}
	alone := &viaduct.Options{Server: server, MaxMessage: 4 << 20, MaxDepth: 100}
	opts := &endpoint.Options{Server: server, MaxMessage: 4 << 20, MaxDepth: 100, LogHandler: slog.NewJSONHandler(io.Discard, nil)}
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		conn := func() *scripted { return &scripted{rest: b, chunk: int(chunk) + 1, closed: make(chan struct{})} }
		alone.ServeConn(conn())

		client := alone.NewClient(conn())
		_ = client.Call("A.B", 1, nil) // ends with the stream
		client.Close()

		e := endpoint.NewEndpoint(conn(), nil, opts)
		_ = e.Call("A.B", 1, nil)
		<-e.Done()
		if n := e.Wait(context.Background()); n != 0 {
			t.Fatalf("%d left", n)
		}
	})
}
