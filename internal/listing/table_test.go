package listing

import (
	"net/rpc"
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

type Args struct {
	A int `doc:"the first"`
	B int
}

// Arith is a service with docs.
type Arith struct{}

func (Arith) Add(args *Args, reply *int) error               { *reply = args.A + args.B; return nil }
func (Arith) Each(list []Args, reply *map[string]Args) error { return nil }
func (Arith) MethodDocs() map[string]string                  { return map[string]string{"Add": "adds", "Nope": "x"} }

// Bare has none.
type Bare struct{}

func (*Bare) Nothing(struct{}, *struct{}) error { return nil }

// Panicky panics when it is asked.
type Panicky struct{ Bare }

func (*Panicky) MethodDocs() map[string]string { panic("will not") }

func newServer(t *testing.T, services map[string]any) *rpc.Server {
	server := rpc.NewServer()
	for name, s := range services {
		require.NoError(t, server.RegisterName(name, s))
	}
	return server
}

// TestTable: this version of Go has its table where it was.
func TestTable(t *testing.T) {
	server := newServer(t, map[string]any{"Arith": Arith{}, "x.Bare": new(Bare), "Panicky": new(Panicky)})
	table, err := tableOf(server)
	require.NoError(t, err)
	require.Equal(t, map[string]entry{
		"Arith.Add":       {reflect.TypeFor[*Args](), reflect.TypeFor[*int](), "adds"},
		"Arith.Each":      {reflect.TypeFor[[]Args](), reflect.TypeFor[*map[string]Args](), ""},
		"x.Bare.Nothing":  {reflect.TypeFor[struct{}](), reflect.TypeFor[*struct{}](), ""},
		"Panicky.Nothing": {reflect.TypeFor[struct{}](), reflect.TypeFor[*struct{}](), ""},
	}, table)
	table, err = tableOf(rpc.NewServer())
	require.NoError(t, err)
	require.Empty(t, table)
}

// These are what another version of Go might have.
type (
	otherMethod   struct{ ArgType, ReplyType string }
	noTypes       struct{ ArgType, ReplyType reflect.Type }
	oneType       struct{ ArgType reflect.Type }
	noService     struct{ rcvr reflect.Value }
	listService   struct{ method []string }
	numberService struct{ method map[int]*noTypes }
	noReceiver    struct{ method map[string]*noTypes }
	otherReceiver struct {
		method map[string]*noTypes
		rcvr   string
	}
	emptyService struct {
		method map[string]*noTypes
		rcvr   reflect.Value
	}
	otherService struct {
		method map[string]*otherMethod
		rcvr   reflect.Value
	}
	oneTypeService struct {
		method map[string]*oneType
		rcvr   reflect.Value
	}
	flatService struct {
		method map[string]int
		rcvr   reflect.Value
	}
	nilService struct {
		method map[string]*noTypes
		rcvr   reflect.Value
	}
)

// TestOtherTables: what is not as it was is an error that says what it is.
func TestOtherTables(t *testing.T) {
	rcvr := reflect.ValueOf(Arith{})
	for text, service := range map[string]any{
		"has no field method":                         &noService{rcvr},
		"are a []string, a map from strings":          &listService{nil},
		"are a map[int]*listing.noTypes, a map from":  &numberService{nil},
		"has no field rcvr":                           &noReceiver{nil},
		"rcvr of a type of package net/rpc is a stri": &otherReceiver{nil, ""},
		"ArgType of a type of package net/rpc is a s": &otherService{map[string]*otherMethod{"M": {}}, rcvr},
		"has no field ReplyType":                      &oneTypeService{map[string]*oneType{"M": {}}, rcvr},
		"is a int, a pointer to a struct was":         &flatService{map[string]int{"M": 1}, rcvr},
		"is a ptr, a pointer to a struct was":         &nilService{map[string]*noTypes{"M": nil}, rcvr},
		"a method of package net/rpc has no types":    &emptyService{map[string]*noTypes{"M": {}}, rcvr},
		"is a struct, a pointer to a struct was":      emptyService{},
	} {
		err := addService(map[string]entry{}, "S", reflect.ValueOf(service))
		require.ErrorIs(t, err, errNotListed, text)
		require.ErrorContains(t, err, text)
	}
	_, err := tableOf(nil)
	require.ErrorIs(t, err, errNotListed)
	_, err = field[*int](reflect.ValueOf(&struct{ serviceMap map[string]int }{}), "serviceMap", typeOfMap)
	require.ErrorContains(t, err, "serviceMap of a type of package net/rpc is a map[string]int, sync.Map was expected")
}

// TestStrangers: a table with things in it that are no services makes no panic.
func TestStrangers(t *testing.T) {
	for name, put := range map[string]func(m interface{ Store(k, v any) }){
		"a name":    func(m interface{ Store(k, v any) }) { m.Store(5, 5) },
		"a service": func(m interface{ Store(k, v any) }) { m.Store("S", 5) },
		"nothing":   func(m interface{ Store(k, v any) }) { m.Store("S", nil) },
	} {
		server := newServer(t, map[string]any{"Arith": Arith{}})
		services := reflect.ValueOf(server).Elem().FieldByName("serviceMap")
		put(reflect.NewAt(services.Type(), unsafe.Pointer(services.UnsafeAddr())).Interface().(interface{ Store(k, v any) }))
		l, err := Of(server, nil)
		require.ErrorIs(t, err, errNotListed, name)
		require.Nil(t, l)
	}
}

// TestRegisteredMeanwhile: a listing may be made at any time.
func TestRegisteredMeanwhile(t *testing.T) {
	server := rpc.NewServer()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			server.RegisterName(string(rune('a'+i)), Arith{})
		}
	}()
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		l, err := Of(server, nil)
		require.NoError(t, err)
		require.Zero(t, len(l.Methods)%2)
		if ended {
			require.Len(t, l.Methods, 400)
		}
	}
}

func BenchmarkTable(b *testing.B) {
	server := rpc.NewServer()
	server.Register(Arith{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tableOf(server); err != nil {
			b.Fatal(err)
		}
	}
}
