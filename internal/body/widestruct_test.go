package body_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWideStruct: how many fields stand before an embedded struct makes no difference. Where it has come
// by its own key, the fields in it are not taken from keys of their own.
func TestWideStruct(t *testing.T) {
	for _, n := range []int{0, 1, 63, 64, 70, 200} {
		var fields []reflect.StructField
		for i := range n {
			fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: reflect.TypeFor[int]()})
		}
		fields = append(fields,
			reflect.StructField{Name: "Base", Type: reflect.TypeFor[Base](), Anonymous: true},
			reflect.StructField{Name: "Place", Type: reflect.TypeFor[Place](), Anonymous: true})
		into := reflect.New(reflect.StructOf(fields))
		sent := reflect.New(reflect.StructOf(append(fields, reflect.StructField{Name: "X", Type: reflect.TypeFor[int]()}))).Elem()
		sent.FieldByName("Place").Set(reflect.ValueOf(Place{1, 2}))
		sent.FieldByName("X").SetInt(3)
		b, err := asGo.Append(nil, sent.Interface())
		require.NoError(t, err)
		require.NoError(t, asGo.Decode(b, into.Interface()))
		require.Equal(t, Place{1, 2}, into.Elem().FieldByName("Place").Interface(), "behind %d fields", n)
	}
}
