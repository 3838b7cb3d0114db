package body_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Web is a graph whose nodes are shared: as a tree it has no end to speak of.
type Web struct {
	Name string
	A    [3]*Web
	S    []*Web
	M    map[string]*Web
}

// WebOfAny is one of interfaces.
type WebOfAny struct{ I []any }

func webOfAny() (last WebOfAny) {
	for range 120 {
		before := last
		last = WebOfAny{[]any{before, &before, "x", &before}}
	}
	return last
}

func web(link func(w *Web, before []*Web)) *Web {
	var nodes []*Web
	for i := range 120 {
		w := &Web{Name: "node"}
		if i >= 3 {
			link(w, nodes[i-3:])
		}
		nodes = append(nodes, w)
	}
	return nodes[len(nodes)-1]
}

// bulky writes itself, in as many bytes as it says, each in another way.
type (
	bulkyGob  struct{ n int }
	bulkyBin  struct{ n int }
	bulkyText struct{ n int }
	bulkyMsg  struct{ n int }
)

func (b bulkyGob) GobEncode() ([]byte, error)     { return make([]byte, b.n), nil }
func (b *bulkyGob) GobDecode([]byte) error        { return nil }
func (b bulkyBin) MarshalBinary() ([]byte, error) { return make([]byte, b.n), nil }
func (b *bulkyBin) UnmarshalBinary([]byte) error  { return nil }
func (b bulkyText) MarshalText() ([]byte, error)  { return make([]byte, b.n), nil }
func (b *bulkyText) UnmarshalText([]byte) error   { return nil }
func (b bulkyMsg) MarshalMsg(to []byte) ([]byte, error) {
	return append(append(to, 0xc6, 0, byte(b.n>>16), byte(b.n>>8), byte(b.n)), make([]byte, b.n)...), nil
}
func (b *bulkyMsg) UnmarshalMsg(p []byte) ([]byte, error) { return nil, nil }

// TestEncodeLimit: what may not be sent is not written either.
func TestEncodeLimit(t *testing.T) {
	registerTypes()
	if testkit.RaceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const limit = 1 << 20
	long := strings.Repeat("x", limit/2)
	shared := &long
	for name, v := range map[string]any{
		"arrays":     web(func(w *Web, before []*Web) { copy(w.A[:], before) }),
		"slices":     web(func(w *Web, before []*Web) { w.S = before }),
		"maps":       web(func(w *Web, before []*Web) { w.M = map[string]*Web{"a": before[0], "b": before[1], "c": before[2]} }),
		"interfaces": webOfAny(),
		"strings":    []*string{shared, shared, shared, shared, shared, shared, shared, shared},
		"bytes":      [][]byte{make([]byte, 64<<20)},
		"array":      new([64 << 20]byte),
		"ext":        viaduct.Ext{Data: make([]byte, 64<<20)},
		"top":        make([]byte, 64<<20),
		"string":     strings.Repeat("y", 64<<20),
		"ints":       make([]int, 64<<20),
		"empty":      make([]struct{}, 1<<30),
		"gob":        bulkyGob{2 * limit},
		"binary":     bulkyBin{2 * limit},
		"text":       bulkyText{2 * limit},
		"msg":        bulkyMsg{2 * limit},
		"gobs":       make([]bulkyGob, limit),
		"params":     viaduct.Params{long, long, long},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []*body.Codec{asGo, new(body.Codec)} {
				var err error
				got := testkit.Allocated(func() { _, err = c.AppendParams(nil, v, limit) })
				var size *fault.SizeError
				if strings.HasPrefix(name, "gob") && c != asGo {
					require.Error(t, err)
					continue
				}
				require.ErrorAs(t, err, &size)
				require.Equal(t, limit, size.Limit)
				require.Greater(t, size.Size, limit)
				require.Less(t, got, uint64(16*limit))
			}
		})
	}
	for _, enc := range []body.Encoding{body.JSON{}, viaduct.Gob} {
		var size *fault.SizeError
		_, err := (&body.Codec{Encoding: enc}).AppendParams(nil, strings.Repeat("z", 2*limit), limit)
		require.ErrorAs(t, err, &size)
	}
	// A value that just fits does.
	fits, err := json.Marshal(make([]int, 1000))
	require.NoError(t, err)
	b, err := asGo.AppendWithin(nil, string(fits), len(fits)+3)
	require.NoError(t, err)
	require.Len(t, b, len(fits)+3)
	for _, v := range []any{string(fits), fits, make([]bool, 1000), make([]any, 1000), map[string]int{"a": 1}} {
		b, err := asGo.Append([]byte("head"), v)
		require.NoError(t, err)
		again, err := asGo.AppendWithin([]byte("head"), v, len(b))
		require.NoError(t, err, "%T", v)
		require.Equal(t, b, again)
		_, err = asGo.AppendWithin([]byte("head"), v, len(b)-1)
		var size *fault.SizeError
		require.ErrorAs(t, err, &size, "%T", v)
	}
}
