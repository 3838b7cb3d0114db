package listing

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// example is the listing that PROTOCOL.md shows, and its bytes.
var example = &Listing{
	Methods: []Method{{Name: "Arith.Add", Arg: "m.Args", Reply: "int"}},
	Types: []Type{{Name: "m.Args", Fields: []Field{
		{Name: "A", Type: "int", Doc: "one"}, {Name: "B", Type: "int"},
	}}},
}

var exampleLines = []string{
	"82 a7 6d 65 74 68 6f 64 73 91 83 a4 6e 61 6d 65 a9 41 72 69 74 68 2e 41 64 64 a3 61 72 67 a6 6d 2e 41 72 67 73 a5 72 65 70 6c 79 a3 69 6e 74",
	"a5 74 79 70 65 73 91 83 a4 6e 61 6d 65 a6 6d 2e 41 72 67 73 aa 70 6f 73 69 74 69 6f 6e 61 6c c2 a6 66 69 65 6c 64 73 92",
	"83 a4 6e 61 6d 65 a1 41 a4 74 79 70 65 a3 69 6e 74 a3 64 6f 63 a3 6f 6e 65 82 a4 6e 61 6d 65 a1 42 a4 74 79 70 65 a3 69 6e 74",
}

func TestExample(t *testing.T) {
	golden := testkit.Unhex(t, strings.Join(exampleLines, ""))
	b, err := Append([]byte("before"), example)
	require.NoError(t, err)
	require.Equal(t, append([]byte("before"), golden...), b)
	l, err := Parse(golden)
	require.NoError(t, err)
	require.Equal(t, example, l)
	text, err := os.ReadFile("../../docs/PROTOCOL.md")
	require.NoError(t, err)
	require.Contains(t, string(text), strings.Join(exampleLines, "\n"))
}

// listingTests are listings on the wire, and what they say, or what is wrong with them.
var listingTests = []struct {
	hex  string
	want *Listing
	err  string
}{
	{hex: "80", want: &Listing{}},
	{hex: "81 a1 78 91 c0", want: &Listing{}}, // a key of later
	{hex: "82 a5 74 79 70 65 73 90 a7 6d 65 74 68 6f 64 73 dc 00 01 de 00 02 a1 78 80 a4 6e 61 6d 65 d9 01 6d", want: &Listing{Methods: []Method{{Name: "m"}}}},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 83 a4 6e 61 6d 65 a1 6d a3 64 6f 63 a1 64 a5 6e 6f 74 65 73 92 a1 6e a0",
		want: &Listing{Methods: []Method{{Name: "m", Doc: "d", Notes: []string{"n", ""}}}}},
	{hex: "81 a5 74 79 70 65 73 91 82 a4 6e 61 6d 65 a1 74 a2 69 73 a4 74 65 78 74", want: &Listing{Types: []Type{{Name: "t", Is: "text"}}}},
	{hex: "81 a5 74 79 70 65 73 91 82 a4 6e 61 6d 65 a1 74 aa 70 6f 73 69 74 69 6f 6e 61 6c c3", want: &Listing{Types: []Type{{Name: "t", Positional: true}}}},
	{hex: "", err: "unexpected EOF"},
	{hex: "90", err: "found array where map was expected"},
	{hex: "80 80", err: "left over"},
	{hex: "81 a7 6d 65 74 68 6f 64 73", err: "unexpected EOF"},
	{hex: "81 a7 6d 65 74 68 6f 64 73 80", err: `"methods": msgpack: found map where array was expected`},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 90", err: `"methods": msgpack: found array where map was expected`},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 80", err: `"methods": one has no name`},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 81 a4 6e 61 6d 65 a0", err: `"methods": one has no name`},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 81 a4 6e 61 6d 65 01", err: `"methods": "name": msgpack: found uint where str was expected`},
	{hex: "81 a7 6d 65 74 68 6f 64 73 91 82 a4 6e 61 6d 65 a1 6d a5 6e 6f 74 65 73 91 01", err: `"notes": msgpack: found uint where str was expected`},
	{hex: "81 a5 74 79 70 65 73 91 80", err: `"types": one has no name`},
	{hex: "81 a5 74 79 70 65 73 91 81 aa 70 6f 73 69 74 69 6f 6e 61 6c 01", err: `"positional": msgpack: found uint where bool was expected`},
	{hex: "81 a5 74 79 70 65 73 91 82 a4 6e 61 6d 65 a1 74 a6 66 69 65 6c 64 73 91 80", err: `"fields": one has no name`},
	{hex: "81 a1 78" + strings.Repeat("91", 17) + "c0", err: "nested deeper"},
	{hex: "81 01 c0", err: "a key of the map"},
}

func TestParse(t *testing.T) {
	for _, tt := range listingTests {
		l, err := Parse(testkit.Unhex(t, tt.hex))
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err, tt.hex)
			require.Nil(t, l)
			continue
		}
		require.NoError(t, err, tt.hex)
		require.Equal(t, tt.want, l, tt.hex)
	}
}

// TestBounds: a listing that is too much is neither sent nor taken.
func TestBounds(t *testing.T) {
	many := &Listing{Methods: make([]Method, maxEntries)}
	for i := range many.Methods {
		many.Methods[i].Name = "m"
	}
	b, err := Append(nil, many)
	require.NoError(t, err)
	_, err = Parse(b)
	require.NoError(t, err)
	many.Methods[0].Notes = []string{"one more"}
	b, err = Append(nil, many)
	require.ErrorIs(t, err, errNotListed)
	require.ErrorContains(t, err, "65537 methods")
	require.Empty(t, b)
	b = append(mpack.AppendString(append(b, 0x81), "methods"), testkit.Array32(maxEntries+1, []byte{0xc0})...)
	_, err = Parse(b)
	require.ErrorContains(t, err, "more than 65536")

	long := strings.Repeat("ä", maxText)
	b, err = Append(nil, &Listing{Methods: []Method{{Name: "m", Doc: "x" + long, Notes: []string{long}}}})
	require.NoError(t, err)
	l, err := Parse(b)
	require.NoError(t, err)
	require.True(t, utf8.ValidString(l.Methods[0].Doc))
	require.Equal(t, "x"+long[:maxText-2]+"...", l.Methods[0].Doc)
	require.Equal(t, long[:maxText]+"...", l.Methods[0].Notes[0])

	wide := &Listing{Methods: make([]Method, 2000)}
	for i := range wide.Methods {
		wide.Methods[i] = Method{Name: "m", Doc: long}
	}
	_, err = Append(nil, wide)
	require.ErrorIs(t, err, errNotListed)
	_, err = Parse(make([]byte, maxSize+1))
	require.ErrorContains(t, err, "at most 4194304")
}

// FuzzParse: what is taken says the same when it is sent again.
func FuzzParse(f *testing.F) {
	f.Add(testkit.Unhex(f, strings.Join(exampleLines, "")))
	for _, tt := range listingTests {
		f.Add(testkit.Unhex(f, tt.hex))
	}
	for _, b := range testkit.Hostile() {
		f.Add(b)
		f.Add(append([]byte{0x81, 0xa5, 't', 'y', 'p', 'e', 's', 0x91}, b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			return
		}
		for i := range l.Methods {
			if len(l.Methods[i].Notes) == 0 {
				l.Methods[i].Notes = nil
			}
		}
		for i := range l.Types {
			if x := &l.Types[i]; x.Is != "" { // the rest says nothing then
				x.Positional, x.Fields = false, nil
			}
		}
		again, err := Append(nil, l)
		if err != nil {
			return // texts that are cut off, and lengths that take more bytes, add up
		}
		l2, err := Parse(again)
		require.NoError(t, err)
		for _, m := range l.Methods {
			if len(m.Name)+len(m.Doc)+len(m.Arg)+len(m.Reply) > maxText {
				return // was cut off
			}
		}
		require.Equal(t, len(l.Methods), len(l2.Methods))
		require.Equal(t, len(l.Types), len(l2.Types))
		for i := range l.Methods {
			require.Equal(t, l.Methods[i].Name, l2.Methods[i].Name)
			require.Equal(t, l.Methods[i].Arg, l2.Methods[i].Arg)
		}
	})
}
