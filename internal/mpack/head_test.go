package mpack

import (
	"encoding/hex"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// unhex turns hex with spaces into bytes.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

const (
	minInt32 = uint64(1<<64 - 1<<31)
	minInt64 = uint64(1 << 63)
)

// headTests has every format, with the bounds of those that are families.
var headTests = []struct {
	hex  string
	want Head
}{
	{"00", Head{Kind: Uint, Size: 1}},
	{"7f", Head{Kind: Uint, Size: 1, Num: 127}},
	{"80", Head{Kind: Map, Size: 1}},
	{"8f", Head{Kind: Map, Size: 1, Elems: 30}},
	{"90", Head{Kind: Array, Size: 1}},
	{"9f", Head{Kind: Array, Size: 1, Elems: 15}},
	{"a0", Head{Kind: Str, Size: 1}},
	{"bf", Head{Kind: Str, Size: 1, Bytes: 31}},
	{"c0", Head{Kind: Nil, Size: 1}},
	{"c2", Head{Kind: Bool, Size: 1}},
	{"c3", Head{Kind: Bool, Size: 1, Num: 1}},
	{"c4 ff", Head{Kind: Bin, Size: 2, Bytes: 255}},
	{"c5 ff fe", Head{Kind: Bin, Size: 3, Bytes: 65534}},
	{"c6 ff ff ff fe", Head{Kind: Bin, Size: 5, Bytes: math.MaxUint32 - 1}},
	{"c7 ff 80", Head{Kind: Ext, Size: 3, Bytes: 255, Num: 0x80}},
	{"c8 01 02 7f", Head{Kind: Ext, Size: 4, Bytes: 258, Num: 0x7f}},
	{"c9 01 02 03 04 05", Head{Kind: Ext, Size: 6, Bytes: 0x01020304, Num: 5}},
	{"ca 3f 80 00 00", Head{Kind: Float, Size: 5, Num: 0x3f800000}},
	{"cb 3f f0 00 00 00 00 00 00", Head{Kind: Float, Size: 9, Num: 0x3ff0000000000000}},
	{"cc ff", Head{Kind: Uint, Size: 2, Num: 255}},
	{"cd ff fe", Head{Kind: Uint, Size: 3, Num: 65534}},
	{"ce ff ff ff fe", Head{Kind: Uint, Size: 5, Num: math.MaxUint32 - 1}},
	{"cf ff ff ff ff ff ff ff fe", Head{Kind: Uint, Size: 9, Num: math.MaxUint64 - 1}},
	{"d0 7f", Head{Kind: Int, Size: 2, Num: 127}},
	{"d0 ff", Head{Kind: Int, Size: 2, Num: math.MaxUint64}},
	{"d1 ff fe", Head{Kind: Int, Size: 3, Num: math.MaxUint64 - 1}},
	{"d2 80 00 00 00", Head{Kind: Int, Size: 5, Num: minInt32}},
	{"d3 80 00 00 00 00 00 00 00", Head{Kind: Int, Size: 9, Num: minInt64}},
	{"d4 01", Head{Kind: Ext, Size: 2, Bytes: 1, Num: 1}},
	{"d5 01", Head{Kind: Ext, Size: 2, Bytes: 2, Num: 1}},
	{"d6 01", Head{Kind: Ext, Size: 2, Bytes: 4, Num: 1}},
	{"d7 01", Head{Kind: Ext, Size: 2, Bytes: 8, Num: 1}},
	{"d8 ff", Head{Kind: Ext, Size: 2, Bytes: 16, Num: 255}},
	{"d9 ff", Head{Kind: Str, Size: 2, Bytes: 255}},
	{"da 01 02", Head{Kind: Str, Size: 3, Bytes: 258}},
	{"db 01 02 03 04", Head{Kind: Str, Size: 5, Bytes: 0x01020304}},
	{"dc 01 02", Head{Kind: Array, Size: 3, Elems: 258}},
	{"dd ff ff ff ff", Head{Kind: Array, Size: 5, Elems: math.MaxUint32}},
	{"de 01 02", Head{Kind: Map, Size: 3, Elems: 516}},
	{"df ff ff ff ff", Head{Kind: Map, Size: 5, Elems: 2 * math.MaxUint32}},
	{"e0", Head{Kind: Int, Size: 1, Num: 1<<64 - 32}},
	{"ff", Head{Kind: Int, Size: 1, Num: math.MaxUint64}},
}

func TestReadHead(t *testing.T) {
	for _, tt := range headTests {
		t.Run(tt.hex, func(t *testing.T) {
			b := unhex(t, tt.hex)
			for _, behind := range []string{"", "\x00", "\xff\xff"} {
				h, err := ReadHead(append(b[:len(b):len(b)], behind...))
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(tt.want, h))
			}
			for n := range b {
				_, err := ReadHead(b[:n])
				require.Equal(t, io.ErrUnexpectedEOF, err, "%d bytes of it", n)
			}
		})
	}
}

// TestReadHeadEveryByte: each first byte is a format but one, and its head's
// size depends on nothing else.
func TestReadHeadEveryByte(t *testing.T) {
	seen := make(map[byte]bool)
	for _, tt := range headTests {
		seen[unhex(t, tt.hex)[0]] = true
	}
	for c := range 256 {
		b := append([]byte{byte(c)}, make([]byte, 9)...)
		h, err := ReadHead(b)
		if c == 0xc1 {
			require.Equal(t, ErrReserved, err)
			continue
		}
		require.NoError(t, err, "%#x", c)
		if c >= 0xc0 && c < 0xe0 {
			require.True(t, seen[byte(c)], "%#x is not in the table", c)
			continue
		}
		require.Equal(t, 1, h.Size, "%#x", c)
	}
}

func TestKindString(t *testing.T) {
	require.Equal(t, "array", Array.String())
	require.Equal(t, "Kind(0)", Kind(0).String())
	require.Equal(t, "Kind(200)", Kind(200).String())
}
