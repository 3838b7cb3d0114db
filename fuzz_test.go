package viaduct

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"math"
	"net/rpc"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// hostile are bytes that have brought decoders down.
func hostile() [][]byte {
	return [][]byte{
		bytes.Repeat([]byte{0xdf, 0x00, 0x00, 0x03, 0xe8}, 6553),                // nested map32 heads
		append(bytes.Repeat([]byte{0x91}, 1_200_000), 0xc0),                     // a stack overflow
		append(bytes.Repeat([]byte{0x81, 0xa1, 'x'}, 2000), 0xc0),               // the same, below an unknown key
		append(bytes.Repeat([]byte{0x81, 0xa4, 'N', 'e', 'x', 't'}, 900), 0xc0), // a linked list
		{0xdd, 0xff, 0xff, 0xff, 0xff},                                          // lengths that lie
		{0xdf, 0xff, 0xff, 0xff, 0xff, 0x00},
		{0xc6, 0xff, 0xff, 0xff, 0xff, 0x00},
		{0x82, 0xa1, 'A', 0x01, 0xa1, 'B'}, // cut off before a field
		{0x82, 0xa4, 'N', 'a', 'm', 'e', 0xd9},
		{0x81, 0xa4, 'L', 'i', 's', 't', 0xc4, 0x01, 0x00},                              // bin where an array is due
		{0x91, 0xc4, 0x01, 0x78}, {0xa3, 'a', 'b', 'c'}, {0x81, 0xc4, 0x01, 0x00, 0x01}, // bin as a key
		{0x82, 0xa1, 'A', 0x01, 0xa1, 'A', 0x02},                                         // a field twice
		{0xd6, 0xff, 0, 0, 0, 1}, {0xc7, 0x0c, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, // timestamps
		{0xd7, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, {0xd5, 0xff, 0, 1}, // and what is none
		{0xd4, 71, 0}, {0xd4, 98, 1}, {0xc7, 0, 103}, {0xd7, 0x80, 0x3f, 0x80, 0, 0, 0, 0, 0, 0}, // the other ext values
		array32(1000, []byte{0x80}), // into large structs
		append([]byte{0x81, 0xa4, 'L', 'i', 's', 't'}, array32(1000, []byte{0x80})...), // the same, in a field
		{0xde, 0, 1, 0xda, 0, 2, 'I', 'n', 0x82, 0xa1, 'X', 1, 0xa1, 'X', 2},           // longer heads than needed
	}
}

func addBodies(f *testing.F) {
	for _, b := range hostile() {
		f.Add(b)
	}
	for _, v := range []any{1i, true, -1000, uint64(math.MaxUint64), float32(1.5), 1, "x", []byte("x"), []int{1}, map[string]int{"a": 1}, outer{Name: "n", Ptr: &inner{1, 2}}, [2]string{"a", "b"}, 1.5, time.Unix(1, 2)} {
		b, err := (*Options)(nil).appendBody(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		for n := range min(len(b), 4) { // whole, and cut off in some places
			f.Add(b[:len(b)-n*len(b)/4])
		}
	}
}

type chain struct {
	Next *chain
	V    int
}

// destinations are types to decode into.
var destinations = []reflect.Type{
	reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[float64](), reflect.TypeFor[string](),
	reflect.TypeFor[bool](), reflect.TypeFor[[]byte](), reflect.TypeFor[[]int](), reflect.TypeFor[[]string](),
	reflect.TypeFor[[2]string](), reflect.TypeFor[map[string]int](), reflect.TypeFor[map[int][]byte](), reflect.TypeFor[any](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[outer](), reflect.TypeFor[*outer](), reflect.TypeFor[[]inner](),
	reflect.TypeFor[chain](), reflect.TypeFor[time.Time](), reflect.TypeFor[io.Reader](), reflect.TypeFor[struct{ E error }](), reflect.TypeFor[chan int](),
}

// FuzzDecodeBody: no panic, and memory in proportion to the bytes.
func FuzzDecodeBody(f *testing.F) {
	addBodies(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := mpack.Check(b, 100) == nil
		for _, typ := range destinations {
			p, err := reflect.New(typ), error(nil)
			decode := func() { err = (&Options{MaxDepth: 100}).decodeBody(b, p.Interface()) }
			if len(b) <= 1000 {
				decode()
			} else if n := allocated(decode); float64(n) > garbage*float64(memoryFactor*len(b)+memoryBase) {
				t.Fatalf("%d bytes took %d of memory into %v", len(b), n, typ)
			}
			if err == nil && !whole {
				t.Fatalf("%x was decoded into %v", b, typ)
			}
		}
	})
}

// FuzzParseMessage: what is taken is within the bytes, and says what they say.
func FuzzParseMessage(f *testing.F) {
	for _, tt := range messageTests {
		f.Add(unhex(f, tt.hex))
	}
	for _, tt := range illegalTests {
		f.Add(unhex(f, tt.hex))
	}
	for _, b := range hostile() {
		f.Add(append([]byte{0x94, 0, 5, 0xa1, 'm', 0x91}, b...))
		f.Add(append([]byte{0x94, 1, 5}, b...))
		f.Add(append([]byte{0x95, 0, 5, 0xa1, 'm'}, b...))
	}
	for _, s := range []string{"c4 02 7b 7d", "c4 03 7b 7d", "c6 ff ff ff ff 7b", "c4 05 5b 31 2c 32 5d", "a2 7b 7d", "c0", ""} { // JSON in a bin, and not quite
		f.Add(append([]byte{0x94, 0, 5, 0xa1, 'm', 0x91}, unhex(f, s)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b, 100)
		if err != nil {
			if _, ok := err.(*ProtocolError); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if m.size != len(b) || len(m.method)+len(m.err)+len(m.body) > len(b) {
			t.Fatal("more than there is")
		}
		if m.kind == typeResponse {
			if text := errorText(m.checkedError(defaultMaxDepth)); (text == "") != (m.err == nil) {
				t.Fatalf("error %x is %q", m.err, text)
			}
			return
		}
		var v any
		_ = m.decodeArgument(&v, &Options{MaxDepth: 100, Encoding: JSON})
		if m.decodeArgument(&v, &Options{MaxDepth: 100}) == nil {
			again := mpack.AppendString([]byte{0x94, 0, 0xce, 0, 0, 0, 0}, string(m.method))
			if m.kind == typeNotification {
				again = mpack.AppendString([]byte{0x93, 2}, string(m.method))
			} else {
				setID(again, m.id)
			}
			m2, err := parseMessage(append(again, m.body...), 100)
			if err != nil || m2.id != m.id || m2.kind != m.kind || !bytes.Equal(m2.body, m.body) {
				t.Fatalf("%x written again is another message: %v", b, err)
			}
		}
	})
}

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
	for _, tt := range messageTests {
		all = append(all, unhex(f, tt.hex)...)
		add(unhex(f, tt.hex))
	}
	add(all)
	for _, method := range []string{"Any.V", "Any.S", "Any.B", "Any.L", "Any.Nope"} {
		for _, b := range hostile() {
			add(append(append(appendRequest(nil, method), 0x91), b...))
			add(append(append(appendNotification(nil, method), 0x91), b...))
		}
	}
	server := rpc.NewServer()
	if err := server.Register(Any{}); err != nil {
		f.Fatal(err)
	}
	log.SetOutput(io.Discard) // net/rpc says what it has been sent
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, test := range logParams {
		add(append(appendNotification(nil, logMethod), unhex(f, test.hex)...))
	}
	opts := &Options{Server: server, MaxMessage: 4 << 20, MaxDepth: 100, LogHandler: slog.NewJSONHandler(io.Discard, nil)}
	f.Fuzz(func(t *testing.T, b []byte, chunk uint16) {
		conn := func() *scripted { return &scripted{rest: b, chunk: int(chunk) + 1, closed: make(chan struct{})} }
		opts.ServeConn(conn())

		client := opts.NewClient(conn())
		_ = client.Call("A.B", 1, nil) // ends with the stream
		client.Close()

		e := NewEndpoint(conn(), nil, opts)
		_ = e.Call("A.B", 1, nil)
		<-e.Done()
		if n := e.Wait(context.Background()); n != 0 {
			t.Fatalf("%d left", n)
		}
	})
}
