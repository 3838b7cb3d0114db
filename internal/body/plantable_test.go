package body_test

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/netip"
	"net/rpc"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
)

// typeCase is a value that is sent as an argument and returned as the reply.
type typeCase struct {
	name string
	// What is not as with package gob, between Go programs and to any other peer: how the value
	// differs, or a part of the error's text. All else has to be the same.
	differs, openDiffers string
	refuses, openRefuses string
	// what gob refuses, so that the value has to come back as it was sent
	gobRefuses bool

	roundTrip func(t *testing.T, link func(*rpc.Server) *rpc.Client, byPointer bool) (seen, reply any, err error)
	sent      any
	overGob   func() error // tries gob alone: in net/rpc its panics end the process
}

// typeGroup is a section of TYPES.md.
type typeGroup struct {
	title string
	cases []typeCase
}

type option func(*typeCase)

func differs(how string) option     { return func(c *typeCase) { c.differs, c.openDiffers = how, how } }
func openDiffers(how string) option { return func(c *typeCase) { c.openDiffers = how } }
func refuses(text string) option    { return func(c *typeCase) { c.refuses, c.openRefuses = text, text } }
func openRefuses(text string) option {
	return func(c *typeCase) { c.openRefuses = text }
}
func gobRefuses(c *typeCase) { c.gobRefuses = true }

// Echo is a service for any type.
type Echo[T any] struct{ seen *T }

func (e Echo[T]) Do(arg T, reply *T) error {
	*e.seen = arg
	*reply = arg
	return nil
}

func row[T any](name string, v T, opts ...option) typeCase {
	c := typeCase{name: name, sent: v}
	for _, o := range opts {
		o(&c)
	}
	c.roundTrip = func(t *testing.T, link func(*rpc.Server) *rpc.Client, byPointer bool) (any, any, error) {
		var seen, reply T
		server := rpc.NewServer()
		require.NoError(t, server.RegisterName("Echo", Echo[T]{&seen}))
		client := link(server)
		defer client.Close()
		var arg any = v
		if byPointer {
			arg = &v
		}
		err := client.Call("Echo.Do", arg, &reply)
		return seen, reply, err
	}
	c.overGob = func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		var buf bytes.Buffer
		var out T
		if err := gob.NewEncoder(&buf).Encode(&v); err != nil {
			return err
		}
		if err := gob.NewDecoder(&buf).Decode(&out); err != nil {
			return err
		}
		return gob.NewEncoder(io.Discard).Encode(&out)
	}
	return c
}

func typeTable() []typeGroup {
	utc := time.Date(2024, 2, 29, 12, 30, 45, 123456789, time.UTC)
	user, _ := url.Parse("https://me:secret@example.com:8080/a%2Fb?q=1#frag")
	f, _, _ := big.ParseFloat("1.25e100", 10, 200, big.ToNearestEven)
	huge, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	long := strings.Repeat("0123456789abcdef", 5000)
	kids := map[string]*Node{"a": {V: 1}, "b": {V: 2, List: []Node{{V: 3}}}}
	return []typeGroup{
		{"Booleans and numbers", []typeCase{
			row("bool true", true), row("bool false", false), row("uintptr", uintptr(7)), row("uintptr field", WithUptr{7}),
			row("int max", math.MaxInt), row("int min", math.MinInt), row("int zero", 0),
			row("int -1", -1), row("int -33", -33), row("int 127", 127), row("int 128", 128),
			row("int8 min", int8(math.MinInt8)), row("int8 max", int8(math.MaxInt8)),
			row("int16 min", int16(math.MinInt16)), row("int16 max", int16(math.MaxInt16)),
			row("int32 min", int32(math.MinInt32)), row("int32 max", int32(math.MaxInt32)),
			row("int64 min", int64(math.MinInt64)), row("int64 max", int64(math.MaxInt64)),
			row("uint max", uint(math.MaxUint)), row("uint8 max", uint8(math.MaxUint8)),
			row("uint16 max", uint16(math.MaxUint16)), row("uint32 max", uint32(math.MaxUint32)), row("uint64 max", uint64(math.MaxUint64)),
			row("uint64 1<<63", uint64(1<<63)),
			row("float32 max", float32(math.MaxFloat32)), row("float32 smallest", float32(math.SmallestNonzeroFloat32)),
			row("float64 max", math.MaxFloat64), row("float64 smallest", math.SmallestNonzeroFloat64),
			row("float64 Inf", math.Inf(-1)), row("float64 NaN", math.NaN()), row("float32 NaN", float32(math.NaN())),
			row("float64 -0", math.Copysign(0, -1)),
			row("complex64", complex64(complex(1.5, -2))), row("complex128", complex(math.MaxFloat64, math.Inf(1))),
			row("complex128 zero", complex128(0)), row("named complex", NPlex(complex(1, 2))),
		}},
		{"Strings and bytes", []typeCase{
			row("string", "text"), row("string empty", ""), row("string of 80,000", long), row("string of 31", long[:31]),
			row("string of 32", long[:32]), row("string of 255", long[:255]), row("string of 256", long[:256]),
			row("string invalid UTF-8", "\xff\x00\xc3("), row("string unicode", "日本語\u0000é"),
			row("bytes", []byte{0, 255}), row("bytes nil", []byte(nil)), row("bytes empty", []byte{}, differs(keepsEmpty)),
			row("bytes of 70,000", []byte(long[:70000])), row("byte array", [3]byte{1, 2, 3}), row("named byte array", [3]NByte{1, 2, 3}),
			row("named byte slice", []NByte{1, 2, 3}), row("byte array empty", [0]byte{}), row("byte arrays", [][2]byte{{1, 2}, {3, 4}}),
			row("byte array values of a map", map[string][2]byte{"a": {1, 2}}),
			row("byte array keys", map[[2]byte]int{{1, 2}: 3}), row("named byte array values of a map", map[string][2]NByte{"a": {1, 2}}),
		}},
		{"Named types", []typeCase{
			row("named int", NInt(-7)), row("named string", NString("n\xfe")), row("named bytes", NBytes("nb")),
			row("named float", NFloat(1.25)), row("named bool", NBool(true)), row("named byte", NByte(200)),
			row("named map", NMap{"k": 3}), row("named slice", NSlice{1, -2}), row("duration", time.Hour),
		}},
		{"Slices and arrays", []typeCase{
			row("slice", []int{1, -2, 1 << 30}), row("slice nil", []int(nil)), row("slice empty", []int{}, differs(keepsEmpty)),
			row("slice of 20", make([]int, 20)), row("slice of 70,000", make([]bool, 70000)),
			row("strings", []string{"a", "", "c"}), row("int8s", []int8{-128, 127}), row("slices", [][]int{{1}, {}, nil, {2, 3}}, differs(keepsEmpty)),
			row("pointers", []*Flat{{1, 2}, {}}), row("pointers with nil", []*Flat{{1, 2}, nil}, gobRefuses),
			row("array", [3]int{1, 2, 3}), row("array empty", [0]int{}), row("arrays", [2][2]string{{"a"}, {"", "d"}}),
			row("structs array", [2]Flat{{1, 2}, {}}),
		}},
		{"Maps", []typeCase{
			row("map", map[string]int{"a": 1, "": 0}), row("map nil", map[string]int(nil), differs(keepsNilMap)), row("map empty", map[string]int{}),
			row("map int keys", map[int]string{-1: "a", 1 << 30: "b"}), row("map int8 keys", map[int8]int{-128: 1}),
			row("map int16 keys", map[int16]int{-300: 1}), row("map int32 keys", map[int32]int{-70000: 1}), row("map int64 keys", map[int64]int{math.MinInt64: 1}),
			row("map uint keys", map[uint]int{math.MaxUint: 1}), row("map uint8 keys", map[uint8]int{255: 1}), row("map uint16 keys", map[uint16]int{65535: 1}),
			row("map uint32 keys", map[uint32]int{math.MaxUint32: 1}), row("map uint64 keys", map[uint64]int{math.MaxUint64: 1}),
			row("map bool keys", map[bool]int{true: 1, false: 2}), row("map float keys", map[float64]int{1.5: 1, -2: 2}), row("map float32 keys", map[float32]int{0.1: 1}),
			row("map complex keys", map[complex128]int{1i: 1}), row("map struct keys", map[Flat]int{{1, 2}: 3}),
			row("map array keys", map[[2]int]string{{1, 2}: "x"}), row("map named keys", map[NString]NInt{"x": 2}),
			row("map any keys", map[any]int{"a": 1, 2: 3}), row("map time keys", map[time.Time]int{utc: 1}),
			row("map addr keys", map[netip.Addr]int{netip.MustParseAddr("::1"): 1}),
			row("map of 100", func() map[int]string {
				m := make(map[int]string)
				for i := range 100 {
					m[i*7] = fmt.Sprint(i)
				}
				return m
			}()),
			row("map of maps", map[string]map[int]bool{"a": {1: true}, "b": nil, "c": {}}, differs(keepsEmpty)),
			row("map of slices", map[string][]string{"a": {"b"}}),
			row("map of structs", map[string]Flat{"a": {1, 2}}), row("map of pointers", map[string]*Flat{"a": {1, 2}}),
		}},
		{"Pointers", []typeCase{
			row("pointer", to(7)), row("pointer to pointer", to(to(7))), row("pointer nil", (*int)(nil), gobRefuses, differs(noPointer)),
			row("pointer to nil pointer", to((*int)(nil)), gobRefuses, differs(noPointer)), row("pointer to struct", &Flat{1, 2}),
			row("pointer to slice", &[]int{1}), row("pointer to map", &map[string]int{"a": 1}), row("pointer to string", to("x")),
		}},
		{"Structs", []typeCase{
			row("struct", Flat{-1, 1 << 30}), row("struct zero", Flat{}), row("struct pointers", Ptrs{to(1), nil}),
			row("struct pointers to zero", Ptrs{to(0), nil}, differs(keepsZero)), row("struct pointer to pointer", PP{to(&Flat{1, 2})}),
			row("struct pointer to nil pointer", PP{to((*Flat)(nil))}),
			row("struct of lists", Lists{N: nil, E: []int{1}, B: nil, C: []byte("x"), M: nil, O: map[string]int{"a": 1}, S: []string{""}}),
			row("struct of empty lists", Lists{E: []int{}, C: []byte{}, O: map[string]int{}}, differs(keepsEmpty)),
			row("embedded", Embed{Base{1}, "n"}), row("embedded pointer", EmbedPtr{&Base{1}, "n"}), row("embedded nil pointer", EmbedPtr{nil, "n"}),
			row("shadowed field", Shadow{Base{1}, "s"}), row("embedded unexported", EmbedLow{lower{0}, 2}), row("embedded unexported, set", EmbedLow{lower{1}, 2}),
			row("unexported field", Hidden{1, 0}), row("unexported field, set", Hidden{1, 2}), row("only unexported fields", OnlyHidden{1, 2}, gobRefuses, refuses("no exported field")),
			row("tags", Tagged{1, 2, 3}), row("tags, zero", Tagged{}), row("tag -", Minus{1, 0}), row("tag -, set", Minus{1, 2}, differs(leftOut)),
			row("one tag twice", SameTag{1, 2}, refuses(`two fields named "x"`)), row("swapped tags", SwapTag{1, 2}),
			row("20 omitempty fields", Omit20{A: 1, J: 2, K: "k", T: "t"}), row("18 omitempty fields, all set", Many20{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, "a", "b", "c", "d", "e", "f", []int{1}, []int{2}}),
			row("18 omitempty fields, none set", Many20{}), row("18 omitempty fields, one set", Many20{P: "x"}),
			row("non-ASCII fields", Umlaut{1, "w", []byte("x")}), row("anonymous struct", struct{ A, B string }{"a", "b"}),
			row("recursive struct", Tree{Left: &Tree{V: 1}, Right: &Tree{Right: &Tree{V: 2}}, V: 3}), row("recursive maps", Node{Kids: kids, V: 4}),
			row("recursive slice", RSlice{{}, {{}, {}}}, differs(keepsEmpty)), row("recursive map", RMap{"a": {"b": {}}}), row("all kinds", Wide{-1, 2, 3, 4.5, 5.5, 6i, "s", true, utc, 7, [3]int16{1, 2, 3}, [4]byte{4}}),
			row("all kinds, zero", Wide{}),
			row("empty struct", struct{}{}), row("empty struct field", WithEmpty{A: 1}), row("set of empty structs", map[string]struct{}{"a": {}}),
		}},
		{"Times", []typeCase{
			row("time", utc), row("time zero", time.Time{}), row("time zone", utc.In(time.FixedZone("X", 3600)), openDiffers(inUTC)), row("time before 1970", time.Date(1900, 1, 1, 0, 0, 0, 1, time.UTC)),
			row("time far", time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)), row("time of this machine", time.Now(), openDiffers(inUTC)), row("time unix 0", time.Unix(0, 0), openDiffers(inUTC)), row("times", []time.Time{utc, {}}),
			row("time 1<<34", time.Unix(1<<34, 5).UTC()), row("embedded time", Stamp{utc, ""}), row("embedded time and a field", Stamp{utc, "lost by gob, too"}),
		}},
		{"Types of the standard library", []typeCase{
			row("big", Big{huge, f, big.NewRat(-3, 7)}, openDiffers(precision)), row("big nil", Big{}), row("big.Int", *huge), row("big.Int pointer", huge, gobRefuses), row("big.Int zero", big.NewInt(0), gobRefuses), row("big value field", BigVal{*big.NewInt(5)}),
			row("big.Float", f, gobRefuses, openDiffers(precision)), row("big.Float precision", big.NewFloat(0.1), gobRefuses, openDiffers(precision)), row("big.Rat", big.NewRat(22, 7), gobRefuses), row("big.Ints", []*big.Int{huge, big.NewInt(1)}),
			row("netip", Addrs{netip.MustParseAddr("10.1.2.3"), netip.MustParsePrefix("fe80::/10"), netip.MustParseAddrPort("[::1]:80")}), row("netip zero", Addrs{}), row("netip.Addr zone", netip.MustParseAddr("fe80::1%eth0")),
			row("netip.Addr", netip.MustParseAddr("192.0.2.1")), row("netip.Prefix", netip.MustParsePrefix("192.0.2.0/24")),
			row("url", *user), row("url pointer", user, gobRefuses), row("url field", Link{*user}), row("url pointer field", LinkP{user}), row("url nil field", LinkP{}),
			row("net.IP", net.IPv4(1, 2, 3, 4)), row("net.IP of 4 bytes", net.IP{1, 2, 3, 4}), row("net.IP nil", net.IP(nil)), row("net.IP v6", net.ParseIP("2001:db8::1")), row("net.IP field", Host{net.IPv4(1, 2, 3, 4)}),
			row("net.IP of 3 bytes", net.IP{1, 2, 3}),
			row("net.IPNet", net.IPNet{IP: net.IPv4(10, 0, 0, 0), Mask: net.CIDRMask(8, 32)}), row("net.HardwareAddr", net.HardwareAddr{1, 2, 3}),
		}},
		{"Types with methods of their own", []typeCase{
			row("GobEncode by value", GobVal{7}, openRefuses("to a Go program only")), row("GobEncode by pointer", GobPtr{7}, openRefuses("to a Go program only")),
			row("GobEncode pointers", []*GobPtr{{1}, {2}}, openRefuses("to a Go program only")), row("GobEncode map values", map[string]GobPtr{"a": {3}}, gobRefuses, openRefuses("to a Go program only")),
			row("MarshalBinary by value", BinVal{7}), row("MarshalBinary by pointer", BinPtr{7}), row("MarshalBinary pointer", &BinPtr{7}, gobRefuses), row("MarshalBinary slice", []BinPtr{{1}, {2}}), row("MarshalBinary map keys", map[BinVal]int{{1}: 2}),
			row("marshalers", Marshalers{GobVal{1}, &GobPtr{2}, []BinVal{{3}}, map[string]BinVal{"x": {4}}, GobPtr{5}}, openRefuses("field A: type body_test.GobVal")),
			row("MarshalText alone", TextVal{"x"}), row("MarshalText alone, in a field", Texts{TextVal{"x"}}), row("MarshalText of hidden fields", TextHid{"x"}, gobRefuses), row("MarshalText of a number", Level(3)), row("MarshalText map keys", map[Level]int{4: 5}),
			row("MarshalText that loses", Lossy{"a", "b"}),
			row("MarshalMsg", Msgp{5}, gobRefuses), row("MarshalMsg in fields", MsgpIn{Msgp{5}, &Msgp{6}, []Msgp{{7}}}, gobRefuses),
			row("GobEncode without GobDecode", HalfGob{5}, gobRefuses), row("GobEncode fails", Failing{5}, gobRefuses, refuses("will not"), openRefuses("to a Go program only")),
		}},
		{"Interfaces", []typeCase{
			row("any int", Anys{7, nil}), row("any string", Anys{"x", "\xff"}), row("any float", Anys{1.5, math.Inf(1)}), row("any bool", Anys{true, false}), row("any nil", Anys{}), row("any bytes", Anys{[]byte("x"), []byte{1}}),
			row("any int8", Anys{int8(7), uint64(9)}, openDiffers(untyped)), row("any int64", Anys{int64(math.MinInt64), int32(5)}, openDiffers(untyped)), row("any float32", Anys{float32(1.5), nil}, openDiffers(untyped)), row("any complex", Anys{1i, nil}, openDiffers(untyped)), row("any uint64 max", Anys{uint64(math.MaxUint64), nil}),
			row("any time", Anys{utc, nil}), row("any struct", Anys{Flat{1, 2}, nil}, openDiffers(untyped)), row("any struct, not registered", Anys{Loner{1}, nil}, gobRefuses, refuses("not registered"), openDiffers(untyped), openRefuses("")),
			row("any pointer", Anys{&Circle{2}, nil}, openDiffers(untyped)), row("any recursive", Anys{&Tree{Left: &Tree{V: 1}}, nil}, openDiffers(untyped)),
			row("any named", Anys{NInt(2), nil}, openDiffers(untyped)), row("any strings", Anys{[]string{"a"}, nil}, openDiffers(untyped)), row("any big", Anys{huge, nil}, openDiffers(untyped)),
			row("any map", Anys{map[string]any{"a": 1, "b": []any{"x", 2.5, nil}}, nil}), row("any map of ints", Anys{map[string]int{"a": 1}, nil}, openDiffers(untyped)),
			row("any in any", Anys{[]any{[]any{map[string]any{}}}, nil}), row("any nil pointer", Anys{(*Circle)(nil), nil}, gobRefuses, refuses("nil pointer"), openRefuses(""), openDiffers(nilBoxed)),
			row("any nil bytes", Anys{[]byte(nil), nil}, differs(nilInAny)), row("any empty bytes", Anys{[]byte{}, nil}, differs(keepsEmpty)),
			row("any nil map", Anys{map[string]any(nil), nil}, differs(nilInAny)), row("any empty list", Anys{[]any{}, nil}, differs(keepsEmpty)),
			row("any chan", Anys{make(chan int), nil}, gobRefuses, refuses("chan int"), openRefuses("chan int")),
			row("map[string]any", map[string]any{"a": 1, "b": "x", "c": []byte{1}, "d": 1.5}), row("map[string]any of types", map[string]any{"a": Flat{1, 2}, "b": int8(3)}, openDiffers(untyped)),
			row("[]any", []any{1, "x", true, 2.5}), row("[]any of types", []any{Flat{1, 2}, Square{3}}, openDiffers(untyped)), row("[]any with nil", []any{1, nil}),
			row("interface by value", Shapes{Square{2}}, openRefuses("type mismatch")), row("interface by pointer", Shapes{&Circle{2}}, openRefuses("type mismatch")), row("interface nil", Shapes{}),
			row("interfaces", []Shape{Square{1}, &Circle{2}}, openRefuses("type mismatch")), row("interface not registered", Shapes{Loner{1}}, gobRefuses, refuses("not registered"), openRefuses("type mismatch")),
		}},
		{"Types of viaduct", []typeCase{
			row("Ext", viaduct.Ext{Code: 5, Data: []byte{1, 2}}), row("Ext field", struct{ E viaduct.Ext }{viaduct.Ext{Code: -7, Data: []byte{}}}, differs(keepsEmpty)), row("Params", viaduct.Params{1, "x"}),
		}},
		{"What nothing can carry, at least in part", []typeCase{
			row("chan field nil", WithChan{A: 1}), row("chan field", WithChan{1, make(chan int)}),
			row("func field", WithFunc{A: 1}), row("chans", []chan int{nil}, gobRefuses, refuses("field []: type chan int cannot be sent")),
			row("only a chan field", OnlyChan{}, gobRefuses, refuses("field C: type chan int cannot be sent")), row("MarshalText of a chan", TextChan{}, gobRefuses),
			row("mutex field", &WithMutex{A: 1}, gobRefuses, refuses("no exported field")), row("hidden mutex field", &WithLock{A: 1}),
			row("chan", make(chan int), gobRefuses, refuses("chan int cannot be sent")), row("errors", []error{errors.New("x")}, gobRefuses, refuses("not registered"), openRefuses("no exported field")),
		}},
	}
}

// sameValue says how values differ. Types with a method Equal are compared with it.
func sameValue(want, got any, more ...cmp.Option) string {
	switch want.(type) {
	case []bool, []byte: // long ones, faster
		if reflect.DeepEqual(want, got) {
			return ""
		}
	}
	return cmp.Diff(want, got, cmp.Options(more), cmp.Exporter(func(reflect.Type) bool { return true }),
		cmp.Comparer(func(x, y netip.Addr) bool { return x == y }), cmp.Comparer(func(x, y netip.Prefix) bool { return x == y }),
		cmp.Comparer(func(x, y big.Int) bool { return x.Cmp(&y) == 0 }), cmp.Comparer(func(x, y big.Rat) bool { return x.Cmp(&y) == 0 }),
		cmp.Comparer(func(x, y big.Float) bool { return x.Cmp(&y) == 0 && x.Prec() == y.Prec() }),
		cmp.Comparer(func(x, y time.Time) bool {
			// No more of the zones than this: gob takes a zone for the machine's own if that has
			// its offset.
			_, a := x.Zone()
			_, b := y.Zone()
			return x.Equal(y) && a == b && (x.Location() == time.UTC) == (y.Location() == time.UTC)
		}),
		cmp.Comparer(func(x, y chan int) bool { return x == y }),
		cmp.Comparer(func(x, y float32) bool { return x == y || x != x && y != y }),
		cmp.Comparer(func(x, y float64) bool {
			return x == y && math.Signbit(x) == math.Signbit(y) || math.IsNaN(x) && math.IsNaN(y)
		}))
}

func linkOverGob(server *rpc.Server) *rpc.Client {
	x, y := net.Pipe()
	go server.ServeConn(y)
	return rpc.NewClient(x)
}

func linkOverViaduct(goPeer bool) func(*rpc.Server) *rpc.Client {
	return func(server *rpc.Server) *rpc.Client {
		x, y := net.Pipe()
		opts := &viaduct.Options{Server: server}
		if !goPeer {
			opts.Dialect = viaduct.PlainDialect
		}
		go opts.ServeConn(y)
		return opts.NewClient(x)
	}
}

// TestTypes: what package gob carries comes through unchanged, or is an error.
// Where it is neither, or where it is an error, the table says so. What was seen is in TYPES.md.
func TestTypes(t *testing.T) {
	registerTypes()
	var sections []docSection
	names := make(map[string]bool)
	for _, g := range typeTable() {
		section := docSection{title: g.title}
		for _, c := range g.cases {
			require.False(t, names[c.name], "two cases named %q", c.name)
			names[c.name] = true
			t.Run(c.name, func(t *testing.T) { section.rows = append(section.rows, c.run(t)) })
		}
		sections = append(sections, section)
	}
	require.GreaterOrEqual(t, len(names), 100)
	if rows := countRows(sections); rows < len(names) {
		t.Logf("%d of %d cases were run: TYPES.md was not looked at", rows, len(names))
		return
	}
	checkTypesDoc(t, sections)
}

// run tries c in every way and returns its row in TYPES.md.
func (c *typeCase) run(t *testing.T) docRow {
	row := docRow{name: c.name, typ: fmt.Sprintf("%T", c.sent)}
	want := c.sent // or what gob makes of it
	gobErr := c.overGob()
	require.Equal(t, c.gobRefuses, gobErr != nil, "with gob: %v", gobErr)
	row.gob = "same"
	if gobErr != nil {
		row.gob = refused(gobErr)
	} else {
		seen, reply, err := c.roundTrip(t, linkOverGob, true)
		require.NoError(t, err)
		require.Empty(t, sameValue(seen, reply), "gob alone")
		want = reply
		if sameValue(c.sent, want) != "" {
			row.gob = "changed"
		}
	}
	row.goPeer = c.runOver(t, true, want, c.differs, c.refuses)
	row.open = c.runOver(t, false, want, c.openDiffers, c.openRefuses)
	return row
}

// runOver tries c between Go programs or with any peer, and returns what to say of it.
func (c *typeCase) runOver(t *testing.T, goPeer bool, want any, differs, refuses string) (cell string) {
	for _, byPointer := range []bool{true, false} {
		seen, reply, err := c.roundTrip(t, linkOverViaduct(goPeer), byPointer)
		if refuses != "" {
			require.ErrorContains(t, err, refuses, "with a Go peer: %v", goPeer)
			cell = refused(err)
			continue
		}
		require.NoError(t, err, "with a Go peer: %v", goPeer)
		diff := sameValue(want, seen) + sameValue(want, reply)
		require.Equal(t, differs != "", diff != "", "with a Go peer: %v: %s\nsent %#v\ndocumented: %q", goPeer, diff, c.sent, differs)
		cell = "same"
		if diff != "" {
			cell = "differs: " + letter(t, differs)
		}
	}
	return cell
}
