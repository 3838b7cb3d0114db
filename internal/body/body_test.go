package body_test

import (
	"encoding/hex"
	"math"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type inner struct{ X, Y int }

type outer struct {
	Name   string
	Tagged int `msgpack:"tag"`
	In     inner
	Ptr    *inner
	List   []inner
	Map    map[string]int
	Data   []byte
	inner
	hidden int
}

func TestBodyRoundTrip(t *testing.T) {
	n := 7
	for _, v := range []any{
		true, 7, int8(-128), int64(math.MinInt64), uint64(math.MaxUint64), 1.5, float32(2.5), "text", "",
		[]byte("bytes"), []byte{}, []int{1, 2, 3}, []string{"a", ""}, [2]int{1, 2}, map[string]int{"a": 1},
		inner{1, 2}, &inner{3, 4}, &n, []inner{{1, 2}},
		outer{
			Name: "n", Tagged: 3, In: inner{1, 2}, Ptr: &inner{3, 4}, List: []inner{{5, 6}},
			Map: map[string]int{"k": 1}, Data: []byte{0, 255}, hidden: 0,
		},
	} {
		t.Run(reflect.TypeOf(v).String(), func(t *testing.T) {
			b, err := new(body.Codec).Append([]byte{0xaa}, v)
			require.NoError(t, err)
			require.Equal(t, byte(0xaa), b[0])
			require.NoError(t, mpack.Check(b[1:], 10))
			p := reflect.New(reflect.TypeOf(v))
			require.NoError(t, (&body.Codec{MaxDepth: 10}).Decode(b[1:], p.Interface()))
			require.Empty(t, cmp.Diff(v, p.Elem().Interface(), cmp.AllowUnexported(outer{})))
		})
	}
}

func TestStructsAreMaps(t *testing.T) {
	b, err := new(body.Codec).Append(nil, inner{1, 2})
	require.NoError(t, err)
	require.Equal(t, testkit.Unhex(t, "82 a1 58 01 a1 59 02"), b)
	for s, want := range map[string]inner{
		"82 a1 59 02 a1 58 01":          {1, 2}, // another order
		"81 a1 59 02":                   {0, 2}, // one missing
		"83 a1 5a 90 a1 58 01 a1 59 02": {1, 2}, // one more
		"80":                            {},
	} {
		var got inner
		require.NoError(t, (&body.Codec{MaxDepth: 10}).Decode(testkit.Unhex(t, s), &got), s)
		require.Equal(t, want, got, s)
	}
}

func TestDecodeRefuses(t *testing.T) {
	var (
		n  int
		s  []string
		a  [2]string
		in inner
		b  []byte
		i  interface{ M() }
		p  **inner

		part struct{ F inner }
		ins  []inner
	)
	for _, tt := range []struct {
		name string
		hex  string
		into any
		err  string
	}{
		{"text into int", "a1 78", &n, "type mismatch: MessagePack str into Go type int"},
		{"bin into strings", "c4 01 78", &s, "type mismatch: MessagePack bin into Go type []string"},
		{"text into strings", "a1 78", &s, "type mismatch"},
		{"bin into array", "c4 02 78 78", &a, "type mismatch"},
		{"int into bytes", "07", &b, "type mismatch: MessagePack uint into Go type []uint8"},
		{"array into bytes", "91 07", &b, "type mismatch: MessagePack array into Go type []uint8"},
		{"no field matches", "82 a1 51 01 a1 52 02", &in, `type mismatch: no field of body_test.inner among the keys sent: "Q", "R"`},
		{"no field matches, by pointer", "81 a1 51 01", &p, "type mismatch: no field"},
		{"keys are numbers", "81 01 01", &in, "type mismatch: no field of body_test.inner among the keys sent: "},
		{"keys of a part are numbers", "81 a1 46 81 01 01", &part, `field F: type mismatch: no field of body_test.inner among the keys sent: "1"`},
		{"keys of a part are numbers, but for one", "81 a1 46 82 a1 51 01 c3 01", &part, `field F: type mismatch: no field of body_test.inner among the keys sent: "Q", "true"`},
		{"keys of an element are lists", "91 81 91 01 01", &ins, `field [0]: type mismatch: no field of body_test.inner among the keys sent: "[1]"`},
		{"value into a method set", "07", &i, "type mismatch"},
		{"two values", "07 08", &n, "bytes left over"},
		{"nothing", "", &n, "unexpected EOF"},
		{"cut off", "92 01", &s, "unexpected EOF"},
		{"length lie", "dd ff ff ff ff", &s, "unexpected EOF"},
		{"too deep", "91 91 91 91 91 91 90", &s, "nested deeper than the limit of 5"},
		{"reserved", "91 c1", &s, "0xc1"},
		{"not a pointer", "07", 7, "type int is not a pointer"},
		{"nil pointer", "07", (*int)(nil), "type *int is not a pointer, or it is nil"},
		{"nil pointer to bytes", "c4 01 07", (*[]byte)(nil), "type *[]uint8 is not a pointer, or it is nil"},
		{"nil pointer to struct", "80", (*inner)(nil), "type *body_test.inner is not a pointer, or it is nil"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.ErrorContains(t, (&body.Codec{MaxDepth: 5}).Decode(testkit.Unhex(t, tt.hex), tt.into), tt.err)
		})
	}
}

// TestPartsOfOtherStructs: in a part a struct may have come of which no field is known here, as with
// gob. A map that is none may have some key that is a name here.
func TestPartsOfOtherStructs(t *testing.T) {
	for _, hex := range []string{"81 a1 46 81 a1 51 01", "81 a1 46 80", "81 a1 46 82 01 01 a1 58 05"} {
		part := struct{ F inner }{inner{7, 8}}
		require.NoError(t, new(body.Codec).Decode(testkit.Unhex(t, hex), &part), hex)
		require.Equal(t, 8, part.F.Y, hex)
	}
}

func TestDecodeNil(t *testing.T) {
	n, b, in, list := 7, []byte("x"), inner{1, 2}, []int{1}
	for _, p := range []any{&n, &b, &in, &list, nil} {
		require.NoError(t, (&body.Codec{MaxDepth: 5}).Decode([]byte{0xc0}, p))
	}
	require.Equal(t, 7, n)
	require.Nil(t, b)
	require.Nil(t, list)
	require.Equal(t, inner{1, 2}, in)
	require.NoError(t, (&body.Codec{MaxDepth: 5}).Decode([]byte{0xc1}, nil), "nobody wants it")
}

// TestBytesAlias: a []byte is not copied, and an append to it reaches nothing else.
func TestBytesAlias(t *testing.T) {
	for _, s := range []string{"c4 02 61 62", "a2 61 62"} {
		msg := append(testkit.Unhex(t, s), 0x77)
		var b []byte
		require.NoError(t, (&body.Codec{MaxDepth: 5}).Decode(msg[:len(msg)-1], &b))
		require.Equal(t, "ab", string(b))
		require.Same(t, &msg[len(msg)-3], &b[0])
		_ = append(b, 'c')
		require.Equal(t, byte(0x77), msg[len(msg)-1])
	}
}

var plain = message.Codec{Body: new(body.Codec)}

func TestEncodeRefuses(t *testing.T) {
	type withChan struct{ C chan int }
	type withFunc struct{ F func() }
	for _, v := range []any{make(chan int), func() {}, withChan{}, &withChan{C: make(chan int)}, withFunc{}, []any{make(chan int)}} {
		b, err := new(body.Codec).Append([]byte{1, 2}, v)
		require.Error(t, err, "%T", v)
		require.Len(t, b, 2, "nothing of it may be left behind")
		_, err = plain.EncodeRequest("M", v, body.NoLimit)
		var berr *viaduct.BodyError
		require.ErrorAs(t, err, &berr)
		require.ErrorContains(t, err, "viaduct: cannot encode arguments of M, type "+body.TypeName(v))
	}
}

// TestCallerIsLeftOut: an argument with a Caller crosses as it would without, unless there is
// something in it.
func TestCallerIsLeftOut(t *testing.T) {
	type arg struct {
		viaduct.Caller
		A int
	}
	got := arg{A: 1}
	got.SetContext(t.Context())
	require.Equal(t, testkit.Unhex(t, "81 a1 41 01"), encodes(t, &got))
	got.Metadata = map[string]string{"k": "v"}
	require.Equal(t, hex.EncodeToString(testkit.Unhex(t, "82 a6 43 61 6c 6c 65 72 81 a8 4d 65 74 61 64 61 74 61 81 a1 6b a1 76 a1 41 01")), hex.EncodeToString(encodes(t, &got)))
}
