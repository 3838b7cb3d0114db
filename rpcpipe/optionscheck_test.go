package rpcpipe_test

import (
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/procspawn"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// negatives are the fields of Options of which a negative value means something.
var negatives = map[string]bool{
	"MaxWaiting": true, "ShutdownTimeout": true, "CloseTimeout": true, "TermTimeout": true, "ExitTimeout": true, "StallReport": true,
}

// TestOptionsWithoutMeaning: each number has its documented meaning or is refused by name, before
// anything is started.
func TestOptionsWithoutMeaning(t *testing.T) {
	refused := func(field string, opts *rpcpipe.Options) {
		t.Helper()
		cmd := procspawn.Self("calls")
		_, err := rpcpipe.Start(t.Context(), cmd, opts)
		require.ErrorContains(t, err, "Options."+field+" ")
		require.ErrorContains(t, err, "expected")
		require.Nil(t, cmd.Process)
		one, other := net.Pipe()
		_, err = rpcpipe.New(t.Context(), one, opts)
		require.ErrorContains(t, err, "Options."+field+" ")
		_, err = other.Read(make([]byte, 1))
		require.Error(t, err, "New has not closed its connection")
	}
	checked := 0
	fields := reflect.VisibleFields(reflect.TypeFor[rpcpipe.Options]())
	for _, f := range fields {
		if f.Type.Kind() != reflect.Int && f.Type != reflect.TypeFor[time.Duration]() || negatives[f.Name] {
			continue
		}
		checked++
		opts := new(rpcpipe.Options)
		reflect.ValueOf(opts).Elem().FieldByIndex(f.Index).SetInt(-1)
		refused(f.Name, opts)
	}
	require.Greater(t, checked, 8)
	refused("Window", &rpcpipe.Options{Window: 1<<30 + 1})
	refused("StreamWindow", &rpcpipe.Options{StreamWindow: 1<<30 + 1})
	refused("MaxDepth", &rpcpipe.Options{MaxDepth: 100_001})
	refused("Dialect", &rpcpipe.Options{Dialect: 7})
	refused("CrashOutput", &rpcpipe.Options{CrashOutput: 7})
	refused("ParentDeath", &rpcpipe.Options{ParentDeath: 7})

	one, _ := net.Pipe()
	p := rpcpipe.NewBare(one, &rpcpipe.Options{MaxHandlers: -1})
	require.ErrorContains(t, p.Err(), "Options.MaxHandlers ")
	p.Wait()
	require.Panics(t, func() { rpcpipe.Pair(nil, &rpcpipe.Options{Backlog: -1}) })
}
