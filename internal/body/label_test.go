package body_test

import (
	"encoding/gob"
	"fmt"
	"math/big"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/gobwire"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
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
	for _, v := range []any{labelStruct{}, &labelIn{}, labelArray{}, labelMap{}, labelCmplx(0), labelList{}, labelShy{}, labelPanics{}} {
		gob.Register(v)
	}
}

var labelled = []any{
	labelStruct{A: 1, B: []labelIn{{"x"}}, C: map[string]labelIn{"y": {"z"}}, D: labelInt(3), E: &labelStruct{A: 2}, G: big.NewInt(5)},
	&labelIn{"x"}, labelArray{{{"a"}}}, labelMap{"k": {A: 7}}, labelInt(-5), labelCmplx(2i), labelList{{"q"}}, labelShy{9}, labelPanics{new(int)},
	int8(3), uint(7), float32(1.5), []string{"a"}, 3i,
}

func init() {
	gob.RegisterName("github.com/viaduct-go/viaduct.labelInt", labelInt(0)) // as PROTOCOL.md shows it
}

// TestLabels: values of every registered type come back in interfaces.
func TestLabels(t *testing.T) {
	for _, v := range labelled {
		opts := &body.Codec{GoPeer: true}
		b, err := opts.Append(nil, []any{v})
		require.NoError(t, err)
		var out []any
		require.NoError(t, opts.Decode(b, &out))
		require.Equal(t, []any{v}, out)
	}
}

// TestLabelIsAsDocumented: PROTOCOL.md shows these bytes.
func TestLabelIsAsDocumented(t *testing.T) {
	b, err := (&body.Codec{GoPeer: true}).Append(nil, []any{labelInt(5)})
	require.NoError(t, err)
	name := "github.com/viaduct-go/viaduct.labelInt"
	want := append(testkit.Unhex(t, "91 81 c7 2e 47 2d 10 00 26"), name...)
	require.Equal(t, append(want, testkit.Unhex(t, "04 02 00 00 05")...), b)
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
	opts := &body.Codec{GoPeer: true}
	ring := &labelText{}
	ring.Next = ring
	_, err := opts.Append(nil, []any{ring})
	require.ErrorContains(t, err, "does the value contain itself?")
	var self labelPtr
	self = &self
	_, err = opts.Append(nil, []any{self})
	require.Error(t, err)

	in := []any{labelPtrs{[2]*labelIn{{"a"}, {"b"}}}, new(labelNil)}
	b, err := opts.Append(nil, in)
	require.NoError(t, err)
	var out []any
	require.NoError(t, opts.Decode(b, &out))
	require.Equal(t, in, out)
}

// TestLabelledNil: there is never a nil pointer in an interface, as with gob.
func TestLabelledNil(t *testing.T) {
	label, err := gobwire.LabelOf(reflect.ValueOf(&labelShape{}))
	require.NoError(t, err)
	var shape interface{ Area() int }
	require.NoError(t, (&body.Codec{GoPeer: true}).Decode(append(mpack.AppendExt(mpack.AppendMap(nil, 1), gobwire.ExtType, label), 0xc0), &shape))
	require.Equal(t, &labelShape{}, shape)
}

// TestLabelMemory: what is in an interface is charged.
func TestLabelMemory(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	label, err := gobwire.LabelOf(reflect.ValueOf(labelHuge{}))
	require.NoError(t, err)
	var elem []byte
	for range 500 {
		elem = append(append(elem, mpack.AppendExt(mpack.AppendMap(nil, 1), gobwire.ExtType, label)...), 0x80)
	}
	b := append(mpack.AppendArray(nil, 500), elem...)
	var out []any
	n := testkit.Allocated(func() { err = (&body.Codec{GoPeer: true}).Decode(b, &out) })
	require.ErrorContains(t, err, "message would take more than")
	require.Less(t, float64(n), garbage*float64(body.MemoryFactor*len(b)+body.MemoryBase))
}
