package body_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

type wide struct{ A [200]int64 }

// wides are params of one byte an element, which take 2,000 bytes each.
func wides(n int) []byte {
	b := mpack.AppendArray(mpack.AppendArray(nil, 1), n)
	return append(b, strings.Repeat("\x80", n)...)
}

// TestMemoryOfALink: what many messages take at once is bounded, what one takes is not but by its
// size, and all is given back.
func TestMemoryOfALink(t *testing.T) {
	c := new(body.Codec)
	memory := &body.Memory{Limit: 1 << 20}
	var list []wide
	var held []*body.Account
	var err error
	for range 100 {
		a := &body.Account{Of: memory}
		if err = c.DecodeParams(wides(40), &list, a); err != nil {
			a.Free()
			break
		}
		require.Positive(t, a.Taken())
		held = append(held, a)
		list = nil
	}
	require.ErrorIs(t, err, body.ErrMemory)
	require.InDelta(t, 12, len(held), 2)
	small := &body.Account{Of: memory}
	var n []int
	require.NoError(t, c.DecodeParams([]byte{0x91, 0x93, 1, 2, 3}, &n, small), "costs nothing")
	require.Zero(t, small.Taken())
	for _, a := range held {
		a.Free()
	}
	list = nil
	whole := &body.Account{Of: memory}
	require.NoError(t, c.DecodeParams(wides(400), &list, whole))
	list = nil
	require.NoError(t, c.DecodeParams(wides(580), &list, whole), "alone")
	list = nil
	require.ErrorIs(t, c.DecodeParams(wides(40), &list, &body.Account{Of: memory}), body.ErrMemory)
	whole.Free()
	require.Zero(t, whole.Taken())
	list = nil
	require.NoError(t, c.DecodeParams(wides(40), &list, &body.Account{Of: memory}))
}

type (
	intIn   struct{ *big.Int }
	ratIn   struct{ big.Rat }
	ringOne struct{ *ringTwo } //lint:ignore U1000 what it embeds is looked at by reflection
	ringTwo struct{ *ringOne } //lint:ignore U1000 so is this
)

func (ringOne) MarshalText() ([]byte, error)  { return []byte("x"), nil }
func (*ringOne) UnmarshalText(b []byte) error { return nil }
func (ringOne) GobEncode() ([]byte, error)    { return []byte("x"), nil }
func (*ringOne) GobDecode(b []byte) error     { return nil }

// TestDigits: time grows with the square of them.
func TestDigits(t *testing.T) {
	for _, v := range []any{new(big.Int), new(big.Rat), new(big.Float), &intIn{new(big.Int)}, new(ratIn), new(map[string]*big.Int), new([]big.Rat)} {
		for _, c := range []*body.Codec{asGo, new(body.Codec)} {
			for _, text := range []string{strings.Repeat("7", 1<<20), "0." + strings.Repeat("7", 1<<20), strings.Repeat("7", 1<<19) + "/" + strings.Repeat("3", 1<<19)} {
				b := mpack.AppendString(nil, text)
				switch v.(type) {
				case *map[string]*big.Int:
					b = append([]byte{0x81, 0xa1, 'k'}, b...)
				case *[]big.Rat:
					b = append([]byte{0x91}, b...)
				}
				start := time.Now()
				require.ErrorContains(t, c.Decode(b, v), "digits into Go type", "%T", v)
				require.Less(t, time.Since(start), time.Second)
			}
		}
	}
	digits := strings.Repeat("7", 64<<10)
	var n big.Int
	require.NoError(t, new(body.Codec).Decode(mpack.AppendString(nil, digits), &n))
	require.Equal(t, digits, n.String())
	// Many of them in one body have a limit together.
	var list []*big.Int
	b := mpack.AppendArray(nil, 1000)
	for range 1000 {
		b = mpack.AppendString(b, digits[:60<<10])
	}
	require.ErrorContains(t, new(body.Codec).Decode(b, &list), "limit is 1048576 in numbers of more than 4096")
	b = mpack.AppendArray(nil, 1000)
	for range 1000 {
		b = mpack.AppendString(b, digits[:4<<10])
	}
	require.NoError(t, new(body.Codec).Decode(b, &list))
	// Bytes are read in a time that grows with them alone, as with gob.
	large := new(big.Int).Lsh(big.NewInt(1), 64<<20)
	b, err := asGo.Append(nil, large)
	require.NoError(t, err)
	require.NoError(t, asGo.Decode(b, &n))
	require.Zero(t, large.Cmp(&n))
	require.NoError(t, body.Check(ringOne{}), "types that embed each other")
}
