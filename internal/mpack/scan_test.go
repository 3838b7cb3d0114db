package mpack

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// valueTests are whole values.
var valueTests = []string{
	"c0", "05", "e0", "c3", "cb 3f f0 00 00 00 00 00 00", "d3 80 00 00 00 00 00 00 00",
	"a0", "a3 61 62 63", "d9 03 61 62 63", "da 00 01 61", "db 00 00 00 02 61 62",
	"c4 00", "c4 02 00 ff", "c5 00 01 c1", "c6 00 00 00 01 c1",
	"d4 05 c1", "d8 05 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f", "c7 00 05", "c8 00 01 05 c1", "c9 00 00 00 01 05 c1",
	"90", "91 c0", "92 91 01 81 a1 61 90", "dc 00 02 01 02", "dd 00 00 00 01 c0",
	"80", "81 a1 61 01", "82 01 90 02 92 80 80", "de 00 01 01 02", "df 00 00 00 01 01 02",
	"94 00 ce 00 00 00 07 a1 6d 91 82 a1 41 01 a1 42 02",
}

func TestSkip(t *testing.T) {
	for _, s := range valueTests {
		t.Run(s, func(t *testing.T) {
			b := unhex(t, s)
			n, err := Skip(b, 10)
			require.NoError(t, err)
			require.Equal(t, len(b), n)
			require.NoError(t, Check(b, 10))
			more := append(b[:len(b):len(b)], 0xc1)
			n, err = Skip(more, 10)
			require.NoError(t, err, "what is behind it is not looked at")
			require.Equal(t, len(b), n)
			require.Equal(t, ErrTrailing, Check(more, 10))
			for n := range b {
				_, err := Skip(b[:n], 10)
				require.Equal(t, io.ErrUnexpectedEOF, err, "%d bytes of it", n)
			}
		})
	}
}

func TestSkipRefuses(t *testing.T) {
	for _, tt := range []struct {
		hex   string
		depth int
		err   error
	}{
		{"c1", 9, ErrReserved},
		{"92 01 c1", 9, ErrReserved},
		{"81 c1 01", 9, ErrReserved},
		{"90", 0, &TooDeepError{0}},
		{"80", 0, &TooDeepError{0}},
		{"91 90", 1, &TooDeepError{1}},
		{"92 01 91 91 c0", 2, &TooDeepError{2}},
		{"dd ff ff ff ff 00 00 00", 9, io.ErrUnexpectedEOF},
		{"df ff ff ff ff 00 00 00", 9, io.ErrUnexpectedEOF},
		{"df 80 00 00 00 00 00 00", 9, io.ErrUnexpectedEOF}, // doubles to 2^32
		{"c6 ff ff ff ff 00", 9, io.ErrUnexpectedEOF},
		{"c9 ff ff ff ff 00", 9, io.ErrUnexpectedEOF},
		{"92 dd 00 00 00 01 01", 9, io.ErrUnexpectedEOF},
	} {
		_, err := Skip(unhex(t, tt.hex), tt.depth)
		require.Equal(t, tt.err, err, "%s", tt.hex)
	}
	for _, s := range []string{"91 90", "92 90 90", "81 90 80", "93 90 91 c0 80"} {
		_, err := Skip(unhex(t, s), 2)
		require.NoError(t, err, "levels are closed again: %s", s)
	}
}

// nested returns depth arrays of one, around nil.
func nested(depth int) []byte {
	return append(bytes.Repeat([]byte{0x91}, depth), 0xc0)
}

func TestSkipDepth(t *testing.T) {
	require.NoError(t, Check(nested(1000), 1000))
	require.Equal(t, &TooDeepError{1000}, Check(nested(1001), 1000))
	require.Equal(t, &TooDeepError{1000}, Check(nested(1_200_000), 1000))
}

// TestSkipMemory: what lengths say takes no memory.
func TestSkipMemory(t *testing.T) {
	maps := bytes.Repeat([]byte{0xdf, 0x00, 0x00, 0x03, 0xe8}, 6553)
	for name, b := range map[string][]byte{"maps": maps, "arrays": nested(1_200_000)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.Error(t, Check(b, 1000), name)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), name)
	}
}

func TestFinder(t *testing.T) {
	for _, s := range valueTests {
		t.Run(s, func(t *testing.T) {
			b := append(unhex(t, s), 0xc1)
			whole := len(b) - 1
			var f Finder
			for n := range whole {
				got, err := f.Find(b[:n], 100)
				require.NoError(t, err)
				require.Zero(t, got, "%d bytes of it", n)
			}
			for range 2 {
				got, err := f.Find(b, 100)
				require.NoError(t, err)
				require.Equal(t, whole, got)
			}
			f.Reset()
			got, err := f.Find(b, whole)
			require.NoError(t, err)
			require.Equal(t, whole, got)
			f.Reset()
			_, err = f.Find(b, whole-1)
			require.Equal(t, &TooLongError{whole - 1}, err)
		})
	}
}

// TestFinderLooksOnce poisons what the Finder has looked at: heads of values
// that it would trip over if it came back to them.
func TestFinderLooksOnce(t *testing.T) {
	b := AppendArray(nil, 5000)
	for i := range 5000 {
		switch i % 3 {
		case 0:
			b = AppendUint(b, uint64(i))
		case 1:
			b = AppendString(b, "some text")
		default:
			b = append(b, nested(20)...)
		}
	}
	for _, chunk := range []int{1, 2, 7, 1000} {
		t.Run(fmt.Sprint(chunk), func(t *testing.T) {
			fed := make([]byte, 0, len(b))
			var f Finder
			looked := 0
			for len(fed) < len(b) {
				fed = append(fed, b[len(fed):min(len(fed)+chunk, len(b))]...)
				n, err := f.Find(fed, len(b))
				require.NoError(t, err)
				if len(fed) == len(b) {
					require.Equal(t, len(b), n)
				}
				require.GreaterOrEqual(t, f.pos, looked)
				for ; looked < f.pos; looked++ {
					fed[looked] = 0xc1
				}
				// A head that is not whole is all that may be looked at again.
				require.LessOrEqual(t, len(fed)-f.pos, 9)
			}
		})
	}
}

func TestFinderRefuses(t *testing.T) {
	for _, tt := range []struct {
		hex string
		max int
		err error
	}{
		{"c1", 100, ErrReserved},
		{"91 c1", 100, ErrReserved},
		{"c6 00 00 00 60", 100, &TooLongError{100}}, // 5 + 96
		{"c6 ff ff ff ff", 1 << 30, &TooLongError{1 << 30}},
		{"dd ff ff ff ff", 1 << 30, &TooLongError{1 << 30}},
		{"df ff ff ff ff", 1 << 30, &TooLongError{1 << 30}},
		{"dc 00 62", 100, &TooLongError{100}}, // 3 + 98
		{"dc 00 61 dc 00 01", 100, &TooLongError{100}},
		{"92 c4 61", 100, &TooLongError{100}}, // 1 + 2 + 97 and one more
		{"cf 00 00", 3, &TooLongError{3}},
	} {
		var f Finder
		_, err := f.Find(unhex(t, tt.hex), tt.max)
		require.Equal(t, tt.err, err, "%s", tt.hex)
	}
	for _, s := range []string{"c6 00 00 00 5f", "dc 00 61", "92 c4 60", "dd", "c9 00 00"} {
		var f Finder
		n, err := f.Find(unhex(t, s), 100)
		require.NoError(t, err, "%s", s)
		require.Zero(t, n)
	}
}

// TestFinderNeverExceeds: values of all lengths around the limit are found or refused
// by the limit alone, however they are cut.
func TestFinderNeverExceeds(t *testing.T) {
	for size := range 40 {
		b := binary.BigEndian.AppendUint16([]byte{0x92, 0xc5}, uint16(size))
		b = append(append(b, make([]byte, size)...), 0xcd, 1, 2)
		for _, max := range []int{len(b) - 3, len(b) - 1, len(b), len(b) + 1} {
			var f Finder
			var n int
			var err error
			for fed := 0; fed <= len(b) && n == 0 && err == nil; fed++ {
				n, err = f.Find(b[:fed], max)
			}
			if len(b) > max {
				require.Equal(t, &TooLongError{max}, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, len(b), n)
			}
		}
	}
}
