package gobwire

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type (
	two[T any]     struct{ A, B *T }
	sixteen[T any] struct{ V two[two[two[two[T]]]] }

	// The types of a syntax tree refer to each other.
	block struct{ List []*stmt }
	stmt  struct {
		Expr *expr
		Body *block
		Else *stmt
		Func *fun
	}
	expr struct {
		Left, Right *expr
		Func        *fun
		Call        *call
	}
	fun struct {
		Args []*expr
		Body *block
	}
	call struct {
		Func *fun
		Args []*expr
		In   *stmt
	}
)

// TestShapes: each type is looked at once, though there are 2 to the 40 ways to the innermost.
func TestShapes(t *testing.T) {
	type deep = sixteen[sixteen[sixteen[sixteen[sixteen[sixteen[sixteen[sixteen[sixteen[sixteen[int]]]]]]]]]]
	found := make(chan shape)
	go func() { found <- shapeOf(reflect.TypeFor[deep]()) }()
	select {
	case s := <-found:
		require.Equal(t, shape{}, s)
	case <-time.After(time.Minute):
		t.Fatal("it takes too long")
	}
	for _, c := range []struct {
		of   any
		want shape
	}{
		{block{}, shape{endless: true}},
		{call{}, shape{endless: true}},
		{two[int]{}, shape{}},
		{struct{ A, B two[two[int]] }{}, shape{}},
		{struct{ A []any }{}, shape{open: true, endless: true}},
		{struct{ A, B *time.Time }{}, shape{}},
	} {
		require.Equal(t, c.want, shapeOf(reflect.TypeOf(c.of)), "%T", c.of)
	}
}

// TestDeepValues: such types are sent as others are.
func TestDeepValues(t *testing.T) {
	one := 1
	v := sixteen[sixteen[int]]{V: two[two[two[two[sixteen[int]]]]]{A: &two[two[two[sixteen[int]]]]{B: &two[two[sixteen[int]]]{
		A: &two[sixteen[int]]{B: &sixteen[int]{V: two[two[two[two[int]]]]{A: &two[two[two[int]]]{A: &two[two[int]]{A: &two[int]{B: &one}}}}}}}}}}
	b, err := Encoding{}.Append(nil, v)
	require.NoError(t, err)
	var got sixteen[sixteen[int]]
	require.NoError(t, Encoding{}.Decode(b, &got))
	require.Equal(t, v, got)
}
