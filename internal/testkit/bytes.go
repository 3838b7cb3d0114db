package testkit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Hostile are bytes that have brought decoders down.
func Hostile() [][]byte {
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
		Array32(1000, []byte{0x80}), // into large structs
		append([]byte{0x81, 0xa4, 'L', 'i', 's', 't'}, Array32(1000, []byte{0x80})...), // the same, in a field
		{0xde, 0, 1, 0xda, 0, 2, 'I', 'n', 0x82, 0xa1, 'X', 1, 0xa1, 'X', 2},           // longer heads than needed
	}
}

func Array32(n int, elem []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n)), bytes.Repeat(elem, n)...)
}

// Unhex turns hex with spaces into bytes.
func Unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// Allocs is AllocsPerRun where that says something.
func Allocs(t *testing.T, most float64, what string, f func()) {
	t.Helper()
	if RaceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	require.LessOrEqual(t, testing.AllocsPerRun(500, f), most, what)
}

func Allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
