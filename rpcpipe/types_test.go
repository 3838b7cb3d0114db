package rpcpipe_test

import (
	"encoding/gob"
	"math/big"
	"net/netip"
	"net/rpc"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe"
)

type Shape interface{ Area() int }

type Square struct{ Side int }

func (s Square) Area() int { return s.Side * s.Side }

// Luggage has what MessagePack alone would damage.
type Luggage struct {
	Big   *big.Int
	Addr  netip.Addr
	Site  url.URL
	When  time.Time
	Shape Shape
	Any   any
	List  []any
}

type Porter struct{}

func (Porter) Carry(in *Luggage, out *Luggage) error { *out = *in; return nil }

func init() {
	gob.Register(Square{})
	children["porter"] = func([]string) {
		server := rpc.NewServer()
		server.Register(Porter{})
		connect(&rpcpipe.Options{Server: server}).Wait()
	}
}

// TestGoTypesCross: two Go programs find out that they are, and then everything
// that gob carries crosses.
func TestGoTypesCross(t *testing.T) {
	p := startChild(t, "porter")
	site, err := url.Parse("https://user:secret@example.com/path?q=1")
	require.NoError(t, err)
	in := Luggage{
		Big:   new(big.Int).Lsh(big.NewInt(1), 200),
		Addr:  netip.MustParseAddr("fe80::1%eth0"),
		Site:  *site,
		When:  time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Shape: Square{3},
		Any:   Square{4},
		List:  []any{1, "two", 3.0, Square{5}, nil, true},
	}
	var out Luggage
	require.NoError(t, p.Call("Porter.Carry", in, &out))
	require.Zero(t, in.Big.Cmp(out.Big))
	in.Big, out.Big = nil, nil
	require.Equal(t, in, out)
}
