package body_test

import (
	"errors"
	"math/big"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Types whose zeros do not write themselves, or cannot be read again.
type (
	refusesZero struct{ v byte }
	panicsAt0   struct{ p *byte }
	unreadAt0   struct{ v []byte }
	embedsBig   struct{ *big.Int }
	optional    struct{ p *byte }
	named       map[string]byte

	zeros struct {
		A refusesZero
		B panicsAt0
		C unreadAt0
		D embedsBig
		E struct{ A refusesZero }
		N int
	}
)

func (x refusesZero) GobEncode() ([]byte, error) {
	if x.v == 0 {
		return nil, errors.New("is zero")
	}
	return []byte{x.v}, nil
}
func (x *refusesZero) GobDecode(b []byte) error        { x.v = b[0]; return nil }
func (x panicsAt0) MarshalBinary() ([]byte, error)     { return []byte{*x.p}, nil }
func (x *panicsAt0) UnmarshalBinary(b []byte) error    { x.p = &b[0]; return nil }
func (x unreadAt0) GobEncode() ([]byte, error)         { return x.v, nil }
func (x *unreadAt0) GobDecode(b []byte) error          { x.v = b[:1]; return nil }
func (x refusesZero) MarshalText() (t []byte, _ error) { return x.GobEncode() }
func (x *refusesZero) UnmarshalText(b []byte) error    { return x.GobDecode(b) }

// Types that write their zeros, and read something else.
func (x optional) MarshalBinary() ([]byte, error) {
	if x.p == nil {
		return []byte{0}, nil
	}
	return []byte{*x.p}, nil
}
func (x *optional) UnmarshalBinary(b []byte) error { x.p = &b[0]; return nil }
func (x named) MarshalBinary() ([]byte, error)     { return []byte{x["k"]}, nil }
func (x *named) UnmarshalBinary(b []byte) error    { *x = named{"k": b[0]}; return nil }

// TestZeroFields: package gob leaves out a field that is zero, and does not ask it to write itself.
// So one that could not crosses all the same.
func TestZeroFields(t *testing.T) {
	one := byte(1)
	set := zeros{A: refusesZero{1}, B: panicsAt0{&one}, C: unreadAt0{[]byte{1}}, N: 1}
	set.E.A.v = 1
	for _, v := range []any{zeros{N: 1}, set, []zeros{{N: 1}, set}, map[string]zeros{"k": {N: 2}}, struct{ Z *zeros }{&zeros{N: 3}}} {
		nothing := reflect.Zero(reflect.TypeOf(v)).Interface()
		want, err := into(t, nil, v, nothing)
		require.NoError(t, err)
		got, err := into(t, asGo, v, nothing)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, v, got)
	}
	got, err := into(t, asGo, zeros{N: 2}, set)
	require.NoError(t, err)
	set.N = 2
	require.Equal(t, set, got, "what was there stays, as with gob")

	// Nor does one come as what its own methods make of it.
	type owners struct {
		A optional
		B named
		N int
	}
	for _, v := range []owners{{N: 1}, {A: optional{&one}, B: named{"k": 2}, N: 3}} {
		got, err := into(t, asGo, v, owners{})
		require.NoError(t, err)
		require.Equal(t, v, got)
	}
	// The zero of package big is one by its value.
	reply, err := into(t, asGo, struct{ A big.Int }{}, struct{ A big.Int }{*big.NewInt(5)})
	require.NoError(t, err)
	a := reply.(struct{ A big.Int }).A
	require.Zero(t, a.Sign())

	// What is no field is written as it is.
	for _, v := range []any{refusesZero{}, []refusesZero{{}}, map[string]refusesZero{"k": {}}, struct{ A *refusesZero }{&refusesZero{}}} {
		_, err := asGo.Append(nil, v)
		require.ErrorContains(t, err, "is zero", "%T", v)
	}
}
