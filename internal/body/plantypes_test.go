package body_test

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Types of the table. net/rpc wants exported names.
type (
	NInt    int16
	NString string
	NBytes  []byte
	NByte   byte
	NFloat  float32
	NBool   bool
	NMap    map[NString]NInt
	NSlice  []NInt
	NPlex   complex64

	Flat  struct{ A, B int }
	Ptrs  struct{ P, Q *int }
	PP    struct{ P **Flat }
	Base  struct{ ID int }
	Embed struct {
		Base
		Name string
	}
	EmbedPtr struct {
		*Base
		Name string
	}
	Shadow struct {
		Base
		ID string
	}
	lower    struct{ X int }
	EmbedLow struct {
		lower
		Y int
	}
	Hidden struct {
		A int
		b int
	}
	OnlyHidden struct{ a, b int }
	Tagged     struct {
		A int `msgpack:"a"`
		B int `msgpack:"bee,omitempty"`
		C int `json:"sea"`
	}
	Minus struct {
		A int
		B int `msgpack:"-"`
	}
	SameTag struct {
		A int `msgpack:"x"`
		B int `msgpack:"x"`
	}
	SwapTag struct {
		A int `msgpack:"B"`
		B int `msgpack:"A"`
	}
	Omit20 struct {
		A, B, C, D, E, F, G, H, I, J int    `msgpack:",omitempty"`
		K, L, M, N, O, P, Q, R, S, T string `msgpack:",omitempty"`
	}
	Many20 struct {
		A int    `msgpack:"a,omitempty"`
		B int    `msgpack:"b,omitempty"`
		C int    `msgpack:"c,omitempty"`
		D int    `msgpack:"d,omitempty"`
		E int    `msgpack:"e,omitempty"`
		F int    `msgpack:"f,omitempty"`
		G int    `msgpack:"g,omitempty"`
		H int    `msgpack:"h,omitempty"`
		I int    `msgpack:"i,omitempty"`
		J int    `msgpack:"j,omitempty"`
		K string `msgpack:"k,omitempty"`
		L string `msgpack:"l,omitempty"`
		M string `msgpack:"m,omitempty"`
		N string `msgpack:"n,omitempty"`
		O string `msgpack:"o,omitempty"`
		P string `msgpack:"p,omitempty"`
		Q []int  `msgpack:"q,omitempty"`
		R []int  `msgpack:"r,omitempty"`
	}
	Umlaut struct {
		Ärger int
		Ωmega string
		Éclat []byte
	}
	Tree struct {
		Left, Right *Tree
		V           int
	}
	Node struct {
		Kids map[string]*Node
		List []Node
		V    int
	}
	RSlice []RSlice
	RMap   map[string]RMap
	Lists  struct {
		N, E []int
		B, C []byte
		M, O map[string]int
		S    []string
	}
	Wide struct {
		I8 int8
		I6 int64
		U6 uint64
		F3 float32
		F6 float64
		C1 complex128
		S  string
		B  bool
		T  time.Time
		D  time.Duration
		Ar [3]int16
		By [4]byte
	}
	WithChan struct {
		A int
		C chan int
	}
	WithFunc struct {
		A int
		F func()
	}
	OnlyChan  struct{ C chan int }
	TextChan  struct{ C chan int }
	WithUptr  struct{ U uintptr }
	WithMutex struct {
		A  int
		Mu sync.Mutex
	}
	WithLock struct {
		A int
		//lint:ignore U1000 the plan looks at it
		mu sync.Mutex
	}
	WithEmpty struct {
		A int
		E struct{}
	}
	Anys struct{ V, W any }
	Big  struct {
		I *big.Int
		F *big.Float
		R *big.Rat
	}
	BigVal struct{ I big.Int }
	Addrs  struct {
		A netip.Addr
		P netip.Prefix
		Q netip.AddrPort
	}
	Link  struct{ U url.URL }
	LinkP struct{ U *url.URL }
	Host  struct{ IP net.IP }
	Stamp struct {
		time.Time
		Note string
	}
	Shapes struct{ One Shape }
	Shape  interface{ Area() int }
	Square struct{ Side int }
	Circle struct{ R int }
	Loner  struct{ N int }
)

func (s Square) Area() int  { return s.Side * s.Side }
func (c *Circle) Area() int { return 3 * c.R * c.R }
func (l Loner) Area() int   { return l.N }

// GobVal has GobEncode by value, GobPtr by pointer; both keep hidden what they have.
type GobVal struct{ v int }

func (g GobVal) GobEncode() ([]byte, error)     { return []byte{byte(g.v)}, nil }
func (g *GobVal) GobDecode(b []byte) error      { g.v = int(b[0]); return nil }
func (g *GobPtr) GobEncode() ([]byte, error)    { return []byte{byte(g.v)}, nil }
func (g *GobPtr) GobDecode(b []byte) error      { g.v = int(b[0]); return nil }
func (b BinVal) MarshalBinary() ([]byte, error) { return []byte{byte(b.v)}, nil }
func (b *BinVal) UnmarshalBinary(p []byte) error {
	if len(p) != 1 {
		return errors.New("length")
	}
	b.v = int(p[0])
	return nil
}
func (b *BinPtr) MarshalBinary() ([]byte, error) { return []byte{byte(b.v)}, nil }
func (b *BinPtr) UnmarshalBinary(p []byte) error { b.v = int(p[0]); return nil }
func (x TextVal) MarshalText() ([]byte, error)   { return []byte("<" + x.V + ">"), nil }
func (x *TextVal) UnmarshalText(p []byte) error  { x.V = strings.Trim(string(p), "<>"); return nil }
func (x TextHid) MarshalText() ([]byte, error)   { return []byte(x.v), nil }
func (x *TextHid) UnmarshalText(p []byte) error  { x.v = string(p); return nil }
func (x TextChan) MarshalText() ([]byte, error)  { return []byte("chan"), nil }
func (x *TextChan) UnmarshalText([]byte) error   { return nil }
func (x Level) MarshalText() ([]byte, error)     { return []byte(fmt.Sprint("level ", int(x))), nil }
func (x *Level) UnmarshalText(p []byte) error {
	_, err := fmt.Sscanf(string(p), "level %d", (*int)(x))
	return err
}
func (x Lossy) MarshalText() ([]byte, error)       { return []byte(x.Shown), nil }
func (x *Lossy) UnmarshalText(p []byte) error      { x.Shown = string(p); return nil }
func (m Msgp) MarshalMsg(b []byte) ([]byte, error) { return append(b, 0x92, byte(m.v&0x7f), 0xc0), nil }
func (m *Msgp) UnmarshalMsg(b []byte) ([]byte, error) {
	if len(b) < 3 {
		return b, io.ErrUnexpectedEOF
	}
	m.v = int(b[1])
	return b[3:], nil
}
func (g HalfGob) GobEncode() ([]byte, error) { return []byte{1}, nil }
func (f Failing) GobEncode() ([]byte, error) { return nil, errors.New("will not") }
func (f *Failing) GobDecode([]byte) error    { return nil }

type (
	GobPtr  struct{ v int }
	BinVal  struct{ v int }
	BinPtr  struct{ v int }
	TextVal struct{ V string }
	TextHid struct{ v string }
	Level   int
	Lossy   struct{ Shown, Lost string }
	Msgp    struct{ v int }
	HalfGob struct{ V int }
	Failing struct{ V int }

	Marshalers struct {
		A GobVal
		B *GobPtr
		C []BinVal
		D map[string]BinVal
		E GobPtr
	}
	Texts  struct{ A TextVal }
	MsgpIn struct {
		M Msgp
		P *Msgp
		L []Msgp
	}
)

func registerTypes() {
	gob.Register(WebOfAny{})
	gob.Register(Flat{})
	gob.Register(Square{})
	gob.Register(&Circle{})
	gob.Register(&Tree{})
	gob.Register(map[string]any{})
	gob.Register([]any{})
	gob.Register(time.Time{})
	gob.Register(map[string]int{})
	gob.Register([]string{})
	gob.Register(NInt(0))
	gob.Register(&big.Int{})
}

func to[T any](v T) *T { return &v }
