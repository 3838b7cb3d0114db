package link

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// half is a connection of which one half is of interest.
type half struct {
	io.Reader
	io.Writer
	closed int
}

func (h *half) Close() error { h.closed++; return nil }

// readAll reads messages until an error.
func readAll(r io.Reader, limit int) (msgs [][]byte, err error) {
	s := NewStream(&half{Reader: r}, limit)
	for {
		msg, err := s.ReadMessage()
		if err != nil {
			return msgs, err
		}
		msgs = append(msgs, msg)
	}
}

func TestStreamFindsMessages(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var want [][]byte
	var all []byte
	for range 400 {
		size := rng.IntN(40)
		switch rng.IntN(10) {
		case 0:
			size = rng.IntN(3 * streamBuffer)
		case 1:
			size = streamBuffer - 10 + rng.IntN(20)
		}
		msg := mpack.AppendArray(nil, 2)
		msg = mpack.AppendBin(msg, bytes.Repeat([]byte{byte(size)}, size))
		msg = mpack.AppendUint(msg, uint64(size))
		want = append(want, msg)
		all = append(all, msg...)
	}
	all = append(all, bytes.Repeat([]byte{0xc6, 0, 3, 0, 0}, 1)...)
	all = append(all, make([]byte, 3<<16)...)
	want = append(want, all[len(all)-5-3<<16:])
	for name, r := range map[string]io.Reader{
		"at once":     bytes.NewReader(all),
		"one by one":  iotest.OneByteReader(bytes.NewReader(all)),
		"by halves":   iotest.HalfReader(bytes.NewReader(all)),
		"error along": iotest.DataErrReader(bytes.NewReader(all)),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := readAll(r, 1<<20)
			require.Equal(t, io.EOF, err)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i], got[i], "message %d", i)
				require.Equal(t, len(got[i]), cap(got[i]), "an append must not reach the next message")
			}
		})
	}
}

// TestStreamMessagesAreOwned: writing into one does not change another.
func TestStreamMessagesAreOwned(t *testing.T) {
	one := mpack.AppendBin(nil, make([]byte, 100))
	big := mpack.AppendBin(nil, make([]byte, 3000))
	all := bytes.Repeat(append(one[:len(one):len(one)], big...), 20)
	s := NewStream(&half{Reader: bytes.NewReader(all)}, 1<<20)
	for {
		msg, err := s.ReadMessage()
		if err == io.EOF {
			return
		}
		require.NoError(t, err)
		for _, c := range msg[3:] {
			require.Zero(t, c)
		}
		for i := range msg {
			msg[i] = 0xc1
		}
	}
}

func TestStreamEnds(t *testing.T) {
	broken := errors.New("broken")
	whole := []byte{0x91, 0x01}
	for _, tt := range []struct {
		name  string
		input string
		end   error
		msgs  int
		err   error
	}{
		{"nothing", "", io.EOF, 0, io.EOF},
		{"between messages", "\x91\x01", io.EOF, 1, io.EOF},
		{"within a message", "\x91\x01\x91", io.EOF, 1, io.ErrUnexpectedEOF},
		{"broken", "\x91\x01\x91", broken, 1, broken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs, err := readAll(io.MultiReader(bytes.NewReader([]byte(tt.input)), iotest.ErrReader(tt.end)), 100)
			require.Equal(t, tt.err, err)
			require.Len(t, msgs, tt.msgs)
			for _, msg := range msgs {
				require.Equal(t, whole, msg)
			}
		})
	}
}

func TestStreamRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		cause     error
		text      string
	}{
		{"no MessagePack", "91 01 c1", mpack.ErrReserved, "viaduct: protocol error: unreadable message: msgpack: byte 0xc1 starts no value"},
		{"over the limit", "91 01 c5 00 fe", &mpack.TooLongError{Limit: 256}, "viaduct: protocol error: unreadable message: msgpack: value longer than the limit of 256 bytes"},
		{"a lie", "91 01 dd ff ff ff ff", &mpack.TooLongError{Limit: 256}, "limit of 256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			msgs, err := readAll(bytes.NewReader(testkit.Unhex(t, tt.hex)), 256)
			require.Len(t, msgs, 1)
			var perr *fault.ProtocolError
			require.ErrorAs(t, err, &perr)
			require.Equal(t, tt.cause, perr.Err)
			require.ErrorContains(t, err, tt.text)
		})
	}
	msgs, err := readAll(bytes.NewReader(append(testkit.Unhex(t, "c5 00 fd"), make([]byte, 253)...)), 256)
	require.Equal(t, io.EOF, err)
	require.Len(t, msgs, 1, "a message of just the limit passes")
}

func TestStreamWrites(t *testing.T) {
	var b bytes.Buffer
	s := NewStream(&half{Writer: &b}, 10)
	require.NoError(t, s.WriteMessage(make([]byte, 10)))
	require.Equal(t, 10, b.Len())
	require.Equal(t, &fault.SizeError{Size: 11, Limit: 10}, s.WriteMessage(make([]byte, 11)))
	require.Equal(t, 10, b.Len(), "no byte of it is sent")
	require.EqualError(t, &fault.SizeError{Size: 11, Limit: 10}, "viaduct: message of 11 bytes is over the limit of 10 bytes (MaxMessage of the side that takes it)")

	broken := errors.New("broken")
	s = NewStream(&half{Writer: iotest.TruncateWriter(&b, 0)}, 10)
	require.NoError(t, s.WriteMessage([]byte{1}))
	s = NewStream(&half{Writer: failingWriter{broken}}, 10)
	err := s.WriteMessage([]byte{1})
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "broken")
	require.True(t, IsWriteError(err))
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestStreamMemory: what is taken is in proportion to what has come, whatever
// the sizes and however they are cut.
func TestStreamMemory(t *testing.T) {
	small := bytes.Repeat([]byte{0x91, 0x01}, 200_000)
	// A long message makes the buffer large; many small ones lie behind it.
	behind := append(mpack.AppendBin(nil, make([]byte, 600_000)), small...)
	for _, tt := range []struct {
		name   string
		input  []byte
		factor int
	}{
		{"small ones", small, 40},
		{"small ones behind a large one", behind, 40},
		{"a lie", append([]byte{0xc6, 0x3f, 0xff, 0xff, 0xff}, make([]byte, 100_000)...), 8},
	} {
		for _, chunk := range []int{2, 1000, 1 << 20} {
			t.Run(fmt.Sprint(tt.name, " in ", chunk), func(t *testing.T) {
				r := &chunks{tt.input, chunk}
				s := NewStream(&half{Reader: r}, 1<<30)
				taken := testkit.Allocated(func() {
					for {
						if _, err := s.ReadMessage(); err != nil {
							return
						}
					}
				})
				require.Less(t, taken, uint64(tt.factor*len(tt.input)))
				if tt.name != "a lie" {
					require.LessOrEqual(t, cap(s.base), streamKeep, "an empty buffer must not stay large")
				}
			})
		}
	}
}

// TestStreamRetains: small messages kept do not keep more than themselves.
func TestStreamRetains(t *testing.T) {
	const n = 5000
	input := bytes.Repeat(mpack.AppendBin(nil, make([]byte, 30)), n)
	for _, chunk := range []int{32, 100, 1 << 20} {
		s := NewStream(&half{Reader: &chunks{input, chunk}}, 1<<20)
		kept := make([][]byte, 0, n)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			msg, err := s.ReadMessage()
			require.NoError(t, err)
			kept = append(kept, msg)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(3*len(input)), "in chunks of %d", chunk)
		runtime.KeepAlive(kept)
	}
}

// chunks is a reader that gives a few bytes at a time.
type chunks struct {
	rest []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.size, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}
