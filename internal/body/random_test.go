package body_test

import (
	"bytes"
	"encoding/gob"
	"flag"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/body"
)

var (
	randomSeed  = flag.Int64("random.seed", 0, "seed of the random types; 0: that of the clock")
	randomCount = flag.Int("random.count", 300, "how many random types are tried")
)

// TestRandomBesideGob sends values of random types, each into its own type and into one that is
// like it. What package gob carries must arrive as with gob; what it refuses must arrive as it was
// sent, or be refused.
func TestRandomBesideGob(t *testing.T) {
	registerTypes()
	seed := *randomSeed
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("-random.seed=%d", seed)
	g := &generator{rand.New(rand.NewSource(seed))}
	for range *randomCount {
		typ := g.structType(3)
		like := g.like(typ)
		for range 3 {
			v := g.value(typ, 4)
			besideGob(t, v, typ)
			besideGob(t, v, like)
			besideGob(t, g.value(like, 4), typ)
			if t.Failed() {
				return
			}
		}
	}
}

// besideGob compares what arrives of v in a value of type typ.
func besideGob(t *testing.T, v reflect.Value, typ reflect.Type) {
	viaGob, gobErr := reflect.New(typ), error(nil)
	var buf bytes.Buffer
	if gobErr = safely(func() error { return gob.NewEncoder(&buf).EncodeValue(v) }); gobErr == nil {
		gobErr = safely(func() error { return gob.NewDecoder(&buf).DecodeValue(viaGob) })
	}
	for _, c := range []*body.Codec{asGo, {GoPeer: true, Zones: true, Arrays: true}} {
		if c.Arrays && typ != v.Type() {
			continue // the fields have to be the same then
		}
		got := reflect.New(typ)
		b, err := c.Append(nil, v.Interface())
		if err == nil {
			err = c.Decode(b, got.Interface())
		}
		want := viaGob.Elem()
		switch {
		case gobErr != nil && (err != nil || typ != v.Type()):
			continue
		case gobErr != nil:
			want = v
		case err != nil && strings.Contains(err.Error(), "nothing else to send"):
			continue // what cannot be sent cannot be taken either: package gob does that
		case err != nil:
			t.Errorf("%v\ninto %v\ngob carries it, here: %v\nvalue %s", v.Type(), typ, err, canon(v))
			return
		}
		if w, g := canon(want), canon(got.Elem()); w != g {
			t.Errorf("%v\ninto %v (gob: %v)\nsent %s\nwant %s\ngot  %s", v.Type(), typ, gobErr, canon(v), w, g)
			return
		}
	}
}

// safely turns panics of package gob into errors.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f()
}

// typed makes structs of positions of any one type.
type typed[T any] struct {
	viaduct.Positional
	V T
	W *T
	C chan T
}

// TestRandomParams sends lists of parameters, as they are and into typed ones, and back.
func TestRandomParams(t *testing.T) {
	registerTypes()
	seed := *randomSeed
	if seed == 0 {
		seed = time.Now().UnixNano()
	}
	t.Logf("-random.seed=%d", seed)
	g := &generator{rand.New(rand.NewSource(seed))}
	for range *randomCount {
		sent := make(viaduct.Params, g.Intn(5))
		for i := range sent {
			sent[i] = g.dynamic(3)
		}
		b, err := asGo.AppendParams(nil, sent, body.NoLimit)
		require.NoError(t, err)
		var got viaduct.Params
		require.NoError(t, asGo.DecodeParams(b, &got, nil))
		require.Equal(t, canon(reflect.ValueOf([]any(sent))), canon(reflect.ValueOf([]any(got))))
	}
	positions[int8](t, g)
	positions[uintptr](t, g)
	positions[time.Time](t, g)
	positions[[]Flat](t, g)
	positions[map[string]*Flat](t, g)
	positions[any](t, g)
	positions[[]any](t, g)
	positions[GobVal](t, g)
	positions[Embed](t, g)
	positions[*WithChan](t, g)
	positions[[3]NBytes](t, g)
}

func positions[T any](t *testing.T, g *generator) {
	for range 20 {
		v := g.value(reflect.TypeFor[typed[T]](), 4)
		sent := v.Interface().(typed[T])
		var got, again typed[T]
		b, err := asGo.AppendParams(nil, sent, body.NoLimit)
		require.NoError(t, err)
		require.NoError(t, asGo.DecodeParams(b, &got, nil))
		require.Equal(t, canon(v), canon(reflect.ValueOf(got)))
		b, err = asGo.AppendParams(nil, viaduct.Params{&sent.V, sent.W}, body.NoLimit)
		require.NoError(t, err)
		require.NoError(t, asGo.DecodeParams(b, &again, nil), "%T", sent)
		require.Equal(t, canon(v), canon(reflect.ValueOf(again)))
	}
}

// canon writes v so that values which package gob takes for the same are the same: nil, what is
// empty, and a pointer to a zero. Fields that are zero are left out, and pointers.
func canon(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		_, offset := x.Zone()
		return zeroOr(v, fmt.Sprint(x.UnixNano(), x.Unix(), offset, x.Location() == time.UTC))
	case fmt.Stringer:
		if v.Kind() == reflect.Struct {
			return zeroOr(v, x.String())
		}
	}
	switch v.Kind() {
	case reflect.Chan, reflect.Func:
		return ""
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return ""
		}
		if s := canon(v.Elem()); v.Kind() == reflect.Pointer || s == "" {
			return s
		}
		return fmt.Sprintf("%v:%s", v.Elem().Type(), canon(v.Elem()))
	case reflect.Struct:
		return canonStruct(v)
	case reflect.Slice, reflect.Array:
		var list []string
		all := ""
		for i := range v.Len() {
			list = append(list, canon(v.Index(i)))
			all += list[i]
		}
		if len(list) == 0 || v.Kind() == reflect.Array && all == "" {
			return ""
		}
		return "[" + strings.Join(list, " ") + "]"
	case reflect.Map:
		return canonMap(v)
	case reflect.String:
		return zeroOr(v, fmt.Sprintf("%q", v.String()))
	}
	return zeroOr(v, fmt.Sprint(v.Interface()))
}

func zeroOr(v reflect.Value, s string) string {
	if v.IsZero() || s == "0" || s == "-0" || s == "(0+0i)" {
		return ""
	}
	return s
}
