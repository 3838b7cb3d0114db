package body_test

import (
	"encoding/gob"
	"net/rpc"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// Trap lets another goroutine change a value in the middle of its being sent.
type Trap struct{ spring func() }

func (t Trap) MarshalBinary() ([]byte, error) {
	if t.spring != nil {
		done := make(chan struct{})
		go func() {
			defer close(done)
			t.spring()
		}()
		<-done
	}
	return []byte{1}, nil
}

func (t *Trap) UnmarshalBinary([]byte) error { return nil }

// Trapped has a trap before and among what changes.
type Trapped struct {
	T     Trap
	Num   int `msgpack:",omitempty"`
	List  []Trap
	Array *[2]Trap
	Map   map[string]Trap
	Next  *Trapped
	Any   any
	Text  string
	Bytes []byte
	Omit  string `msgpack:",omitempty"`
}

// Keeps keeps what it is sent.
type Keeps struct{ got *Trapped }

func (k Keeps) It(a *Trapped, r *int) error { *k.got = *a; *r = 7; return nil }
func (k Keeps) Any(a *any, r *int) error    { *r = 7; return nil }

// callSoon is client.Call, but does not wait for ever: half a message is never answered.
func callSoon(t *testing.T, client *rpc.Client, method string, args, reply any) error {
	call := client.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return call.Error
	case <-testkit.Soon(t).Done():
		t.Fatalf("no answer to %s", method)
		return nil
	}
}

func TestChangedWhileSent(t *testing.T) {
	gob.Register(&Trapped{})
	three := func(trap Trap) map[string]Trap { return map[string]Trap{"a": trap, "b": trap, "c": trap} }
	for _, tt := range []struct {
		name string
		make func(v *Trapped)
		err  string // "" if what is sent is whole, be it from before or from behind the change
	}{
		{"map loses keys", func(v *Trapped) { v.Map = three(Trap{func() { clear(v.Map) }}) }, "map was changed"},
		{"map is replaced", func(v *Trapped) { v.Map = three(Trap{func() { v.Map = nil }}) }, ""},
		{"slice is cut", func(v *Trapped) { v.List = []Trap{{func() { v.List = v.List[:1] }}, {}} }, "is the value being changed"},
		{"slice becomes nil", func(v *Trapped) { v.List = []Trap{{func() { v.List = nil }}, {}} }, "is the value being changed"},
		{"slice grows", func(v *Trapped) { v.List = []Trap{{func() { v.List = append(v.List, Trap{}) }}, {}} }, ""},
		{"pointer becomes nil", func(v *Trapped) { v.Array = &[2]Trap{{func() { v.Array = nil }}, {}} }, ""},
		{"field is set that was left out", func(v *Trapped) { v.T = Trap{func() { v.Omit = "x" }} }, "struct was changed"},
		{"field is cleared", func(v *Trapped) { v.Omit = "x"; v.T = Trap{func() { v.Omit = "" }} }, "struct was changed"},
		{"text and bytes", func(v *Trapped) {
			v.Text = "before"
			v.T = Trap{func() { v.Text, v.Bytes = "behind", []byte("behind") }}
		}, ""},
		{"interface", func(v *Trapped) { v.Any = 1; v.T = Trap{func() { v.Any = "text" }} }, ""},
		{"becomes cyclic", func(v *Trapped) { v.T = Trap{func() { v.Next = v }} }, "does the value contain itself?"},
		{"interface becomes cyclic", func(v *Trapped) {
			v.T = Trap{func() {
				m := map[string]any{}
				m["m"] = m
				v.Any = m
			}}
		}, "does the value contain itself?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			check := func(t *testing.T, err error) {
				if tt.err == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, tt.err)
			}
			var got Trapped
			overPeers(t, serverOf(t, "Keeps", Keeps{&got}), func(t *testing.T, client *rpc.Client) {
				got = Trapped{}
				var v Trapped
				tt.make(&v)
				var n int
				err := callSoon(t, client, "Keeps.It", &v, &n)
				check(t, err)
				if err != nil {
					var body *viaduct.BodyError
					require.ErrorAs(t, err, &body)
				}
				require.NoError(t, callSoon(t, client, "Keeps.It", &Trapped{Text: "next"}, &n), "nothing of it is left")
				require.Equal(t, "next", got.Text)
			})
			var v Trapped
			tt.make(&v)
			overPeers(t, serverOf(t, "Returns", Returns[*Trapped]{&v}), func(t *testing.T, client *rpc.Client) {
				v = Trapped{}
				tt.make(&v)
				var reply *Trapped
				check(t, callSoon(t, client, "Returns.It", 1, &reply))
			})
		})
	}
}

// TestChangedInInterface: the same in an interface.
func TestChangedInInterface(t *testing.T) {
	gob.Register(&Trapped{})
	for name, set := range map[string]func(v *Trapped){
		"map loses keys": func(v *Trapped) {
			v.Map = map[string]Trap{"a": {func() { clear(v.Map) }}, "b": {func() { clear(v.Map) }}}
		},
		"slice is cut":      func(v *Trapped) { v.List = []Trap{{func() { v.List = v.List[:1] }}, {}} },
		"slice becomes nil": func(v *Trapped) { v.List = []Trap{{func() { v.List = nil }}, {}} },
		"becomes cyclic":    func(v *Trapped) { v.T = Trap{func() { v.Next = v }} },
	} {
		t.Run(name, func(t *testing.T) {
			overPeers(t, serverOf(t, "Keeps", Keeps{}), func(t *testing.T, client *rpc.Client) {
				var v Trapped
				set(&v)
				arg, n := any(&v), 0
				require.Error(t, callSoon(t, client, "Keeps.Any", &arg, &n))
				v.Next, v.T = nil, Trap{}
				require.NoError(t, callSoon(t, client, "Keeps.Any", &arg, &n), "it does not change any more")
				require.Equal(t, 7, n)
			})
		})
	}
}
