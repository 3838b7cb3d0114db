package gobwire

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
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
		label, err := LabelOf(reflect.ValueOf(v))
		require.NoError(t, err, "%T", v)
		for range 2 {
			got, err := TypeOf(label)
			require.NoError(t, err, "%T: % x", v, label)
			require.Equal(t, reflect.TypeOf(v), got)
		}
	}
	_, err := LabelOf(reflect.ValueOf(struct{ A int }{}))
	require.ErrorContains(t, err, "not registered")
	_, err = LabelOf(reflect.ValueOf((*labelIn)(nil)))
	require.ErrorContains(t, err, "nil pointer")
	_, err = LabelOf(reflect.ValueOf(labelShy{}))
	require.Error(t, err)
}

// hostileLabels are what package gob would take at its word, and worse.
func hostileLabels(t testing.TB) [][]byte {
	var list [][]byte
	for _, v := range labelled {
		var buf bytes.Buffer
		require.NoError(t, gob.NewEncoder(&buf).Encode(&v))
		list = append(list, buf.Bytes()) // with a value in it
		label, err := LabelOf(reflect.ValueOf(v))
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
	m, err := LabelOf(reflect.ValueOf(labelMap{}))
	require.NoError(t, err)
	list = append(list, append(bytes.Clone(m[:len(m)-1]), 0xfc, 0x7f, 0xff, 0xff, 0xff))
	return list
}

// TestHostileLabels: none takes memory, or panics.
func TestHostileLabels(t *testing.T) {
	var before, after runtime.MemStats
	for some := range slices.Chunk(hostileLabels(t), 20) { // to look costs more than they do
		runtime.ReadMemStats(&before)
		for _, b := range some {
			_, _ = TypeOf(b)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "% x", some)
	}
}

func FuzzLabel(f *testing.F) {
	for i, b := range hostileLabels(f) {
		if i%50 == 0 {
			f.Add(b)
		}
	}
	for _, v := range labelled {
		label, err := LabelOf(reflect.ValueOf(v))
		require.NoError(f, err)
		f.Add(label)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := definitionsOf(b); n < 0 || n > len(b) {
			t.Fatalf("%d of %d bytes", n, len(b))
		}
		name, err := nameInLabel(b)
		if err != nil {
			return
		}
		typesMu.Lock()
		delete(types, string(name)) // or it would be looked up
		typesMu.Unlock()
		_, _ = TypeOf(b)
	})
}
