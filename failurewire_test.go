package viaduct

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var extended = &Options{Extended: true}

// TestFailureGolden pins what an error is that is more than a text, as PROTOCOL.md shows it.
func TestFailureGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    *failed
		hex  string
	}{
		{"text", &failed{errors.New("no"), "no", false}, "94 01 ce 00 00 00 05 a2 6e 6f c0"},
		{"is", &failed{fmt.Errorf("x: %w", io.EOF), "x: EOF", false}, "94 01 ce 00 00 00 05 82" +
			" a4 74 65 78 74  a6 78 3a 20 45 4f 46" + // "text": "x: EOF"
			" a2 69 73  91 a6 69 6f 2e 45 4f 46  c0"}, // "is": ["io.EOF"]
		{"error", &failed{&Error{Code: -7, Message: "bad", Data: 5}, "bad", false}, "94 01 ce 00 00 00 05 82" +
			" a4 74 65 78 74  a3 62 61 64" +
			" a5 65 72 72 6f 72  93 f9 a3 62 61 64 05  c0"}, // "error": [-7, "bad", 5]
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(unhex(t, tt.hex)), hex.EncodeToString(extended.appendFailure(nil, 5, tt.f)))
			require.Equal(t, appendErrorReply(nil, 5, tt.f.text), (*Options)(nil).appendFailure(nil, 5, tt.f), "to others")
		})
	}
}

// TestFailureKeys: each of the library's own, there and back; and what is broken is passed over.
func TestFailureKeys(t *testing.T) {
	for _, err := range []error{
		&PanicError{"x", "main.f"},
		&SizeError{300, 200},
		&BodyError{"decode", "arguments", "A.B", "int", errors.New("why")},
		ErrOverload, ErrGoexit, errCancelled.is,
	} {
		b := extended.appendFailure(nil, 5, &failed{err, err.Error(), true})
		m, perr := parseMessage(b, 10)
		require.NoError(t, perr)
		got := extended.failureOf(&m)
		require.EqualError(t, got, err.Error())
		require.Equal(t, []error{err}, got.(*failure).parts)
		require.Equal(t, err.Error(), extended.errorText(&m))
		m.err = nil
		require.NoError(t, extended.failureOf(&m))
	}
	for text, want := range map[string]error{
		"81 a1 78 01":                                  rpc.ServerError(`{"x": 1}`), // no text
		"81 a4 74 65 78 74 01":                         rpc.ServerError(`{"text": 1}`),
		"81 01 a1 78":                                  rpc.ServerError(`{1: "x"}`),
		"81 a4 74 65 78 74 a1 78":                      &failure{text: "x"},
		"82 a4 74 65 78 74 a1 78 a1 79 92 01 02":       &failure{text: "x"}, // unknown key
		"82 a4 74 65 78 74 a1 78 a2 69 73 01":          &failure{text: "x"},
		"82 a4 74 65 78 74 a1 78 a2 69 73 92 a1 7a 05": &failure{text: "x"}, // unknown name, no name
		"82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 90": &failure{text: "x"},
		"82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 93 cf ff ff ff ff ff ff ff ff a0 c0": &failure{text: "x"}, // no int
		"82 a4 74 65 78 74 a1 78 a5 70 61 6e 69 63 91 a1 61":                            &failure{text: "x"},
		"82 a4 74 65 78 74 a1 78 a4 73 69 7a 65 92 01 a1 61":                            &failure{text: "x"},
		"82 a4 74 65 78 74 a1 78 a4 62 6f 64 79 91 a1 61":                               &failure{text: "x"},
	} {
		b := unhex(t, text)
		require.Equal(t, want, extended.failureOf(&message{err: b}), text)
		require.NotEmpty(t, extended.errorText(&message{err: b}))
		require.IsType(t, rpc.ServerError(""), (*Options)(nil).failureOf(&message{err: b}), "to who does not understand it, a text")
	}
	var e *Error
	require.ErrorAs(t, extended.failureOf(&message{err: unhex(t, "82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 93 01 a0 81 90 01")}), &e, "its data is nothing for Go")
	require.ErrorContains(t, e.Data.(error), "cannot decode the data of an error")
}

func FuzzFailure(f *testing.F) {
	for _, b := range []string{
		"82 a4 74 65 78 74 a1 78 a2 69 73 91 a6 69 6f 2e 45 4f 46",
		"82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 93 01 a1 6d 81 a1 6b 01",
		"82 a4 74 65 78 74 a1 78 a5 70 61 6e 69 63 92 a1 61 a1 62",
		"82 a4 74 65 78 74 a1 78 a4 73 69 7a 65 92 01 02",
		"82 a4 74 65 78 74 a1 78 a4 62 6f 64 79 95 a1 61 a1 62 a1 63 a1 64 a1 65",
	} {
		f.Add(unhex(f, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(append([]byte{0x94, 1, 5}, append(b, 0xc0)...), 100)
		if err != nil || m.err == nil {
			return
		}
		err = extended.failureOf(&m)
		if err == nil || extended.errorText(&m) == "" {
			t.Fatal("an error has become none")
		}
		errors.Is(err, context.Canceled)
	})
}

// TestInfoGolden pins what a request says of its context.
func TestInfoGolden(t *testing.T) {
	e := &Endpoint{opts: extended}
	ctx := WithMetadata(&callContext{Context: t.Context(), endpoint: e, call: &served{message: message{id: 300}}}, map[string]string{"k": "v"})
	b, err := e.appendInfo(unhex(t, "94 00 ce 00 00 00 05 a1 6d 90"), ctx, false)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(unhex(t, "95 00 ce 00 00 00 05 a1 6d 90 82 a6 77 69 74 68 69 6e cd 01 2c a4 6d 65 74 61 81 a1 6b a1 76")), hex.EncodeToString(b))
	b, err = e.appendInfo(unhex(t, "93 02 a1 6d 90"), ctx, true)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(unhex(t, "94 02 a1 6d 90 81 a4 6d 65 74 61 81 a1 6b a1 76")), hex.EncodeToString(b), "nothing waits for a one-way call")
	b, err = e.appendInfo(unhex(t, "94 00 ce 00 00 00 05 a1 6d 90"), t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, "94", hex.EncodeToString(b[:1]))
	b, err = (&Endpoint{}).appendInfo([]byte{0x94}, context.Background(), false)
	require.NoError(t, err)
	require.Equal(t, []byte{0x94}, b)

	limited, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b, err = e.appendInfo([]byte{0x93}, limited, true)
	require.NoError(t, err)
	require.Equal(t, []byte{0x93}, b, "a deadline of a one-way call is for the sending")
	past, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Hour))
	defer cancel()
	b, err = e.appendInfo([]byte{0x94}, past, false)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(unhex(t, "95 81 a7 74 69 6d 65 6f 75 74 01")), hex.EncodeToString(b))
}

// TestCallerIsLeftOut: an argument with a Caller crosses as it would without, unless there is something in it.
func TestCallerIsLeftOut(t *testing.T) {
	type arg struct {
		Caller
		A int
	}
	got := arg{Caller{ctx: t.Context()}, 1}
	require.Equal(t, hex.EncodeToString(unhex(t, "81 a1 41 01")), hex.EncodeToString(encodes(t, &got)))
	got.Metadata = map[string]string{"k": "v"}
	require.Equal(t, hex.EncodeToString(unhex(t, "82 a6 43 61 6c 6c 65 72 81 a8 4d 65 74 61 64 61 74 61 81 a1 6b a1 76 a1 41 01")), hex.EncodeToString(encodes(t, &got)))
}

func FuzzInfo(f *testing.F) {
	f.Add(unhex(f, "83 a7 74 69 6d 65 6f 75 74 01 a6 77 69 74 68 69 6e cd 01 2c a4 6d 65 74 61 81 a1 6b a1 76"))
	f.Add(unhex(f, "81 a1 78 92 01 02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := parseInfo(b)
		if err != nil {
			return
		}
		if info.timeout < 0 {
			t.Fatal(info.timeout)
		}
		md, err := info.metadata()
		if err == nil && len(md) > maxMetadataPairs {
			t.Fatal(len(md))
		}
	})
}
