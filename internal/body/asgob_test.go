package body_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
)

type (
	Place struct{ X, Y int }
	Deep  struct{ Place }
	low   struct{ X, Y int }
	quiet struct{ _ int }

	places   struct{ X, Y, Z int }
	placed   struct{ Place }
	shadowed struct {
		Place
		X int
	}
	twoPlaces struct {
		Place
		Other
	}
	Other  struct{ X, W int }
	tagged struct {
		Place
		Z int `msgpack:"X"`
	}
	leftOutPlace struct {
		Place `msgpack:"-"`
		Z     int
	}
	moment struct{ At time.Time }
	stamps struct {
		time.Time
		Note string
	}
	textOfList []chan int
	textOfMap  map[string]func()
	textOfPart struct{ L []chan int }
)

func (x textOfList) MarshalText() ([]byte, error)  { return []byte("list"), nil }
func (x *textOfList) UnmarshalText(b []byte) error { *x = make(textOfList, len(b)); return nil }
func (x textOfMap) MarshalText() ([]byte, error)   { return []byte("map"), nil }
func (x *textOfMap) UnmarshalText(b []byte) error  { *x = textOfMap{string(b): nil}; return nil }
func (x textOfPart) MarshalText() ([]byte, error)  { return []byte("part"), nil }
func (x *textOfPart) UnmarshalText(b []byte) error { x.L = make([]chan int, len(b)); return nil }

var asGo = &body.Codec{GoPeer: true, Zones: true}

// into sends v and has it decoded into a value like init, or over gob.
func into(t *testing.T, c *body.Codec, v, init any) (got any, err error) {
	p := reflect.New(reflect.TypeOf(init))
	p.Elem().Set(reflect.ValueOf(init))
	if c == nil {
		var buf bytes.Buffer
		if err := gob.NewEncoder(&buf).Encode(v); err != nil {
			return nil, err
		}
		err = gob.NewDecoder(&buf).DecodeValue(p)
		return p.Elem().Interface(), err
	}
	b, err := c.Append(nil, v)
	require.NoError(t, err)
	err = c.Decode(b, p.Interface())
	return p.Elem().Interface(), err
}

// TestAsGob: what arrives in another type is what package gob makes of it.
func TestAsGob(t *testing.T) {
	noon := time.Date(2024, 5, 6, 12, 0, 0, 7, time.FixedZone("", 2*3600))
	list, none := []int(nil), map[string]int(nil)
	for _, tt := range []struct{ sent, init, want any }{
		// Promoted fields.
		{places{1, 2, 3}, struct {
			Place
			Z int
		}{}, struct {
			Place
			Z int
		}{Place{1, 2}, 3}},
		{places{1, 2, 3}, placed{}, placed{Place{1, 2}}},
		{places{1, 2, 3}, struct {
			low
			Z int
		}{}, struct {
			low
			Z int
		}{low{1, 2}, 3}},
		{places{1, 2, 3}, struct{ Deep }{}, struct{ Deep }{Deep{Place{1, 2}}}},
		{places{1, 2, 3}, shadowed{}, shadowed{X: 1, Place: Place{Y: 2}}},
		{places{1, 2, 3}, twoPlaces{}, twoPlaces{Place: Place{Y: 2}}}, // X is ambiguous
		{placed{Place{1, 2}}, struct{ Place Place }{}, struct{ Place Place }{Place{1, 2}}},
		{struct{ X chan int }{nil}, placed{}, nil},

		// What is nil.
		{[]*[]int{&list}, []*[]int(nil), []*[]int{{}}},
		{[]*map[string]int{&none}, []*map[string]int(nil), []*map[string]int{{}}},
		{map[string]*[]int{"a": &list}, map[string]*[]int(nil), map[string]*[]int{"a": {}}},
		{[]*[]byte{new([]byte)}, []*[]byte(nil), []*[]byte{{}}},
		{[]**[]int{to(&list)}, []**[]int(nil), []**[]int{to(&[]int{})}},
		{struct {
			A *int
			B int
		}{nil, 2}, struct{ A, B int }{7, 8}, struct{ A, B int }{7, 2}},
		{struct {
			A *Place
			B int
		}{nil, 2}, struct {
			A Place
			B int
		}{Place{5, 6}, 1}, struct {
			A Place
			B int
		}{Place{5, 6}, 2}},
		{struct {
			At *time.Time
			B  int
		}{nil, 2}, struct {
			At time.Time
			B  int
		}{noon, 1}, struct {
			At time.Time
			B  int
		}{noon, 2}},
		{struct {
			S *string
			L *[]int
			A *[2]int
			G *GobVal
			B int
		}{B: 2}, struct {
			S string
			A [2]int
			G GobVal
			B int
		}{"s", [2]int{1, 2}, GobVal{3}, 1}, struct {
			S string
			A [2]int
			G GobVal
			B int
		}{"s", [2]int{1, 2}, GobVal{3}, 2}},

		// Times.
		{noon, stamps{}, stamps{Time: noon}},
		{stamps{Time: noon}, time.Time{}, noon},
		{moment{noon}, struct{ At stamps }{}, struct{ At stamps }{stamps{Time: noon}}},
		{struct{ At stamps }{stamps{Time: noon}}, moment{}, moment{noon}},
		{[]time.Time{noon, noon.UTC()}, []stamps(nil), []stamps{{Time: noon}, {Time: noon.UTC()}}},
		{noon, time.Time{}, noon}, {noon.UTC(), time.Time{}, noon.UTC()},
		{noon.In(time.FixedZone("", -(5*3600 + 30*60))), time.Time{}, noon.In(time.FixedZone("", -(5*3600 + 30*60)))},
		{map[time.Time]int{noon: 1}, map[time.Time]int(nil), nil},

		// Chans, funcs and uintptr.
		{struct {
			A int
			C chan int
			F **func()
		}{1, make(chan int), nil}, struct {
			A int
			C *chan int
		}{}, struct {
			A int
			C *chan int
		}{A: 1}},
		{struct{ A int }{1}, struct {
			A int
			C chan int
		}{}, struct {
			A int
			C chan int
		}{A: 1}},
		{uintptr(1 << 30), uint32(0), uint32(1 << 30)},
		{[]uintptr{1, 2}, []uintptr(nil), []uintptr{1, 2}},
		{struct{ U uintptr }{5}, struct{ U uint8 }{}, struct{ U uint8 }{5}},
		{struct{ U uintptr }{300}, struct{ U uint8 }{}, nil},
		{struct{ A, C int }{1, 2}, struct {
			A int
			C chan int
		}{}, nil},
	} {
		t.Run(fmt.Sprintf("%T into %T", tt.sent, tt.init), func(t *testing.T) {
			want, gobErr := into(t, nil, tt.sent, tt.init)
			if reflect.TypeOf(tt.sent) == reflect.TypeOf(struct{ X chan int }{}) {
				_, err := asGo.Append(nil, tt.sent)
				require.Error(t, err)
				require.Error(t, gobErr)
				return
			}
			got, err := into(t, asGo, tt.sent, tt.init)
			require.Equal(t, gobErr != nil, err != nil, "gob: %v, here: %v", gobErr, err)
			if err != nil {
				return
			}
			require.Empty(t, sameValue(want, got, cmpopts.EquateEmpty()), "gob, which does not tell nil from empty")
			if tt.want != nil {
				require.Equal(t, tt.want, got)
			}
		})
	}
}

// TestPromotedHere: what is particular to this package.
func TestPromotedHere(t *testing.T) {
	got, err := into(t, asGo, places{1, 2, 3}, struct {
		*Place
		Z int
	}{})
	require.NoError(t, err)
	require.Equal(t, struct {
		*Place
		Z int
	}{&Place{1, 2}, 3}, got, "gob panics")
	_, err = into(t, asGo, places{1, 2, 3}, struct {
		*low
		Z int
	}{})
	require.ErrorContains(t, err, "field X: type mismatch: the field is in an embedded *body_test.low")
	got, err = into(t, asGo, places{1, 2, 3}, struct {
		*low
		Z int
	}{low: &low{}})
	require.NoError(t, err)
	require.Equal(t, struct {
		*low
		Z int
	}{&low{1, 2}, 3}, got)
	got, err = into(t, asGo, places{1, 2, 3}, tagged{})
	require.NoError(t, err)
	require.Equal(t, tagged{Place{Y: 2}, 1}, got, "its own key wins")
	got, err = into(t, asGo, struct {
		Place
		X int
	}{Place{1, 2}, 3}, placed{})
	require.NoError(t, err)
	require.Equal(t, placed{Place{1, 2}}, got, "so does the key of what is embedded")
	got, err = into(t, asGo, struct {
		*Place
		X int
	}{nil, 3}, placed{})
	require.NoError(t, err)
	require.Equal(t, placed{Place{X: 3}}, got, "but not a nil")
	got, err = into(t, asGo, places{1, 2, 3}, leftOutPlace{})
	require.NoError(t, err)
	require.Equal(t, leftOutPlace{Z: 3}, got)
}

// TestPointerToNilInField: gob leaves it out there.
func TestPointerToNilInField(t *testing.T) {
	type lists struct {
		A *[]int
		B *map[string]int
		C *[]byte
	}
	for _, c := range []*body.Codec{asGo, new(body.Codec)} {
		got, err := into(t, c, lists{new([]int), new(map[string]int), new([]byte)}, lists{})
		require.NoError(t, err)
		require.Equal(t, lists{&[]int{}, &map[string]int{}, &[]byte{}}, got)
	}
}

// TestTimeKeys: times of one instant stay apart, or are an error.
func TestTimeKeys(t *testing.T) {
	noon := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	keys := map[time.Time]int{noon: 1, noon.In(time.FixedZone("", 3600)): 2}
	got, err := into(t, asGo, keys, map[time.Time]int(nil))
	require.NoError(t, err)
	require.Len(t, got, 2)
	anys := map[any]any{noon: 1, noon.In(time.FixedZone("", 3600)): 2}
	got, err = into(t, asGo, anys, map[any]any(nil))
	require.NoError(t, err)
	require.Len(t, got, 2)
	for _, v := range []any{keys, anys, []any{anys}} {
		_, err = into(t, new(body.Codec), v, reflect.Zero(reflect.TypeOf(v)).Interface())
		require.ErrorContains(t, err, "some are equal", "%T", v)
	}
}

// TestTextOfWhatCannotBeSent: it is all that is left of such types.
func TestTextOfWhatCannotBeSent(t *testing.T) {
	for _, c := range []*body.Codec{asGo, new(body.Codec)} {
		for _, v := range []any{
			textOfList{nil, nil, nil, nil}, textOfMap{"map": nil}, textOfPart{make([]chan int, 4)}, TextChan{},
			[]textOfList{make(textOfList, 4)}, struct{ P textOfPart }{textOfPart{make([]chan int, 4)}},
		} {
			require.NoError(t, body.Check(v))
			got, err := into(t, c, v, reflect.Zero(reflect.TypeOf(v)).Interface())
			require.NoError(t, err)
			require.Equal(t, v, got)
		}
	}
}

// TestCheckNamesWhatIsLeftOut although the call works, unless the program says that this is meant.
func TestCheckNamesWhatIsLeftOut(t *testing.T) {
	type (
		withChan struct {
			A int
			C chan int
		}
		withLow struct {
			*low
			C int
		}
	)
	for want, v := range map[string]any{
		"field C: type chan int cannot be sent, and the field is left out": withChan{},
		"field [].C: type chan int":                                        []withChan{},
		"field F: type *func()": struct {
			A int
			F *func()
		}{},
		"field low: *body_test.low is embedded and not exported, so what is in it (X, Y) is not sent": withLow{},
		"field L.low": struct{ L *withLow }{},
		"field low: body_test.low is embedded": struct {
			low
			C int
		}{},
	} {
		require.ErrorContains(t, body.Check(v), want)
		_, err := asGo.Append(nil, v)
		require.NoError(t, err, "%T", v)
	}
	for _, v := range []any{
		struct {
			A int
			C chan int `msgpack:"-"`
		}{},
		struct {
			*low `msgpack:"-"`
			C    int
		}{},
		struct {
			quiet
			C int
		}{},
	} {
		require.NoError(t, body.Check(v), "%T", v)
	}
	for _, v := range []any{make(chan int), []chan int{}, map[string]func(){}, [1]chan int{}} {
		require.ErrorContains(t, body.Check(v), "cannot be sent")
		_, err := asGo.Append(nil, v)
		require.ErrorContains(t, err, "cannot be sent")
	}
	require.ErrorContains(t, body.Check([]chan int{}), "MarshalText")
}

// TestUntoldType: what is passed as it is to a method that takes an interface. Package gob refuses
// it.
func TestUntoldType(t *testing.T) {
	registerTypes()
	client := linkOverViaduct(true)(serverOf(t, "Takes", Takes{}))
	defer client.Close()
	for _, tt := range []struct {
		args      any
		want, how string
	}{
		{Flat{1, 2}, `map[string]interface {}{"A":1, "B":2}`, `body_test.Flat{A:1, B:2}`},
		{int8(5), "5", "5"},
	} {
		var got string
		require.NoError(t, client.Call("Takes.Any", tt.args, &got))
		require.Equal(t, tt.want, got)
		require.NoError(t, client.Call("Takes.Any", &tt.args, &got))
		require.Equal(t, tt.how, got)
	}
	require.Contains(t, body.Explain(new(any)), "pass a pointer to an interface variable to keep the type")
}
