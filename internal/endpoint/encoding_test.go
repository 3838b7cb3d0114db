package endpoint_test

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/endpoint"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// backwards is JSON from right to left.
type backwards struct{}

func (backwards) Name() string { return "backwards" }

func (backwards) Append(b []byte, v any) ([]byte, error) {
	start := len(b)
	b, err := viaduct.JSON.Append(b, v)
	reverse(b[start:])
	return b, err
}

func (backwards) Decode(data []byte, v any) error {
	data = bytes.Clone(data)
	reverse(data)
	return viaduct.JSON.Decode(data, v)
}

func reverse(b []byte) {
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
}

// Parcel is what is sent in any encoding.
type Parcel struct {
	Name  string
	Sizes []int
	Parts map[string]*Parcel
	Data  []byte
}

type Post struct{}

func (Post) Send(p Parcel, reply *Parcel) error {
	*reply = p
	reply.Name += "!"
	return nil
}

func (Post) Peek(p *Parcel, n *int) error           { *n = len(p.Parts); return nil }
func (Post) Any(v any, reply *any) error            { *reply = v; return nil }
func (Post) Refuse(p Parcel, _ *Parcel) error       { return errors.New("no such street") }
func (Post) Params(p viaduct.Params, n *int) error  { *n = len(p); return nil }
func (Post) Place(p *Place, reply *string) error    { *reply = fmt.Sprint(p.Row, p.Column); return nil }
func (Post) Nothing(_ Parcel, reply **Parcel) error { *reply = nil; return nil }

type Place struct {
	viaduct.Positional
	Row, Column int
}

func postServer() *rpc.Server {
	s := rpc.NewServer()
	if err := s.Register(Post{}); err != nil {
		panic(err)
	}
	return s
}

var encodings = []viaduct.Encoding{nil, viaduct.MessagePack, viaduct.Gob, viaduct.JSON, backwards{}}

func encodingName(e viaduct.Encoding) string {
	if e == nil {
		return "default"
	}
	return e.Name()
}

// inner is what the layers below have for the default.
func inner(enc viaduct.Encoding) viaduct.Encoding {
	if enc == viaduct.MessagePack {
		return nil
	}
	return enc
}

// TestEncodings: calls work over any of them.
func TestEncodings(t *testing.T) {
	parcel := Parcel{"a", []int{1, 1 << 30}, map[string]*Parcel{"b": {Name: "c"}}, bytes.Repeat([]byte("x"), 140_000)}
	for _, enc := range encodings {
		t.Run(encodingName(enc), func(t *testing.T) {
			opts := &endpoint.Options{Server: postServer(), Encoding: inner(enc), MaxMessage: maxMessage, GoPeer: true}
			overLinksOpts(t, opts, opts, func(t *testing.T, a, _ *endpoint.Endpoint) {
				for range 2 { // what is kept from one serves the next
					var out Parcel
					require.NoError(t, a.Call("Post.Send", parcel, &out))
					out.Name = strings.TrimSuffix(out.Name, "!")
					require.Equal(t, parcel, out)
					n := 7
					require.NoError(t, a.Call("Post.Peek", &parcel, &n))
					require.Equal(t, 1, n)
					require.NoError(t, a.Call("Post.Peek", (*Parcel)(nil), &n))
					require.Zero(t, n)
					require.NoError(t, a.Call("Post.Peek", nil, &n))
				}
				require.EqualError(t, a.Call("Post.Refuse", parcel, nil), "no such street")
				require.Error(t, a.Call("Post.Peek", "text for a struct", nil))
				var out Parcel
				require.NoError(t, a.Call("Post.Send", parcel, nil))
				var text *strings.Builder
				var body *viaduct.BodyError
				require.ErrorAs(t, a.Call("Post.Send", parcel, text), &body, "nothing to decode into")
				require.ErrorAs(t, a.Call("Post.Send", make(chan int), &out), &body)
				var n int
				require.NoError(t, a.Call("Post.Params", viaduct.Params{1, "x"}, &n))
				require.Equal(t, 2, n)
				var place string
				require.NoError(t, a.Call("Post.Place", Place{Row: 3, Column: 4}, &place))
				require.Equal(t, "3 4", place)
				reply := &Parcel{Name: "kept"}
				require.NoError(t, a.Call("Post.Nothing", parcel, &reply))
				require.NoError(t, a.Err())
			})
			alone := &viaduct.Options{Server: postServer(), Encoding: enc}
			x, y := net.Pipe()
			go alone.ServeConn(y)
			client := alone.NewClient(x)
			defer client.Close()
			var out Parcel
			require.NoError(t, client.Call("Post.Send", parcel, &out))
			require.Equal(t, "a!", out.Name)
		})
	}
}

// TestEncodingsTogether: what is kept is for one goroutine at a time.
func TestEncodingsTogether(t *testing.T) {
	for _, enc := range encodings[1:] {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 200 {
					in := Parcel{Name: fmt.Sprint(i, n), Sizes: make([]int, n), Parts: map[string]*Parcel{fmt.Sprint(n): {}}}
					b, err := enc.Append([]byte("head"), &in)
					var out Parcel
					if err == nil {
						err = enc.Decode(b[len("head"):], &out)
					}
					if err != nil || out.Name != in.Name || len(out.Sizes) != n || len(out.Parts) != 1 {
						t.Errorf("%s: %v: %+v", enc.Name(), err, out)
						return
					}
				}
			})
		}
		all.Wait()
	}
}

// TestEncodingMismatch: a bare connection whose ends differ says so in each call.
func TestEncodingMismatch(t *testing.T) {
	for _, tt := range []struct {
		here, there viaduct.Encoding
		err         string
	}{
		{nil, viaduct.JSON, "MessagePack map, where a bin with json in it was expected: has the other side the same Options.Encoding?"},
		{viaduct.JSON, nil, "type mismatch: MessagePack bin into Go type"},
		{viaduct.JSON, viaduct.Gob, ""},
		{viaduct.Gob, viaduct.JSON, "invalid character"},
	} {
		x, y := net.Pipe()
		go (&viaduct.Options{Server: postServer(), Encoding: tt.there}).ServeConn(y)
		client := (&viaduct.Options{Encoding: tt.here}).NewClient(x)
		require.ErrorContains(t, client.Call("Post.Peek", Parcel{Name: "x"}, new(int)), tt.err)
		client.Close()
	}
}

// faulty is an Encoding of a user who has made a mistake.
type faulty struct {
	backwards
	append func([]byte) ([]byte, error)
	decode func() error
}

func (f faulty) Append(b []byte, _ any) ([]byte, error) { return f.append(b) }
func (f faulty) Decode([]byte, any) error               { return f.decode() }

func TestFaultyEncoding(t *testing.T) {
	good := func(b []byte) ([]byte, error) { return b, nil }
	for _, tt := range []struct {
		enc faulty
		err string
	}{
		{faulty{append: func([]byte) ([]byte, error) { return nil, nil }}, "encoding backwards did not append"},
		{faulty{append: func([]byte) ([]byte, error) { return make([]byte, 1000), nil }}, "encoding backwards did not append"},
		{faulty{append: func([]byte) ([]byte, error) { return nil, io.ErrShortWrite }}, "short write"},
		{faulty{append: func([]byte) ([]byte, error) { panic("my fault") }}, "panic while encoding: my fault"},
		{faulty{append: good, decode: func() error { panic("my fault") }}, "panic while decoding: my fault"},
		{faulty{append: good, decode: func() error { return io.ErrUnexpectedEOF }}, "truncated argument"},
	} {
		x, y := net.Pipe()
		opts := &viaduct.Options{Server: postServer(), Encoding: tt.enc}
		go opts.ServeConn(y)
		client := opts.NewClient(x)
		require.ErrorContains(t, client.Call("Post.Peek", Parcel{}, nil), tt.err)
		require.ErrorContains(t, client.Call("Post.Missing", nil, nil), "can't find method", "the link is as before")
		client.Close()
	}
}

type (
	Newer struct {
		A     int
		Extra any // the other side does not have it
		List  []Point
	}
	Older struct {
		A    int
		List []Point
	}
	Point struct{ X, Y int }
	Ring  struct {
		Next *Ring
		Any  any
	}
)

// TestGobEncoding: gob's own bytes, however much of it is kept between them.
func TestGobEncoding(t *testing.T) {
	gob.Register(Point{})
	gob.Register(Older{})
	point, list := Point{1, 2}, Older{3, []Point{{4, 5}}}
	for range 3 {
		for _, v := range []any{1, "x", point, &point, list, []Older{list}, map[string]Older{"a": list}, [2]int{1, 2}} {
			b, err := viaduct.Gob.Append(nil, v)
			require.NoError(t, err)
			var want bytes.Buffer
			require.NoError(t, gob.NewEncoder(&want).Encode(v))
			require.Equal(t, want.Bytes(), b, "%T", v)
		}
		// Values in interfaces bring definitions of their own.
		for _, extra := range []any{Point{6, 7}, list, nil, "text", Point{8, 9}} {
			b, err := viaduct.Gob.Append(nil, Newer{A: 1, Extra: extra, List: list.List})
			require.NoError(t, err)
			var newer Newer
			require.NoError(t, viaduct.Gob.Decode(b, &newer))
			require.Equal(t, extra, newer.Extra)
			var older Older
			require.NoError(t, viaduct.Gob.Decode(b, &older))
			require.Equal(t, Older{1, list.List}, older)
		}
	}
	b, err := viaduct.Gob.Append(nil, point)
	require.NoError(t, err)
	var out Point
	for n := range b {
		require.Error(t, viaduct.Gob.Decode(b[:n], &out))
	}
	require.Error(t, viaduct.Gob.Decode(append(bytes.Clone(b), 0), &out))
	require.Error(t, viaduct.Gob.Decode(append(bytes.Clone(b), b...), &out))
	require.NoError(t, viaduct.Gob.Decode(b, &out))
	require.Equal(t, point, out)

	ring := &Ring{}
	ring.Next = ring
	_, err = viaduct.Gob.Append(nil, ring)
	require.ErrorContains(t, err, "does the value contain itself?")
	_, err = viaduct.Gob.Append(nil, Ring{Any: []any{[]*Ring{ring}}})
	require.ErrorContains(t, err, "does the value contain itself?")
	deep := binary.AppendUvarint(nil, 1)
	require.Error(t, viaduct.Gob.Decode(deep, &ring))
}

// lazy is an Encoding that ends the goroutine it is called in, as t.FailNow does.
type lazy struct{ backwards }

func (lazy) Append(b []byte, v any) ([]byte, error) {
	if n, ok := v.(*int); ok && *n > 0 {
		runtime.Goexit()
	}
	return backwards{}.Append(b, v)
}

// TestGoexitInEncoding: the caller is answered all the same.
func TestGoexitInEncoding(t *testing.T) {
	here := &endpoint.Options{Server: postServer(), Encoding: backwards{}, MaxMessage: maxMessage}
	there := &endpoint.Options{Server: postServer(), Encoding: lazy{}, MaxMessage: maxMessage}
	x, y := testkit.Conns[0].Make(t)
	a, _ := endWithTest(t, endpoint.NewEndpoint(x, nil, here), endpoint.NewEndpoint(y, nil, there))
	require.ErrorContains(t, a.Call("Post.Peek", Parcel{Parts: map[string]*Parcel{"a": {}}}, new(int)), "runtime.Goexit")
	require.NoError(t, a.Call("Post.Peek", Parcel{}, new(int)))
}
