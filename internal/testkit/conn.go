package testkit

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/duplex"
)

// Conns are the kinds of connection that everything must work on, each with
// the two ends of one.
var Conns = []struct {
	Name string
	Make func(t testing.TB) (x, y io.ReadWriteCloser)
}{
	{"net.Pipe", func(testing.TB) (x, y io.ReadWriteCloser) { return net.Pipe() }},
	{"TCP", TCPPair},
	{"os.Pipe", func(t testing.TB) (x, y io.ReadWriteCloser) {
		r1, w1, err := os.Pipe()
		require.NoError(t, err)
		r2, w2, err := os.Pipe()
		require.NoError(t, err)
		return &files{r1, w2}, &files{r2, w1}
	}},
}

func TCPPair(t testing.TB) (x, y io.ReadWriteCloser) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	x, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	y, err = l.Accept()
	require.NoError(t, err)
	return x, y
}

// files is one end of two pipes.
type files struct{ r, w *os.File }

func (f *files) Read(p []byte) (int, error)  { return f.r.Read(p) }
func (f *files) Write(p []byte) (int, error) { return f.w.Write(p) }
func (f *files) Close() error                { return errors.Join(f.w.Close(), f.r.Close()) }

// DuplexPair returns the two ends of a duplex on x and y.
func DuplexPair(t testing.TB, x, y io.ReadWriteCloser, opts *duplex.Options) (a, b *duplex.Conn) {
	a, b = duplex.New(x, opts), duplex.New(y, opts)
	t.Cleanup(func() {
		a.Close()
		b.Close()
		a.Wait()
		b.Wait()
	})
	return a, b
}

// OverConns runs f over every kind of connection and over lanes, with the two ends
// for a client and a server.
func OverConns(t *testing.T, f func(t *testing.T, client, server io.ReadWriteCloser)) {
	for _, c := range Conns {
		t.Run(c.Name, func(t *testing.T) {
			NoneLeft(t)
			x, y := c.Make(t)
			t.Cleanup(func() { x.Close(); y.Close() })
			f(t, x, y)
		})
		t.Run("lanes over "+c.Name, func(t *testing.T) {
			NoneLeft(t)
			x, y := c.Make(t)
			a, b := DuplexPair(t, x, y, &duplex.Options{MaxMessage: 1 << 20})
			f(t, a.ClientLane(), b.ServerLane())
		})
	}
}
