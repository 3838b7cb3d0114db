package message

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

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

var extended = &Codec{Body: new(body.Codec), Extended: true}

// TestFailureGolden pins what an error is that is more than a text, as PROTOCOL.md shows it.
func TestFailureGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    *Failure
		hex  string
	}{
		{"text", &Failure{errors.New("no"), "no", false}, "94 01 ce 00 00 00 05 a2 6e 6f c0"},
		{"is", &Failure{fmt.Errorf("x: %w", io.EOF), "x: EOF", false}, "94 01 ce 00 00 00 05 82" +
			" a4 74 65 78 74  a6 78 3a 20 45 4f 46" + // "text": "x: EOF"
			" a2 69 73  91 a6 69 6f 2e 45 4f 46  c0"}, // "is": ["io.EOF"]
		{"error", &Failure{&fault.Error{Code: -7, Message: "bad", Data: 5}, "bad", false}, "94 01 ce 00 00 00 05 82" +
			" a4 74 65 78 74  a3 62 61 64" +
			" a5 65 72 72 6f 72  93 f9 a3 62 61 64 05  c0"}, // "error": [-7, "bad", 5]
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(testkit.Unhex(t, tt.hex)), hex.EncodeToString(extended.AppendFailure(nil, 5, tt.f, body.NoLimit)))
			require.Equal(t, AppendErrorText(nil, 5, tt.f.Text), plain.AppendFailure(nil, 5, tt.f, body.NoLimit), "to others")
		})
	}
}

// TestFailureKeys: each of the library's own, there and back; and what is broken is passed over.
func TestFailureKeys(t *testing.T) {
	for _, err := range []error{
		&fault.PanicError{Value: "x", Stack: "main.f"},
		&fault.SizeError{Size: 300, Limit: 200},
		&fault.BodyError{Op: "decode", What: "arguments", Method: "A.B", Type: "int", Err: errors.New("why")},
		fault.ErrOverload, fault.ErrGoexit, context.Canceled,
	} {
		b := extended.AppendFailure(nil, 5, &Failure{err, err.Error(), true}, body.NoLimit)
		m, perr := Parse(b, 10)
		require.NoError(t, perr)
		got := extended.Error(&m)
		require.EqualError(t, got, err.Error())
		require.Equal(t, []error{err}, got.(*RemoteError).parts)
		require.Equal(t, err.Error(), extended.ErrorText(&m))
		m.Err = nil
		require.NoError(t, extended.Error(&m))
	}
	for text, want := range map[string]error{
		"81 a1 78 01":                                  rpc.ServerError(`{"x": 1}`), // no text
		"81 a4 74 65 78 74 01":                         rpc.ServerError(`{"text": 1}`),
		"81 01 a1 78":                                  rpc.ServerError(`{1: "x"}`),
		"81 a4 74 65 78 74 a1 78":                      &RemoteError{text: "x"},
		"82 a4 74 65 78 74 a1 78 a1 79 92 01 02":       &RemoteError{text: "x"}, // unknown key
		"82 a4 74 65 78 74 a1 78 a2 69 73 01":          &RemoteError{text: "x"},
		"82 a4 74 65 78 74 a1 78 a2 69 73 92 a1 7a 05": &RemoteError{text: "x"}, // unknown name, no name
		"82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 90": &RemoteError{text: "x"},
		"82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 93 cf ff ff ff ff ff ff ff ff a0 c0": &RemoteError{text: "x"}, // no int
		"82 a4 74 65 78 74 a1 78 a5 70 61 6e 69 63 91 a1 61":                            &RemoteError{text: "x"},
		"82 a4 74 65 78 74 a1 78 a4 73 69 7a 65 92 01 a1 61":                            &RemoteError{text: "x"},
		"82 a4 74 65 78 74 a1 78 a4 62 6f 64 79 91 a1 61":                               &RemoteError{text: "x"},
	} {
		b := testkit.Unhex(t, text)
		require.Equal(t, want, extended.Error(&Message{Err: b}), text)
		require.NotEmpty(t, extended.ErrorText(&Message{Err: b}))
		require.IsType(t, rpc.ServerError(""), plain.Error(&Message{Err: b}), "to who does not understand it, a text")
	}
	var e *fault.Error
	require.ErrorAs(t, extended.Error(&Message{Err: testkit.Unhex(t, "82 a4 74 65 78 74 a1 78 a5 65 72 72 6f 72 93 01 a0 81 90 01")}), &e, "its data is nothing for Go")
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
		f.Add(testkit.Unhex(f, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(append([]byte{0x94, 1, 5}, append(b, 0xc0)...), 100)
		if err != nil || m.Err == nil {
			return
		}
		err = extended.Error(&m)
		if err == nil || extended.ErrorText(&m) == "" {
			t.Fatal("an error has become none")
		}
		errors.Is(err, context.Canceled)
	})
}

// TestInfoGolden pins what goes with a call.
func TestInfoGolden(t *testing.T) {
	pairs := map[string]string{"k": "v"}
	for _, tt := range []struct {
		info      Info
		msg, want string
	}{
		{
			Info{Within: 300, Nested: true, Metadata: pairs}, "94 00 ce 00 00 00 05 a1 6d 90",
			"95 00 ce 00 00 00 05 a1 6d 90 82 a6 77 69 74 68 69 6e cd 01 2c a4 6d 65 74 61 81 a1 6b a1 76",
		},
		{Info{Metadata: pairs}, "93 02 a1 6d 90", "94 02 a1 6d 90 81 a4 6d 65 74 61 81 a1 6b a1 76"},
		{Info{}, "94 00 ce 00 00 00 05 a1 6d 90", "94 00 ce 00 00 00 05 a1 6d 90"},
		{Info{Timeout: 1}, "94", "95 81 a7 74 69 6d 65 6f 75 74 01"},
		{Info{Nested: true}, "94", "95 81 a6 77 69 74 68 69 6e 00"},
	} {
		got := tt.info.Append(testkit.Unhex(t, tt.msg))
		require.Equal(t, hex.EncodeToString(testkit.Unhex(t, tt.want)), hex.EncodeToString(got))
	}
}

func FuzzInfo(f *testing.F) {
	f.Add(testkit.Unhex(f, "83 a7 74 69 6d 65 6f 75 74 01 a6 77 69 74 68 69 6e cd 01 2c a4 6d 65 74 61 81 a1 6b a1 76"))
	f.Add(testkit.Unhex(f, "81 a1 78 92 01 02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, now := new(CallInfo), time.Now()
		if info.parse(b) != nil {
			return
		}
		if !info.Deadline.IsZero() && info.Deadline.Before(now) {
			t.Fatal(info.Deadline)
		}
		md, err := info.Metadata()
		if err == nil && len(md) > maxMetadataPairs {
			t.Fatal(len(md))
		}
	})
}
