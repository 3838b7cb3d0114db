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
)

type (
	intoPt    struct{ X, Y int }
	intoOther struct{ A string }
	intoWords struct{ X string }
	intoList  []int
	intoNames map[string]int
	intoNum   int16
)

func init() {
	for _, v := range []any{intoPt{}, intoOther{}, intoWords{}, intoList{}, intoNames{}, intoNum(0)} {
		gob.Register(v)
	}
}

// TestLabelIntoPlainType: what was in an interface, and goes into a type that is none, arrives, or
// an error names both types.
func TestLabelIntoPlainType(t *testing.T) {
	registerTypes()
	pt := intoPt{1, 2}
	for _, tt := range []struct {
		sent, want any
		refused    string // the type of the value, where it does not fit
	}{
		{sent: []any{pt}, want: []intoPt{pt}},
		{sent: []any{&pt, pt}, want: []intoPt{pt, pt}},
		{sent: []any{pt}, want: []*intoPt{&pt}},
		{sent: [1]any{pt}, want: [1]intoPt{pt}},
		{sent: map[string]any{"k": pt}, want: map[string]intoPt{"k": pt}},
		{sent: map[any]any{pt: pt}, want: map[intoPt]intoPt{pt: pt}},
		{sent: struct{ A any }{pt}, want: struct{ A intoPt }{pt}},
		{sent: struct{ A any }{pt}, want: struct{ A *intoPt }{&pt}},
		{sent: struct{ A any }{&pt}, want: struct{ A **intoPt }{to(&pt)}},
		{sent: struct{ A *any }{to(any(pt))}, want: struct{ A intoPt }{pt}},
		{sent: struct{ A any }{pt}, want: struct{ A *any }{to(any(pt))}},
		{sent: struct{ A any }{[]any{pt}}, want: struct{ A []intoPt }{[]intoPt{pt}}},
		{sent: []any{intoList{1, 2}}, want: [][]int{{1, 2}}},
		{sent: []any{intoNames{"X": 3}}, want: []map[string]int{{"X": 3}}},
		{sent: []any{map[string]int{"X": 3}}, want: []intoNames{{"X": 3}}},
		{sent: []any{intoNum(5), int8(6), uint(7)}, want: []int{5, 6, 7}},
		{sent: []any{big.NewInt(5)}, want: []big.Int{*big.NewInt(5)}},
		{sent: []any{nil, pt}, want: []*intoPt{nil, &pt}},
		{sent: to(any(pt)), want: pt},

		{sent: []any{intoOther{"x"}}, want: []intoPt(nil), refused: "intoOther"},
		{sent: []any{intoWords{"x"}}, want: []intoPt(nil), refused: "intoWords"},
		{sent: map[string]any{"k": intoOther{"x"}}, want: map[string]intoPt(nil), refused: "intoOther"},
		{sent: struct{ A any }{intoOther{"x"}}, want: struct{ A intoPt }{}, refused: "intoOther"},
		{sent: struct{ A any }{intoOther{"x"}}, want: struct{ A *intoPt }{}, refused: "intoOther"},
		{sent: []any{intoList{1}}, want: []intoPt(nil), refused: "intoList"},
		{sent: []any{pt}, want: []int(nil), refused: "intoPt"},
		{sent: []any{pt}, want: []string(nil), refused: "intoPt"},
		{sent: []any{pt}, want: [][]byte(nil), refused: "intoPt"},
		{sent: []any{intoNum(300)}, want: []int8(nil), refused: "intoNum"},
		{sent: []any{pt}, want: []struct{}(nil), refused: "intoPt"},
		{sent: struct{ A any }{pt}, want: struct{ A *struct{} }{}, refused: "intoPt"},
		{sent: to(any(&intoOther{"x"})), want: intoPt{}, refused: "intoOther"},
	} {
		t.Run(fmt.Sprintf("%T into %T", tt.sent, tt.want), func(t *testing.T) {
			for _, arrays := range []bool{false, true} {
				c := &body.Codec{GoPeer: true, Arrays: arrays}
				b, err := c.Append(nil, tt.sent)
				require.NoError(t, err)
				got := reflect.New(reflect.TypeOf(tt.want))
				err = c.Decode(b, got.Interface())
				if tt.refused == "" {
					require.NoError(t, err)
					require.Equal(t, tt.want, got.Elem().Interface())
					continue
				}
				require.ErrorContains(t, err, tt.refused)
				require.ErrorContains(t, err, "into Go type")
			}
		})
	}
}

// TestLabelToPlainPeer: a label that a side meets which takes no types is an error as well.
func TestLabelToPlainPeer(t *testing.T) {
	b, err := (&body.Codec{GoPeer: true}).Append(nil, map[string]any{"A": intoPt{1, 2}})
	require.NoError(t, err)
	for _, v := range []any{new(struct{ A intoPt }), new(map[string]intoPt), new(map[string]any), new(any), new(struct{ A any })} {
		require.ErrorContains(t, new(body.Codec).Decode(b, v), "Dialect", "%T", v)
	}
}

// TestLabelsInLabels: however many there are around a value.
func TestLabelsInLabels(t *testing.T) {
	label, err := gobwire.LabelOf(reflect.ValueOf(intoPt{}))
	require.NoError(t, err)
	var b []byte
	for range 900 {
		b = mpack.AppendExt(mpack.AppendMap(b, 1), gobwire.ExtType, label)
	}
	b = append(b, 0x81, 0xa1, 'X', 5)
	var pt intoPt
	require.NoError(t, (&body.Codec{GoPeer: true}).Decode(b, &pt))
	require.Equal(t, intoPt{X: 5}, pt)
}
