package duplex

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// streamPair opens a stream over a link.
func streamPair(t testing.TB, a, b *Conn) (x, y *Stream) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := b.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	c, err := a.Open(t.Context())
	require.NoError(t, err)
	return c.(*Stream), (<-accepted).(*Stream)
}

func TestStreamEcho(t *testing.T) {
	overPipes(t, nil, func(t *testing.T, a, b *Conn) {
		x, y := streamPair(t, a, b)
		want := body(1, 10<<20)
		go func() {
			io.Copy(y, y)
			y.CloseWrite()
		}()
		go func() {
			x.Write(want)
			x.CloseWrite()
		}()
		got, err := io.ReadAll(x)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
		require.NoError(t, x.Close())
		require.NoError(t, y.Close())
	})
}

// TestStreamPrinted: it names itself, and nothing of its state is looked at.
func TestStreamPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := pair(t, nil)
		x, y := streamPair(t, a, b)
		require.Equal(t, "viaduct opener-0->acceptor-0", fmt.Sprint(x))
		require.Equal(t, "viaduct acceptor-0->opener-0", fmt.Sprintf("%v", y))
	})
}
