package duplex

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

const streamExample = `
A  40 00 08 00 00 00 00 00 40 00 00 00 00 00 00 00   open 0: window 64, no offer
B  41 00 04 00 00 00 00 00 00 00 01 00               accept 0: window 65536
A  42 00 05 00 00 00 00 00 68 65 6c 6c 6f            data 0: "hello"
B  43 00 20 00 00 00 00 00 +32                       data 0: 32 bytes
A  44 00 04 00 00 00 00 00 20 00 00 00               credit 0: 32 bytes more, as they were read
A  46 00 00 00 00 00 00 00                           end 0
B  47 00 00 00 00 00 00 00                           end 0: it is forgotten
B  40 00 08 00 00 00 00 00 00 00 01 00 01 00 00 00   open 0 of B: what A has offered as 1
A  41 00 04 00 00 00 00 00 40 00 00 00               accept 0 of B: window 64
A  43 00 02 00 00 00 00 00 68 69                     data 0 of B: "hi", written before
B  48 00 00 00 00 00 00 00                           stop 0 of B: B reads no more
A  47 00 00 00 00 00 00 00                           end 0 of B: the answer
B  46 00 00 00 00 00 00 00                           end 0 of B: it is forgotten
A  33 00 00 00 00 00 00 00                           shutdown
A  34 00 00 00 01 00 00 00                           idle, having received one open
B  34 00 00 00 01 00 00 00                           idle, having received one open: A knows that all has arrived
A  32 00 00 00 00 00 00 00                           bye
`

// TestStreamExample plays the example, and finds it in the protocol's text.
func TestStreamExample(t *testing.T) {
	text, err := os.ReadFile("../docs/PROTOCOL.md")
	require.NoError(t, err)
	require.Contains(t, string(text), streamExample)

	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{StreamWindow: 64})
		p.out() // the windows
		play := player{p, stepsOf(streamExample)}
		next := func(from string) { t.Helper(); play.next(t, from) }
		opened := make(chan net.Conn, 1)
		go func() {
			s, _ := p.Open(t.Context())
			opened <- s
		}()
		next("A")
		next("B")
		s := <-opened
		_, err := s.Write([]byte("hello"))
		require.NoError(t, err)
		next("A")
		next("B")
		got := make([]byte, 32)
		_, err = io.ReadFull(s, got)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{0x61}, 32), got)
		require.NoError(t, s.(*Stream).CloseWrite())
		name, offered := p.Offer()
		require.EqualValues(t, 1, name)
		written := make(chan error, 1)
		go func() {
			_, err := offered.Write([]byte("hi"))
			written <- err
		}()
		next("A")
		next("B")
		require.NoError(t, <-written)
		next("A")
		next("B")
		next("A")
		next("B")
		shut := make(chan error, 1)
		go func() { shut <- p.Shutdown(context.Background()) }()
		next("A")
		next("B")
		next("A")
		p.raw.Close()
		require.NoError(t, <-shut)
		require.Empty(t, play.steps)
	})
}
