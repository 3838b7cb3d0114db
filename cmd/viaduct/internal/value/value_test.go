package value

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

var listing = &rpcpipe.Listing{Types: []rpcpipe.Type{
	{Name: "m.Args", Fields: []rpcpipe.Field{{Name: "A", Type: "int8"}, {Name: "Blob", Type: "bytes"}, {Name: "Next", Type: "*m.Args"}}},
	{Name: "m.Span", Positional: true, Fields: []rpcpipe.Field{{Name: "From", Type: "int"}, {Name: "To", Type: "int"}}},
	{Name: "big.Int", Is: "text"},
	{Name: "m.Tree", Is: "map[string][]m.Tree"},
	{Name: "m.Loop", Is: "m.Loop"},
	{Name: "m.Self", Is: "*m.Self"},
	{Name: "m.Go", Is: "go"},
	{Name: "m.Pair[string,[]int]", Fields: []rpcpipe.Field{{Name: "K", Type: "string"}, {Name: "V", Type: "[]int"}}},
	{Name: "m.Empty"},
}}

// good are JSON, the type that it is sent as, the bytes of the params, and what is read of the argument;
// empty: the JSON itself.
var good = []struct{ json, of, hex, back string }{
	{json: `null`, of: "*int", hex: "91 c0"},
	{json: `true`, of: "bool", hex: "91 c3"},
	{json: `127`, of: "int8", hex: "91 7f"},
	{json: `-128`, of: "int8", hex: "91 d0 80"},
	{json: `-9223372036854775808`, of: "int", hex: "91 d3 80 00 00 00 00 00 00 00"},
	{json: `18446744073709551615`, of: "uint64", hex: "91 cf ff ff ff ff ff ff ff ff"},
	{json: `9007199254740993`, of: "any", hex: "91 cf 00 20 00 00 00 00 00 01"},
	{json: `1.5`, of: "float32", hex: "91 ca 3f c0 00 00"},
	{json: `1`, of: "float64", hex: "91 cb 3f f0 00 00 00 00 00 00", back: "1.0"},
	{json: `"NaN"`, of: "float64", hex: "91 cb 7f f8 00 00 00 00 00 01"},
	{json: `"-Infinity"`, of: "float32", hex: "91 ca ff 80 00 00"},
	{json: `"ä"`, of: "string", hex: "91 a2 c3 a4"},
	{json: `"aGk="`, of: "bytes", hex: "91 c4 02 68 69"},
	{json: `"aGk"`, of: "bytes", hex: "91 c4 02 68 69", back: `"aGk="`},
	{json: `"-_8"`, of: "[2]byte", hex: "91 c4 02 fb ff", back: `"+/8="`},
	{json: `{"$bin":"aGk="}`, of: "bytes", hex: "91 c4 02 68 69", back: `"aGk="`},
	{json: `"aGk="`, of: "any", hex: "91 a4 61 47 6b 3d"},
	{json: `{"$bin":"aGk="}`, of: "any", hex: "91 c4 02 68 69"},
	{json: `"1970-01-01T00:00:01Z"`, of: "time", hex: "91 d6 ff 00 00 00 01"},
	{json: `"1970-01-01T01:00:01.5+01:00"`, of: "time", hex: "91 d7 ff 77 35 94 00 00 00 00 01", back: `"1970-01-01T00:00:01.5Z"`},
	{json: `{"$time":"1970-01-01T00:00:01Z"}`, of: "any", hex: "91 d6 ff 00 00 00 01"},
	{json: `"1.5s"`, of: "duration", hex: "91 ce 59 68 2f 00"},
	{json: `-1`, of: "duration", hex: "91 ff", back: `"-1ns"`},
	{json: `{"$ext":[-5,"AQ=="]}`, of: "ext", hex: "91 d4 fb 01"},
	{json: `"12345678901234567890123"`, of: "big.Int", hex: "91 b7" + hex.EncodeToString([]byte("12345678901234567890123"))},
	{json: `[1,[2],{"a":null}]`, of: "any", hex: "91 93 01 91 02 81 a1 61 c0"},
	{json: `[[1,2],[]]`, of: "[][]int", hex: "91 92 92 01 02 90"},
	{json: `[1,2]`, of: "[2]int", hex: "91 92 01 02"},
	{json: `null`, of: "[]int", hex: "91 c0"},
	{json: `{"1":true,"-2":false}`, of: "map[int]bool", hex: "91 82 01 c3 fe c2"},
	{json: `{"true":"aGk="}`, of: "map[bool]bytes", hex: "91 81 c3 c4 02 68 69"},
	{json: `{"1.5":1}`, of: "map[float64]int", hex: "91 81 cb 3f f8 00 00 00 00 00 00 01"},
	{json: `{"1s":1}`, of: "map[duration]int", hex: "91 81 ce 3b 9a ca 00 01"},
	{json: `{"1970-01-01T00:00:01Z":1}`, of: "map[time]int", hex: "91 81 d6 ff 00 00 00 01 01"},
	{json: `{"aGk=":1}`, of: "map[bytes]int", hex: "91 81 c4 02 68 69 01"},
	{json: `[[[1,2],3]]`, of: "map[[2]int]int", hex: "91 81 92 01 02 03"},
	{json: `[["$map",[]]]`, of: "map[string][]int", hex: "91 81 a4 24 6d 61 70 90"},
	{json: `{"$x":1}`, of: "map[string]int", hex: "91 81 a2 24 78 01"},
	{json: `{"$map":[["$x",1]]}`, of: "any", hex: "91 81 a2 24 78 01"},
	{json: `{"$map":[[1,2]]}`, of: "any", hex: "91 81 01 02"},
	{json: `{"$a":1,"$b":2}`, of: "any", hex: "91 82 a2 24 61 01 a2 24 62 02"},
	{json: `{"Blob":"","A":5}`, of: "m.Args", hex: "91 82 a1 41 05 a4 42 6c 6f 62 c4 00", back: `{"A":5,"Blob":""}`},
	{json: `{"A":1,"Next":{"A":2,"Next":null}}`, of: "m.Args", hex: "91 82 a1 41 01 a4 4e 65 78 74 82 a1 41 02 a4 4e 65 78 74 c0"},
	{json: `{"To":2,"From":1}`, of: "m.Span", hex: "92 01 02", back: "-"},
	{json: `[1,2]`, of: "m.Span", hex: "92 01 02", back: "-"},
	{json: `[{"To":2,"From":1}]`, of: "[]m.Span", hex: "91 91 92 01 02", back: `[{"From":1,"To":2}]`},
	{json: `[1,"x"]`, of: "list", hex: "92 01 a1 78", back: "-"},
	{json: `{"a":[{"b":[]}]}`, of: "m.Tree", hex: "91 81 a1 61 91 81 a1 62 90"},
	{json: `{"K":"k","V":[1]}`, of: "m.Pair[string,[]int]", hex: "91 82 a1 4b a1 6b a1 56 91 01"},
	{json: `{}`, of: "struct{}", hex: "91 80"},
	{json: `[1]`, of: "what is this", hex: "91 91 01"}, // types of later are any
	{json: `[1]`, of: "[x]int", hex: "91 91 01"},
	{json: `[1]`, of: "[", hex: "91 91 01"},
	{json: `[1]`, of: "map[", hex: "91 91 01"},
	{json: `[1]`, of: "m.Loop", hex: "91 91 01"},
	{json: `null`, of: "m.Self", hex: "91 c0"},
}

func TestParams(t *testing.T) {
	s := NewSchema(listing)
	for _, tt := range good {
		b, err := s.Params([]byte(tt.json), tt.of)
		if err != nil {
			t.Errorf("%s as %s: %v", tt.json, tt.of, err)
			continue
		}
		if got, want := hex.EncodeToString(b), strings.ReplaceAll(tt.hex, " ", ""); got != want {
			t.Errorf("%s as %s: %s, %s was expected", tt.json, tt.of, got, want)
		}
		if err := mpack.Check(b, maxDepth); err != nil {
			t.Errorf("%s as %s: %v", tt.json, tt.of, err)
		}
		want := tt.back
		switch want {
		case "-": // it is the params itself
			continue
		case "":
			want = tt.json
		}
		if got := string(s.JSON(nil, b[1:], tt.of)); got != want {
			t.Errorf("%s as %s: came back as %s, %s was expected", tt.json, tt.of, got, want)
		}
		// What is read without types can be sent so, and is the same then.
		plain := (*Schema)(nil).JSON(nil, b[1:], "any")
		again, err := (*Schema)(nil).Params(plain, "any")
		if err != nil || !strings.Contains(tt.of, "float") && string(again) != string(b) {
			t.Errorf("%s as %s: %s without types: %x, %v", tt.json, tt.of, plain, again, err)
		}
	}
	if b, err := s.Params(nil, "int"); err != nil || string(b) != "\x90" {
		t.Errorf("no argument: %x, %v", b, err)
	}
}

// TestMismatches: what does not fit says where it is, what it is, and what was expected.
func TestMismatches(t *testing.T) {
	for _, tt := range []struct{ json, of, want string }{
		{``, "int", "there is no JSON"},
		{`{"A":}`, "any", `no JSON at byte`},
		{`{"A":1`, "any", "ends too early"},
		{`1 2`, "any", "something is behind the value"},
		{`]`, "any", "no JSON at byte"},
		{`{"A":1,"A":2}`, "m.Args", `the key "A" comes twice`},
		{"\"\xff\"", "string", "not UTF-8"},
		{strings.Repeat("[", 1001), "any", "nests deeper than 1000"},
		{`"5"`, "int", `an integer (int of 64 bits) was expected, this is the string "5"`},
		{`128`, "int8", "an integer, in digits alone, from -128 to 127 was expected, this is the number 128"},
		{`-1`, "uint8", "from 0 to 255 was expected, this is the number -1"},
		{`1.0`, "int", "in digits alone"},
		{`1e3`, "uint", "in digits alone"},
		{`9223372036854775808`, "int64", "from -9223372036854775808 to 9223372036854775807"},
		{`18446744073709551616`, "any", "an integer from -2^63 to 2^64-1"},
		{`1e999`, "float64", "a float of 64 bits"},
		{`1e39`, "float32", "a float of 32 bits"},
		{`1e999`, "any", "a float of 64 bits"},
		{`"nan"`, "float64", `"NaN"`},
		{`1`, "bool", "true or false was expected, this is the number 1"},
		{`1`, "string", "a string was expected"},
		{`123`, "big.Int", "a string was expected, this is the number 123"},
		{`"no base64!"`, "bytes", `bytes as a string of base64 was expected, this is the string "no base64!"`},
		{`[1]`, "bytes", "base64 was expected, this is an array"},
		{`"aGl="`, "bytes", "base64"}, // bits left over
		{`"aGk="`, "[3]byte", "3 bytes were expected, these are 2"},
		{`"today"`, "time", `as in "2006-01-02T15:04:05.999Z"`},
		{`5`, "time", "a time as a string"},
		{`"5"`, "duration", `as in "1.5s"`},
		{`true`, "duration", "a duration"},
		{`5`, "ext", `{"$ext": [type, base64]}`},
		{`{"$ext":[128,""]}`, "any", "from -128 to 127"},
		{`{"$ext":[1]}`, "any", "$ext: an array [type, base64]"},
		{`{"$ext":[1,"!"]}`, "any", `this is the string "!"`},
		{`{"$wat":1}`, "any", "there is no such one"},
		{`{"$map":5}`, "any", "$map: an array of pairs"},
		{`{"$map":[[1]]}`, "any", "$map[0]: a pair [key, value] was expected"},
		{`5`, "m.Go", "values of type m.Go can be sent by a Go program alone"},
		{`5`, "never", "cannot be sent at all"},
		{`{}`, "[]int", "an array was expected, this is an object"},
		{`[1]`, "[2]int", "an array of 2 was expected, this has 1 elements"},
		{`[1,"x"]`, "[]int", `[1]: an integer`},
		{`5`, "map[string]int", "an object, or an array of pairs"},
		{`{"x":1}`, "map[int]int", `["x"]: its key: an integer, in digits alone`},
		{`{"x":1}`, "map[[2]int]int", "an array of pairs [key, value] was expected"},
		{`{"a":{"b":[5]}}`, "map[string]map[string][]string", `["a"]["b"][0]: a string was expected`},
		{`5`, "m.Args", "an object was expected, this is the number 5"},
		{`{"a":1}`, "m.Args", `there is no field "a" in m.Args (is it A?): it has A int8, Blob bytes, Next *m.Args`},
		{`{"A":1,"Next":{"Blop":""}}`, "m.Args", `Next: there is no field "Blop" in m.Args (is it Blob?)`},
		{`{"A":1,"Next":{"A":"x"}}`, "m.Args", "Next.A: an integer"},
		{`{"x":1}`, "m.Empty", "m.Empty has none, {} was expected"},
		{`{"From":1}`, "m.Span", "To: it is missing"},
		{`[1]`, "m.Span", "2 parameters were expected (From int, To int), these are 1"},
		{`5`, "m.Self", "has no end"},
	} {
		_, err := NewSchema(listing).Params([]byte(tt.json), tt.of)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s as %s: %v; %s was expected", tt.json, tt.of, err, tt.want)
		}
	}
}

// TestJSON: what replies are shown as that are not what they are listed as, or that JSON has no form for.
func TestJSON(t *testing.T) {
	for _, tt := range []struct{ hex, of, want string }{
		{"", "int", `null`},
		{"a1 78", "int", `"x"`},
		{"a1 ff", "string", `{"$bin":"/w=="}`},
		{"c4 01 ff", "string", `{"$bin":"/w=="}`},
		{"d6 ff 00 00 00 01", "int", `{"$time":"1970-01-01T00:00:01Z"}`},
		{"c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff", "time", `{"$ext":[-1,"AAAAAH//////////"]}`},
		{"d4 05 01", "any", `{"$ext":[5,"AQ=="]}`},
		{"82 a1 41 01 a1 5a a1 7a", "m.Args", `{"A":1,"Z":"z"}`},
		{"82 01 02 a1 78 03", "m.Args", `{"$map":[[1,2],["x",3]]}`},
		{"82 a1 31 01 01 02", "map[int]int", `[["1",1],[1,2]]`},
		{"93 01 c4 01 00 c0", "m.Args", `{"A":1,"Blob":"AA==","Next":null}`},
		{"92 01 02", "m.Args", `[1,2]`},
		{"cb 7f f0 00 00 00 00 00 00", "any", `"Infinity"`},
		{"cb 44 b5 2d 02 c7 e1 4a f6", "any", `1e+23`},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(NewSchema(listing).JSON(nil, b, tt.of)); got != tt.want {
			t.Errorf("%s as %s: %s, %s was expected", tt.hex, tt.of, got, tt.want)
		}
	}
}

// TestExamples: the shape that people are shown can be sent.
func TestExamples(t *testing.T) {
	s := NewSchema(listing)
	for _, of := range []string{
		"bool", "int8", "uint", "float64", "string", "bytes", "[2]byte", "[7]byte", "time", "duration", "ext", "list", "any", "[]int", "[3]string",
		"map[int]bool", "map[string]bytes", "map[bool]time", "map[duration]int", "*int", "m.Args", "m.Span", "m.Tree", "big.Int", "struct{}", "m.Self",
	} {
		if _, err := s.Params([]byte(s.Example(of)), of); err != nil {
			t.Errorf("%s: %s: %v", of, s.Example(of), err)
		}
	}
	if got := s.Example("m.Go"); got != "" {
		t.Errorf("of what cannot be sent: %s", got)
	}
	if got, want := s.Example("m.Span"), `{"From":0,"To":0}`; got != want {
		t.Errorf("%s, %s was expected", got, want)
	}
}

// FuzzJSON: whatever comes is shown as JSON, and sent again as it came, but for maps with keys that
// come twice.
func FuzzJSON(f *testing.F) {
	for _, tt := range good {
		b, err := hex.DecodeString(strings.ReplaceAll(tt.hex, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, tt.of)
	}
	f.Fuzz(func(t *testing.T, b []byte, of string) {
		if len(of) > 100 || mpack.Check(b, 100) != nil {
			return
		}
		s := NewSchema(listing)
		for _, shown := range [][]byte{s.JSON(nil, b, of), (*Schema)(nil).JSON(nil, b, "any")} {
			if _, err := parseJSON(shown); err != nil {
				t.Fatalf("%x as %s: %s: %v", b, of, shown, err)
			}
		}
		shown := (*Schema)(nil).JSON(nil, b, "any")
		params, err := (*Schema)(nil).Params(shown, "any")
		if err != nil {
			t.Fatalf("%x: %s: %v", b, shown, err)
		}
		if again := (*Schema)(nil).JSON(nil, params[1:], "any"); string(again) != string(shown) {
			t.Fatalf("%x: %s came back as %s", b, shown, again)
		}
	})
}

// FuzzParams: whatever is taken makes one whole array.
func FuzzParams(f *testing.F) {
	for _, tt := range good {
		f.Add([]byte(tt.json), tt.of)
	}
	f.Add([]byte(`{"A":1e99,"Next":[]}`), "map[m.Args][2]*m.Span")
	f.Fuzz(func(t *testing.T, text []byte, of string) {
		if len(of) > 100 {
			return
		}
		b, err := NewSchema(listing).Params(text, of)
		if err != nil {
			return
		}
		if n, _, err := mpack.ReadArray(b); err != nil || n < 0 {
			t.Fatalf("%s as %s: %x: %v", text, of, b, err)
		}
		if err := mpack.Check(b, 3*maxDepth); err != nil {
			t.Fatalf("%s as %s: %x: %v", text, of, b, err)
		}
	})
}
