package rpcpipe_test

import (
	"context"
	"net/rpc"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// unnamed is an Encoding without a name of its own.
type unnamed struct{ viaduct.Encoding }

func (unnamed) Name() string { return "" }

var encodings = map[string]viaduct.Encoding{
	"msgpack": nil, "gob": viaduct.Gob, "json": viaduct.JSON, "unnamed": unnamed{viaduct.JSON},
}

// Shelf is a service that any encoding can carry.
type Shelf struct{}

func (Shelf) Join(words []string, reply *string) error {
	*reply = strings.Join(words, " ")
	return nil
}

func shelfOptions(name string) *rpcpipe.Options {
	server := rpc.NewServer()
	server.Register(Shelf{})
	return &rpcpipe.Options{Server: server, Encoding: encodings[name]}
}

func init() {
	children["shelf"] = func(args []string) {
		connect(shelfOptions(args[0])).Wait()
	}
}

// TestEncodings: those of a parent and a child must be the same, and then work.
func TestEncodings(t *testing.T) {
	t.Parallel()
	for here := range encodings {
		for there := range encodings {
			p, err := rpcpipe.Start(t.Context(), procspawn.Self("shelf", there), shelfOptions(here))
			if here != there {
				var refused *procspawn.EncodingError
				require.ErrorAs(t, err, &refused)
				require.Contains(t, err.Error(), `"`+strings.Replace(here, "unnamed", "rpcpipe_test.unnamed", 1)+`"`)
				require.Contains(t, err.Error(), `"`+strings.Replace(there, "unnamed", "rpcpipe_test.unnamed", 1)+`"`)
				continue
			}
			require.NoError(t, err)
			var text string
			require.NoError(t, p.Call("Shelf.Join", []string{"a", "b"}, &text))
			require.Equal(t, "a b", text)
			require.NoError(t, p.Close())
			require.NoError(t, p.Wait())
		}
	}
}

func TestPairOfTwoEncodings(t *testing.T) {
	require.PanicsWithError(t, (&procspawn.EncodingError{Local: "msgpack", Remote: "gob"}).Error(), func() {
		rpcpipe.Pair(nil, shelfOptions("gob"))
	})
	a, b := rpcpipe.Pair(shelfOptions("gob"), shelfOptions("gob"))
	defer a.Close()
	var text string
	require.NoError(t, b.Call("Shelf.Join", []string{"a"}, &text))
}

// TestCallContext: a call given up is over for both sides.
func TestCallContext(t *testing.T) {
	p := startChild(t, "patient")
	ctx, cancel := context.WithCancel(t.Context())
	begun := p.Go("Patient.Begun", 1, nil, nil)
	go func() {
		<-begun.Done
		cancel()
	}()
	require.Equal(t, context.Canceled, p.CallContext(ctx, "Patient.Wait", &Patience{}, nil))
	require.NoError(t, begun.Error)
	require.NoError(t, p.CallContext(t.Context(), "Patient.Ended", 1, nil))
}

// Patience is an argument whose method is told when nobody waits for it.
type Patience struct {
	N   int
	ctx context.Context
}

func (p *Patience) SetContext(ctx context.Context) { p.ctx = ctx }

type Patient struct{ begun, ended chan struct{} }

func (p *Patient) Wait(a *Patience, _ *struct{}) error {
	close(p.begun)
	<-a.ctx.Done()
	close(p.ended)
	return nil
}

func (p *Patient) Begun(int, *bool) error {
	<-p.begun
	return nil
}

func (p *Patient) Ended(int, *bool) error {
	<-p.ended
	return nil
}

func init() {
	children["patient"] = func([]string) {
		server := rpc.NewServer()
		server.Register(&Patient{make(chan struct{}), make(chan struct{})})
		connect(&rpcpipe.Options{Server: server}).Wait()
	}
}
