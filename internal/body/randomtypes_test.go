package body_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"sort"
	"strings"
	"time"
)

// generator makes random types and values of them.
type generator struct{ *rand.Rand }

// simpleTypes may be keys of maps, but for the last ones.
var simpleTypes = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](),
	reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](), reflect.TypeFor[uint32](),
	reflect.TypeFor[uint64](), reflect.TypeFor[uintptr](), reflect.TypeFor[string](), reflect.TypeFor[NInt](), reflect.TypeFor[NString](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[Flat](), reflect.TypeFor[[2]byte](), reflect.TypeFor[time.Duration](), reflect.TypeFor[netip.Addr](),
	reflect.TypeFor[float32](), reflect.TypeFor[float64](), reflect.TypeFor[complex64](), reflect.TypeFor[complex128](), reflect.TypeFor[NByte](),
}

const keyTypes = 20

var otherTypes = []reflect.Type{
	reflect.TypeFor[[]byte](), reflect.TypeFor[NBytes](), reflect.TypeFor[big.Int](), reflect.TypeFor[*big.Rat](), reflect.TypeFor[net.IP](),
	reflect.TypeFor[url.URL](), reflect.TypeFor[GobVal](), reflect.TypeFor[GobPtr](), reflect.TypeFor[BinVal](), reflect.TypeFor[TextVal](),
	reflect.TypeFor[Embed](), reflect.TypeFor[EmbedPtr](), reflect.TypeFor[Shadow](), reflect.TypeFor[EmbedLow](), reflect.TypeFor[Hidden](),
	reflect.TypeFor[Ptrs](), reflect.TypeFor[PP](), reflect.TypeFor[Lists](), reflect.TypeFor[Stamp](), reflect.TypeFor[WithChan](),
	reflect.TypeFor[Tree](), reflect.TypeFor[RSlice](), reflect.TypeFor[any](), reflect.TypeFor[any](), reflect.TypeFor[Shape](),
	reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](),
}

func (g *generator) typ(depth int) reflect.Type {
	switch n := g.Intn(14); {
	case n < 5 || depth <= 0:
		return simpleTypes[g.Intn(len(simpleTypes))]
	case n < 8:
		return otherTypes[g.Intn(len(otherTypes))]
	case n == 8:
		return reflect.SliceOf(g.typ(depth - 1))
	case n == 9:
		return reflect.ArrayOf(g.Intn(3), g.typ(depth-1))
	case n == 10:
		return reflect.MapOf(simpleTypes[g.Intn(keyTypes)], g.typ(depth-1))
	case n == 11:
		return reflect.PointerTo(g.typ(depth - 1))
	}
	return g.structType(depth - 1)
}

func (g *generator) structType(depth int) reflect.Type {
	var fields []reflect.StructField
	for i := range 1 + g.Intn(5) {
		f := reflect.StructField{Name: fmt.Sprintf("F%d", i), Type: g.typ(depth)}
		switch g.Intn(14) {
		case 0:
			f.Type = reflect.TypeFor[chan int]()
		case 1:
			f.Type = reflect.TypeFor[*func()]()
		case 2:
			f = reflect.StructField{Name: "Base", Type: reflect.TypeFor[Base](), Anonymous: true}
		case 3:
			f = reflect.StructField{Name: "Flat", Type: reflect.TypeFor[Flat](), Anonymous: true}
		}
		if !has(fields, f.Name) {
			fields = append(fields, f)
		}
	}
	return reflect.StructOf(fields)
}

func has(fields []reflect.StructField, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

// like returns a struct with fields of the same names as those of t, in another order, some of
// another type, some missing.
func (g *generator) like(t reflect.Type) reflect.Type {
	var fields []reflect.StructField
	for _, i := range g.Perm(t.NumField()) {
		f := t.Field(i)
		f.Index, f.Offset = nil, 0
		switch g.Intn(7) {
		case 0:
			// Package gob loses what is behind a nil in a list of interfaces that it skips.
			if s := f.Type.String(); !strings.Contains(s, "interface") && !strings.Contains(s, "Shape") {
				continue
			}
		case 1:
			f.Type = reflect.PointerTo(f.Type)
			f.Anonymous = false
		case 2:
			if f.Type.Kind() == reflect.Pointer {
				f.Type = f.Type.Elem()
			}
		case 3:
			f.Type = g.sameKind(f.Type)
		case 4:
			if f.Type.Kind() == reflect.Struct && f.Type.Name() == "" {
				f.Type = g.like(f.Type)
			}
		case 5:
			if f.Anonymous && f.Name == "Flat" { // as fields of its own
				fields = append(fields, reflect.StructField{Name: "A", Type: reflect.TypeFor[int]()}, reflect.StructField{Name: "B", Type: reflect.TypeFor[int]()})
				continue
			}
		}
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

// sameKind returns a type that package gob takes values of t into, if they fit.
func (g *generator) sameKind(t reflect.Type) reflect.Type {
	for _, family := range [][]reflect.Type{simpleTypes[1:6], simpleTypes[6:12], simpleTypes[20:22], simpleTypes[22:24], {simpleTypes[12], simpleTypes[14]}} {
		for _, member := range family {
			if member == t {
				return family[g.Intn(len(family))]
			}
		}
	}
	return t
}

var dynamicValues = []any{
	nil, true, 7, "text", 1.5, int8(-3), uint64(1 << 63), float32(2), Flat{1, 2}, &Circle{3}, Square{4}, NInt(5), []string{"a"},
	map[string]int{"k": 1}, big.NewInt(99), time.Unix(5, 6).UTC(), time.Unix(5, 6).In(time.FixedZone("", 3600)), []byte("b"), uintptr(9), 2i,
}

// dynamic returns what may be in an interface.
func (g *generator) dynamic(depth int) any {
	switch n := g.Intn(len(dynamicValues) + 2); {
	case n < len(dynamicValues):
		return dynamicValues[n]
	case depth <= 0:
		return 1
	case n == len(dynamicValues):
		return []any{g.dynamic(depth - 1), g.dynamic(depth - 1)}
	default:
		return map[string]any{"x": g.dynamic(depth - 1)}
	}
}

func (g *generator) value(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	g.fill(v, depth)
	return v
}

// fill sets v. Zeros and nils come often.
func (g *generator) fill(v reflect.Value, depth int) {
	if g.Intn(5) == 0 || depth < 0 || g.special(v) {
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.Uint64()) >> g.Intn(64))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(g.Uint64() >> g.Intn(64))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{g.NormFloat64(), math.Inf(1), math.Copysign(0, -1), 3}[g.Intn(4)])
	case reflect.Complex64, reflect.Complex128:
		v.SetComplex(complex(float64(g.Intn(3)), g.NormFloat64()))
	case reflect.String:
		v.SetString(strings.Repeat("\xff", g.Intn(40)))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), g.Intn(4), 4))
		g.fillElems(v, depth)
	case reflect.Array:
		g.fillElems(v, depth)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range g.Intn(4) {
			v.SetMapIndex(g.value(v.Type().Key(), depth-1), g.value(v.Type().Elem(), depth-1))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem(), depth-1)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				g.fill(f, depth-1)
			}
		}
	case reflect.Interface:
		if x := reflect.ValueOf(g.dynamic(2)); x.IsValid() && x.Type().AssignableTo(v.Type()) {
			v.Set(x)
		}
	case reflect.Chan:
		v.Set(reflect.MakeChan(v.Type(), 0))
	}
}

func (g *generator) fillElems(v reflect.Value, depth int) {
	for i := range v.Len() {
		g.fill(v.Index(i), depth-1)
	}
}

// special sets v if its type hides what is in it.
func (g *generator) special(v reflect.Value) bool {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(g.Int63n(1<<40)-1<<39, g.Int63n(1e9)).In([]*time.Location{time.UTC, time.Local, time.FixedZone("", 60*(g.Intn(1400)-700))}[g.Intn(3)])
	case *big.Int:
		p.SetInt64(g.Int63() - g.Int63())
	case *big.Rat:
		p.SetFrac64(g.Int63(), 1+g.Int63n(99))
	case *url.URL:
		*p = url.URL{Scheme: "http", Host: "h", Path: "/p"}
	case *netip.Addr:
		*p = netip.AddrFrom4([4]byte{1, 2, 3, byte(g.Intn(256))})
	case *Stamp:
		g.fill(reflect.ValueOf(&p.Time).Elem(), 1) // its note is sent by nobody
	case *GobVal:
		p.v = g.Intn(256)
	case *GobPtr:
		p.v = g.Intn(256)
	case *BinVal:
		p.v = g.Intn(256)
	default:
		return false
	}
	return true
}

func canonStruct(v reflect.Value) string {
	var list []string
	t := v.Type()
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() {
			if s := canon(v.Field(i)); s != "" {
				list = append(list, f.Name+"="+s)
			}
		} else if f.Type.Kind() == reflect.Int {
			list = append(list, fmt.Sprint(v.Field(i).Int()))
		}
	}
	if len(list) == 0 || len(list) == 1 && list[0] == "0" {
		return ""
	}
	return "{" + strings.Join(list, " ") + "}"
}

func canonMap(v reflect.Value) string {
	var list []string
	for it := v.MapRange(); it.Next(); {
		list = append(list, canon(it.Key())+"="+canon(it.Value()))
	}
	if len(list) == 0 {
		return ""
	}
	sort.Strings(list)
	return "map[" + strings.Join(list, " ") + "]"
}
