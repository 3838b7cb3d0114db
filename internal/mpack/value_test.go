package mpack

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppendHeads(t *testing.T) {
	for _, tt := range []struct {
		got []byte
		hex string
	}{
		{AppendNil(nil), "c0"},
		{AppendBool(nil, false), "c2"},
		{AppendBool(nil, true), "c3"},
		{AppendUint(nil, 0), "00"},
		{AppendUint(nil, 127), "7f"},
		{AppendUint(nil, 128), "cc 80"},
		{AppendUint(nil, 255), "cc ff"},
		{AppendUint(nil, 256), "cd 01 00"},
		{AppendUint(nil, 65535), "cd ff ff"},
		{AppendUint(nil, 65536), "ce 00 01 00 00"},
		{AppendUint(nil, math.MaxUint32), "ce ff ff ff ff"},
		{AppendUint(nil, math.MaxUint32+1), "cf 00 00 00 01 00 00 00 00"},
		{AppendUint(nil, math.MaxUint64), "cf ff ff ff ff ff ff ff ff"},
		{AppendArray(nil, 15), "9f"},
		{AppendArray(nil, 16), "dc 00 10"},
		{AppendArray(nil, 65535), "dc ff ff"},
		{AppendArray(nil, 65536), "dd 00 01 00 00"},
		{AppendMap(nil, 15), "8f"},
		{AppendMap(nil, 16), "de 00 10"},
		{AppendMap(nil, 65535), "de ff ff"},
		{AppendMap(nil, 65536), "df 00 01 00 00"},
		{AppendString(nil, ""), "a0"},
		{AppendString([]byte{1}, "ab"), "01 a2 61 62"},
		{AppendBin(nil, nil), "c4 00"},
		{AppendBin([]byte{1}, []byte{0xff}), "01 c4 01 ff"},
	} {
		require.Equal(t, unhex(t, tt.hex), tt.got)
	}
	for _, tt := range []struct {
		size     int
		str, bin string
	}{
		{31, "bf", "c4 1f"},
		{32, "d9 20", "c4 20"},
		{255, "d9 ff", "c4 ff"},
		{256, "da 01 00", "c5 01 00"},
		{65535, "da ff ff", "c5 ff ff"},
		{65536, "db 00 01 00 00", "c6 00 01 00 00"},
	} {
		s := strings.Repeat("x", tt.size)
		require.Equal(t, append(unhex(t, tt.str), s...), AppendString(nil, s))
		require.Equal(t, append(unhex(t, tt.bin), s...), AppendBin(nil, []byte(s)))
	}
}

func TestReadUint(t *testing.T) {
	for s, want := range map[string]uint64{
		"05": 5, "cc 05": 5, "cf 00 00 00 00 00 00 00 05": 5, "d0 05": 5, "d3 00 00 00 00 00 00 00 05": 5,
		"ce ff ff ff ff": math.MaxUint32, "cf ff ff ff ff ff ff ff ff": math.MaxUint64,
	} {
		n, rest, err := ReadUint(append(unhex(t, s), 0xaa))
		require.NoError(t, err, s)
		require.Equal(t, want, n, s)
		require.Equal(t, []byte{0xaa}, rest, s)
	}
	for s, want := range map[string]error{
		"":               io.ErrUnexpectedEOF,
		"cd 01":          io.ErrUnexpectedEOF,
		"ff":             &KindError{Uint, Int},
		"d0 80":          &KindError{Uint, Int},
		"a1 31":          &KindError{Uint, Str},
		"c0":             &KindError{Uint, Nil},
		"c3":             &KindError{Uint, Bool},
		"ca 00 00 00 00": &KindError{Uint, Float},
		"c1":             ErrReserved,
	} {
		_, _, err := ReadUint(unhex(t, s))
		require.Equal(t, want, err, s)
	}
	require.EqualError(t, &KindError{Uint, Str}, "msgpack: found str where uint was expected")
}

func TestReadBytes(t *testing.T) {
	b := unhex(t, "a2 61 62 c4 01 ff 90")
	s, rest, err := ReadString(b)
	require.NoError(t, err)
	require.Equal(t, "ab", string(s))
	require.Equal(t, 2, cap(s), "an append must not reach what is behind it")
	p, rest, err := ReadBin(rest)
	require.NoError(t, err)
	require.Equal(t, []byte{0xff}, p)
	require.Equal(t, 1, cap(p))
	require.Equal(t, []byte{0x90}, rest)

	for _, s := range []string{"", "a2 61", "d9", "d9 02 61", "db ff ff ff ff 61"} {
		_, _, err := ReadString(unhex(t, s))
		require.Equal(t, io.ErrUnexpectedEOF, err, s)
	}
	_, _, err = ReadString(unhex(t, "c4 01 61"))
	require.Equal(t, &KindError{Str, Bin}, err)
	_, _, err = ReadBin(unhex(t, "a1 61"))
	require.Equal(t, &KindError{Bin, Str}, err)
	_, _, err = ReadBin(unhex(t, "c6 ff ff ff ff 61"))
	require.Equal(t, io.ErrUnexpectedEOF, err)
}

func TestReadElems(t *testing.T) {
	n, rest, err := ReadArray(unhex(t, "92 01 02 03"))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Len(t, rest, 3)
	n, rest, err = ReadMap(unhex(t, "81 01 02 03"))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, rest, 3)
	for _, s := range []string{"", "92 01", "dc 00", "dd ff ff ff ff 00"} {
		_, _, err := ReadArray(unhex(t, s))
		require.Equal(t, io.ErrUnexpectedEOF, err, s)
	}
	for _, s := range []string{"82 01 02 03", "df ff ff ff ff 00", "df 80 00 00 00 00"} {
		_, _, err := ReadMap(unhex(t, s))
		require.Equal(t, io.ErrUnexpectedEOF, err, s)
	}
	_, _, err = ReadArray([]byte{0x80})
	require.Equal(t, &KindError{Array, Map}, err)
	_, _, err = ReadMap([]byte{0x90})
	require.Equal(t, &KindError{Map, Array}, err)
}

func TestText(t *testing.T) {
	for s, want := range map[string]string{
		"a3 61 62 63":                         "abc",
		"c4 02 68 69":                         "hi",
		"a0":                                  "",
		"c0":                                  "null",
		"c2":                                  "false",
		"c3":                                  "true",
		"05":                                  "5",
		"ff":                                  "-1",
		"cf ff ff ff ff ff ff ff ff":          "18446744073709551615",
		"ca 3f 80 00 00":                      "1",
		"cb 3f f8 00 00 00 00 00 00":          "1.5",
		"92 00 a9 6e 6f 20 22 73 75 63 68 22": `[0, "no \"such\""]`,
		"82 a1 61 01 a1 62 90":                `{"a": 1, "b": []}`,
		"d5 ff 01 02":                         "ext(-1, 0102)",
		"90":                                  "[]",
		"80":                                  "{}",
	} {
		got, err := Text(unhex(t, s))
		require.NoError(t, err)
		require.Equal(t, want, got, s)
	}
}

func TestTextIsBounded(t *testing.T) {
	big := AppendArray(nil, 50_000)
	big = append(big, bytes.Repeat([]byte{0x01}, 50_000)...)
	for name, b := range map[string][]byte{
		"many": big,
		"deep": nested(900),
		"long": append([]byte{0x91}, AppendString(nil, strings.Repeat("\x00", 100_000))...),
		"ext":  append([]byte{0x91, 0xc9, 0, 1, 0, 0, 5}, make([]byte, 65536)...),
	} {
		require.NoError(t, Check(b, 1000), name)
		text, err := Text(b)
		require.NoError(t, err, name)
		require.LessOrEqual(t, len(text), maxText+3, name)
		require.NotEmpty(t, text, name)
	}
}
