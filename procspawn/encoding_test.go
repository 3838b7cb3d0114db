package procspawn

import (
	"bytes"
	"context"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
)

// TestEncodingsDiffer: both sides refuse, and name both.
func TestEncodingsDiffer(t *testing.T) {
	noLeaks(t)
	a, b := net.Pipe()
	there := make(chan error, 1)
	go func() {
		_, err := Handshake(context.Background(), b, &Options{hello: handles.Hello{Encoding: "json"}})
		there <- err
	}()
	_, err := Handshake(context.Background(), a, nil)
	var refused *EncodingError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, &EncodingError{Local: "msgpack", Remote: "json"}, refused)
	require.EqualError(t, err, `procspawn: handshake: the other side encodes arguments and replies as "json", this side as "msgpack": both must have the same encoding`)
	require.ErrorAs(t, <-there, &refused)
	require.Equal(t, &EncodingError{Local: "json", Remote: "msgpack"}, refused)
}

// TestEncodingsAgree: the name crosses, and none is there for the default.
func TestEncodingsAgree(t *testing.T) {
	noLeaks(t)
	a, b := net.Pipe()
	opts := &Options{hello: handles.Hello{Encoding: "fixed structs"}}
	go Handshake(context.Background(), b, opts)
	l, err := Handshake(context.Background(), a, opts)
	require.NoError(t, err)
	require.Equal(t, "fixed structs", l.Remote().Encoding)
	l.Close()
	b.Close()
	mine := newHello(nil)
	require.NotContains(t, string(mine.append(nil)), "encoding")
	mine.Encoding = "json"
	sent := mine.append(nil)
	got, err := readHello(bytes.NewReader(sent), nil)
	require.NoError(t, err)
	require.Equal(t, mine, got)
}

// TestEncodingName: a bad name is an error here, before anybody is asked, and there.
func TestEncodingName(t *testing.T) {
	noLeaks(t)
	long := strings.Repeat("x", 65)
	a, b := net.Pipe()
	defer b.Close()
	_, err := Handshake(context.Background(), a, &Options{hello: handles.Hello{Encoding: long}})
	require.ErrorContains(t, err, "name of an encoding has 65 bytes, 1 to 64 were expected")
	for _, name := range []string{"", long} {
		h := newHello(nil)
		h.Encoding = name
		_, err := readHello(bytes.NewReader(h.append(nil)), nil)
		require.ErrorContains(t, err, `key "encoding": name of an encoding has`)
	}
}
