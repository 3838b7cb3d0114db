package mpack

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// pairsTests are maps for EachPair with a limit of two levels, and what it says of them.
var pairsTests = []struct {
	name, hex string
	pairs     []string // keys and values, these as hex
	rest      string
	err       error  // its text is in that of the error
	text      string // this is, too
}{
	{name: "empty", hex: "80"},
	{name: "empty, more behind it", hex: "80 c1", rest: "c1"},
	{name: "one pair", hex: "81 a1 61 01", pairs: []string{"a", "01"}},
	{name: "several", hex: "83 a1 61 c0 a0 92 01 90 a1 61 a1 62 07 08", pairs: []string{"a", "c0", "", "92 01 90", "a", "a1 62"}, rest: "07 08"},
	{name: "wider heads", hex: "df 00 00 00 01 d9 01 61 dc 00 01 05", pairs: []string{"a", "dc 00 01 05"}},
	{name: "as deep as may be", hex: "81 a1 61 91 91 01", pairs: []string{"a", "91 91 01"}},
	{name: "too deep", hex: "82 a1 61 01 a1 62 91 91 91 01", pairs: []string{"a", "01"}, err: &TooDeepError{2}, text: `value of "b"`},
	{name: "no map", hex: "91 01", err: &KindError{Map, Array}},
	{name: "nothing", hex: "", err: io.ErrUnexpectedEOF},
	{name: "more pairs than bytes", hex: "df ff ff ff ff a0 c0", err: io.ErrUnexpectedEOF},
	{name: "a key that is no str", hex: "82 a1 61 01 05 06", pairs: []string{"a", "01"}, err: &KindError{Str, Uint}, text: "a key of the map"},
	{name: "a key cut short", hex: "81 a3 61 62", err: io.ErrUnexpectedEOF, text: "a key of the map"},
	{name: "a value cut short", hex: "81 a1 61 a3 62", err: io.ErrUnexpectedEOF, text: `value of "a"`},
	{name: "a value missing", hex: "82 a1 61 01 a1 62", pairs: []string{"a", "01"}, err: io.ErrUnexpectedEOF, text: `value of "b"`},
	{name: "a value that is none", hex: "81 a1 61 c1", err: ErrReserved, text: `value of "a"`},
}

func TestEachPair(t *testing.T) {
	for _, tt := range pairsTests {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(t, tt.hex)
			i := 0
			rest, err := EachPair(b, 2, func(key, value []byte) error {
				require.Less(t, i, len(tt.pairs))
				require.Equal(t, tt.pairs[i], string(key))
				require.Equal(t, unhex(t, tt.pairs[i+1]), value)
				require.Equal(t, len(value), cap(value), "appending would write over what follows")
				i += 2
				return nil
			})
			require.Equal(t, len(tt.pairs), i)
			if tt.err == nil {
				require.NoError(t, err)
				require.Equal(t, unhex(t, tt.rest), rest)
				return
			}
			require.ErrorContains(t, err, tt.err.Error())
			require.ErrorContains(t, err, tt.text)
			require.Nil(t, rest)
		})
	}
}

// TestEachPairStops: an error of the function ends it and is returned as it is.
func TestEachPairStops(t *testing.T) {
	stop, calls := errors.New("enough"), 0
	_, err := EachPair(unhex(t, "82 a1 61 01 a1 62 02"), 2, func(key, value []byte) error {
		calls++
		return stop
	})
	require.Equal(t, stop, err)
	require.Equal(t, 1, calls)
}

// TestEachPairAllocs: a reader of a link calls it for each message.
func TestEachPairAllocs(t *testing.T) {
	b := unhex(t, "83 a1 61 01 a1 62 91 91 c0 a1 63 a1 64")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		var a uint64
		var c []byte
		_, err := EachPair(b, 8, func(key, value []byte) (err error) {
			switch string(key) {
			case "a":
				a, _, err = ReadUint(value)
			case "c":
				c = value
			}
			return err
		})
		if err != nil || a != 1 || len(c) != 2 {
			t.Fatal(a, c, err)
		}
	}))
}

// FuzzEachPair: whatever comes, it gives whole values alone, and ends where Skip says the map does.
func FuzzEachPair(f *testing.F) {
	addSeeds(f)
	for _, tt := range pairsTests {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const depth = 50
		var again []byte
		n := 0
		rest, err := EachPair(b, depth, func(key, value []byte) error {
			if err := Check(value, depth); err != nil {
				t.Fatalf("value %x: %v", value, err)
			}
			again = append(AppendString(again, string(key)), value...)
			n++
			return nil
		})
		if err != nil {
			return
		}
		size, err := Skip(b, depth+1)
		if err != nil || size != len(b)-len(rest) {
			t.Fatalf("the map ends at %d, Skip = %d, %v", len(b)-len(rest), size, err)
		}
		again = append(AppendMap(nil, n), again...)
		if rest, err := EachPair(again, depth, func(key, value []byte) error { n--; return nil }); err != nil || len(rest) > 0 || n != 0 {
			t.Fatalf("written again: %x, %v, %d pairs too few", rest, err, n)
		}
	})
}
