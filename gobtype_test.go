package viaduct

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math/big"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

type (
	labelStruct struct {
		A int
		B []labelIn
		C map[string]labelIn
		D any
		E *labelStruct
		F [2]labelIn
		G *big.Int
	}
	labelIn    struct{ S string }
	labelArray [3][2]labelIn
	labelMap   map[string]labelStruct
	labelInt   int8
	labelCmplx complex64
	labelList  []labelIn
	// labelShy cannot write its zero value.
	labelShy struct{ n byte }
	// labelPanics cannot either.
	labelPanics struct{ p *int }
)

func (l labelShy) MarshalBinary() ([]byte, error) {
	if l.n == 0 {
		return nil, fmt.Errorf("zero")
	}
	return []byte{l.n}, nil
}

func (l *labelShy) UnmarshalBinary(b []byte) error { l.n = b[0]; return nil }

func (l labelPanics) GobEncode() ([]byte, error) { return []byte{byte(*l.p)}, nil }
func (l *labelPanics) GobDecode(b []byte) error  { n := int(b[0]); l.p = &n; return nil }

func init() {
	for _, v := range []any{labelStruct{}, &labelIn{}, labelArray{}, labelMap{}, labelInt(0), labelCmplx(0), labelList{}, labelShy{}, labelPanics{}} {
		gob.Register(v)
	}
}

var labelled = []any{
	labelStruct{A: 1, B: []labelIn{{"x"}}, C: map[string]labelIn{"y": {"z"}}, D: labelInt(3), E: &labelStruct{A: 2}, G: big.NewInt(5)},
	&labelIn{"x"}, labelArray{{{"a"}}}, labelMap{"k": {A: 7}}, labelInt(-5), labelCmplx(2i), labelList{{"q"}}, labelShy{9}, labelPanics{new(int)},
	int8(3), uint(7), float32(1.5), []string{"a"}, 3i,
}

// TestLabels: every registered type is told by its label, whatever the value.
func TestLabels(t *testing.T) {
	for _, v := range labelled {
		label, err := labelOf(reflect.ValueOf(v))
		require.NoError(t, err, "%T", v)
		for range 2 {
			got, err := typeOfLabel(label)
			require.NoError(t, err, "%T: % x", v, label)
			require.Equal(t, reflect.TypeOf(v), got)
		}
		opts := &Options{GoPeer: true}
		b, err := opts.appendBody(nil, []any{v})
		require.NoError(t, err)
		var out []any
		require.NoError(t, opts.decodeBody(b, &out))
		require.Equal(t, []any{v}, out)
	}
	_, err := labelOf(reflect.ValueOf(struct{ A int }{}))
	require.ErrorContains(t, err, "not registered")
	_, err = labelOf(reflect.ValueOf((*labelIn)(nil)))
	require.ErrorContains(t, err, "nil pointer")
	_, err = labelOf(reflect.ValueOf(labelShy{}))
	require.Error(t, err)
}

// TestLabelIsAsDocumented: PROTOCOL.md shows these bytes.
func TestLabelIsAsDocumented(t *testing.T) {
	b, err := (&Options{GoPeer: true}).appendBody(nil, []any{labelInt(5)})
	require.NoError(t, err)
	name := "github.com/viaduct-go/viaduct.labelInt"
	want := append(unhex(t, "91 81 c7 2e 47 2d 10 00 26"), name...)
	require.Equal(t, append(want, unhex(t, "04 02 00 00 05")...), b)
}

type (
	// labelText writes itself in a way that gob does not heed.
	labelText struct{ Next *labelText }
	labelPtr  *labelPtr
	labelPtrs struct{ P [2]*labelIn }
	labelNil  []int
	labelRow  struct{ A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P complex128 }
	labelHuge struct{ A [1000]labelRow }
)

func (l labelText) MarshalText() ([]byte, error)  { return []byte("text"), nil }
func (l *labelText) UnmarshalText(b []byte) error { return nil }
func (l labelShape) Area() int                    { return 1 }

type labelShape struct{ A int }

func init() {
	for _, v := range []any{labelText{}, labelPtrs{}, new(labelNil), labelHuge{}, &labelShape{}} {
		gob.Register(v)
	}
}

// TestLabelsOfOddValues: none keeps the sender busy for ever, or its stack growing.
func TestLabelsOfOddValues(t *testing.T) {
	opts := &Options{GoPeer: true}
	ring := &labelText{}
	ring.Next = ring
	_, err := opts.appendBody(nil, []any{ring})
	require.ErrorContains(t, err, "does the value contain itself?")
	var self labelPtr
	self = &self
	_, err = opts.appendBody(nil, []any{self})
	require.Error(t, err)

	in := []any{labelPtrs{[2]*labelIn{{"a"}, {"b"}}}, new(labelNil)}
	b, err := opts.appendBody(nil, in)
	require.NoError(t, err)
	var out []any
	require.NoError(t, opts.decodeBody(b, &out))
	require.Equal(t, in, out)
}

// TestLabelledNil: there is never a nil pointer in an interface, as with gob.
func TestLabelledNil(t *testing.T) {
	label, err := labelOf(reflect.ValueOf(&labelShape{}))
	require.NoError(t, err)
	var shape interface{ Area() int }
	require.NoError(t, (&Options{GoPeer: true}).decodeBody(append(appendLabel(nil, label), nilByte), &shape))
	require.Equal(t, &labelShape{}, shape)
}

// TestLabelMemory: what is in an interface is charged.
func TestLabelMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	label, err := labelOf(reflect.ValueOf(labelHuge{}))
	require.NoError(t, err)
	var elem []byte
	for range 500 {
		elem = append(append(elem, appendLabel(nil, label)...), 0x80)
	}
	b := append(mpack.AppendArray(nil, 500), elem...)
	var out []any
	n := allocated(func() { err = (&Options{GoPeer: true}).decodeBody(b, &out) })
	require.ErrorContains(t, err, "message would take more than")
	require.Less(t, float64(n), garbage*float64(memoryFactor*len(b)+memoryBase))
}

// hostileLabels are what package gob would take at its word, and worse.
func hostileLabels(t testing.TB) [][]byte {
	var list [][]byte
	for _, v := range labelled {
		var buf bytes.Buffer
		require.NoError(t, gob.NewEncoder(&buf).Encode(&v))
		list = append(list, buf.Bytes()) // with a value in it
		label, err := labelOf(reflect.ValueOf(v))
		require.NoError(t, err)
		for i := range label {
			for _, c := range []byte{0, 1, 0x7f, 0x80, 0xf8, 0xfc, 0xff, label[i] + 1, label[i] - 1} {
				bad := bytes.Clone(label)
				bad[i] = c
				list = append(list, bad)
			}
			list = append(list, label[:i])
		}
		list = append(list, append(bytes.Clone(label), 0))
	}
	// A map of 2^31 entries, were one to believe it.
	m, err := labelOf(reflect.ValueOf(labelMap{}))
	require.NoError(t, err)
	list = append(list, append(bytes.Clone(m[:len(m)-1]), 0xfc, 0x7f, 0xff, 0xff, 0xff))
	return list
}

// TestHostileLabels: none takes memory, or panics.
func TestHostileLabels(t *testing.T) {
	var before, after runtime.MemStats
	for _, b := range hostileLabels(t) {
		runtime.ReadMemStats(&before)
		_, err := typeOfLabel(b)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "% x: %v", b, err)
	}
}

func FuzzLabel(f *testing.F) {
	for i, b := range hostileLabels(f) {
		if i%50 == 0 {
			f.Add(b)
		}
	}
	for _, v := range labelled {
		label, err := labelOf(reflect.ValueOf(v))
		require.NoError(f, err)
		f.Add(label)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := gobDefinitions(b); n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		name, err := gobLabel(b)
		if err != nil {
			return
		}
		gobTypesMu.Lock()
		delete(gobTypes, string(name)) // or it would be looked up
		gobTypesMu.Unlock()
		_, _ = typeOfLabel(b)
	})
}
