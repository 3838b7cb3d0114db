package message

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

type goldenArgs struct{ A, B int }

// TestGoldenSent: what is sent, byte for byte.
func TestGoldenSent(t *testing.T) {
	request := func(method string, args any, id uint32) []byte {
		msg, err := plain.EncodeRequest(method, args, body.NoLimit)
		require.NoError(t, err)
		SetID(*msg, id)
		return *msg
	}
	notification := func(method string, args any) []byte {
		msg, err := plain.EncodeNotification(method, args, body.NoLimit)
		require.NoError(t, err)
		return *msg
	}
	reply := func(id uint64, errText string, v any) []byte {
		if errText != "" {
			return AppendErrorText(nil, uint32(id), errText)
		}
		var b []byte
		plain.EncodeReply(&b, uint32(id), "S.M", v, body.NoLimit)
		return b
	}
	seven := 7
	for _, tt := range []struct {
		name string
		got  []byte
		hex  string
	}{
		{"request", request("Arith.Add", goldenArgs{1, 2}, 5), "94 00 ce 00 00 00 05 a9 41 72 69 74 68 2e 41 64 64 91 82 a1 41 01 a1 42 02"},
		{"request by pointer", request("M", &goldenArgs{1, -1}, 0xffffffff), "94 00 ce ff ff ff ff a1 4d 91 82 a1 41 01 a1 42 ff"},
		{"request of bytes", request("M", []byte{1, 0xff}, 0), "94 00 ce 00 00 00 00 a1 4d 91 c4 02 01 ff"},
		{"request of text", request("M", "hi", 0), "94 00 ce 00 00 00 00 a1 4d 91 a2 68 69"},
		{"request of nil", request("M", nil, 0), "94 00 ce 00 00 00 00 a1 4d 91 c0"},
		{"request of nil bytes", request("M", []byte(nil), 0), "94 00 ce 00 00 00 00 a1 4d 91 c0"},
		{"request of empty bytes", request("M", []byte{}, 0), "94 00 ce 00 00 00 00 a1 4d 91 c4 00"},
		{"request of typed nil", request("M", (*goldenArgs)(nil), 0), "94 00 ce 00 00 00 00 a1 4d 91 c0"},
		{"request of nil bytes by pointer", request("M", (*[]byte)(nil), 0), "94 00 ce 00 00 00 00 a1 4d 91 c0"},
		{"notification", notification("Log.Put", "x"), "93 02 a7 4c 6f 67 2e 50 75 74 91 a1 78"},
		{"reply", reply(5, "", &seven), "94 01 ce 00 00 00 05 c0 07"},
		{"reply of struct", reply(5, "", &goldenArgs{3, 4}), "94 01 ce 00 00 00 05 c0 82 a1 41 03 a1 42 04"},
		{"sync", request(SyncMethod, 0, 7), "94 00 ce 00 00 00 07 a6 24 2f 73 79 6e 63 91 00"},
		{"settle", request(SettleMethod, 0, 7), "94 00 ce 00 00 00 07 a8 24 2f 73 65 74 74 6c 65 91 00"},
		{"reply of nothing", AppendDone(nil, 7), "94 01 ce 00 00 00 07 c0 c0"},
		{"error reply", reply(6, "no luck", struct{}{}), "94 01 ce 00 00 00 06 a7 6e 6f 20 6c 75 63 6b c0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, hex.EncodeToString(testkit.Unhex(t, tt.hex)), hex.EncodeToString(tt.got))
		})
	}
}

// messageTests are legal messages.
var messageTests = []struct {
	name, hex string
	want      Message
}{
	{"request", "94 00 05 a1 6d 91 07", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0x91, 7}}},
	{"request, msgid in full", "94 00 ce ff ff ff fe a1 6d 91 07", Message{Kind: 0, ID: 0xfffffffe, Method: []byte("m"), Body: []byte{0x91, 7}}},
	{"request, msgid in 64 bits, signed", "94 00 d3 00 00 00 00 00 00 00 05 a1 6d 90", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0x90}}},
	{"request, no method", "94 00 05 a0 90", Message{Kind: 0, ID: 5, Method: []byte{}, Body: []byte{0x90}}},
	{"request, longer heads", "dc 00 04 cc 00 05 d9 01 6d 91 07", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0x91, 7}}},
	{"request, fifth element", "95 00 05 a1 6d 91 07 81 a1 61 92 01 02", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0x91, 7}, Extra: []byte{0x81, 0xa1, 'a', 0x92, 1, 2}}},
	{"request, params no array", "94 00 05 a1 6d c0", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0xc0}}},
	{"request, params broken", "94 00 05 a1 6d 91 c1", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{0x91, 0xc1}}},
	{"request, no params", "94 00 05 a1 6d", Message{Kind: 0, ID: 5, Method: []byte("m"), Body: []byte{}}},
	{"notification", "93 02 a1 6d 92 01 02", Message{Kind: 2, Method: []byte("m"), Body: []byte{0x92, 1, 2}}},
	{"notification, fourth element", "94 02 a1 6d 91 01 80", Message{Kind: 2, Method: []byte("m"), Body: []byte{0x91, 1}, Extra: []byte{0x80}}},
	{"reply", "94 01 05 c0 07", Message{Kind: 1, ID: 5, Body: []byte{7}}},
	{"reply of nil", "94 01 05 c0 c0", Message{Kind: 1, ID: 5, Body: []byte{0xc0}}},
	{"error reply", "94 01 05 a2 6e 6f c0", Message{Kind: 1, ID: 5, Err: []byte{0xa2, 'n', 'o'}, Body: []byte{0xc0}}},
	{"error reply, array", "94 01 05 92 00 a2 6e 6f c0", Message{Kind: 1, ID: 5, Err: []byte{0x92, 0, 0xa2, 'n', 'o'}, Body: []byte{0xc0}}},
	{"error reply, false", "94 01 05 c2 c0", Message{Kind: 1, ID: 5, Err: []byte{0xc2}, Body: []byte{0xc0}}},
}

func TestParseMessage(t *testing.T) {
	for _, tt := range messageTests {
		t.Run(tt.name, func(t *testing.T) {
			b := testkit.Unhex(t, tt.hex)
			m, err := Parse(b, 10)
			require.NoError(t, err)
			tt.want.Size = len(b)
			require.Empty(t, cmp.Diff(tt.want, m, cmp.AllowUnexported(Message{})))
			for n := range b {
				require.NotPanics(t, func() { _, _ = Parse(b[:n], 10) })
			}
		})
	}
}

// illegalTests are the neighbours of legal messages, and what the error names.
var illegalTests = []struct{ name, hex, err string }{
	{"empty", "", "message is not an array: unexpected EOF"},
	{"no array", "07", "message is not an array: msgpack: found uint where array was expected"},
	{"a map", "84 00 05 a1 6d 91 07 01 01", "found map where array"},
	{"reserved", "c1", "0xc1"},
	{"reserved type", "94 c1 05 a1 6d 91", "message type is not a number: msgpack: byte 0xc1"},
	{"empty array", "90", "message type is not a number"},
	{"array longer than the message", "dd ff ff ff ff 00", "message is not an array: unexpected EOF"},
	{"type 3", "94 03 05 a1 6d 91 07", "message type is 3, expected 0, 1 or 2"},
	{"type -1", "94 ff 05 a1 6d 91 07", "message type is not a number: msgpack: found int"},
	{"type 256", "94 cd 01 00 05 a1 6d 90", "message type is 256"},
	{"type text", "94 a1 30 05 a1 6d 90", "message type is not a number: msgpack: found str"},
	{"request of 3", "93 00 05 a1 6d 91 07", "message of type 0 has 3 elements, expected 4"},
	{"request of 6", "96 00 05 a1 6d 91 07 c0 c0", "message of type 0 has 6 elements, expected 4"},
	{"response of 3", "93 01 05 c0", "message of type 1 has 3 elements, expected 4"},
	{"response of 5", "95 01 05 c0 07 c0", "message of type 1 has 5 elements, expected 4"},
	{"notification of 2", "92 02 a1 6d", "message of type 2 has 2 elements, expected 3"},
	{"notification of 5", "95 02 a1 6d 90 c0 c0", "message of type 2 has 5 elements, expected 3"},
	{"msgid of 33 bits", "94 00 cf 00 00 00 01 00 00 00 00 a1 6d 90", "msgid 4294967296 has more than 32 bits"},
	{"msgid negative", "94 00 ff a1 6d 90", "msgid is not a number: msgpack: found int"},
	{"msgid nil", "94 01 c0 c0 c0", "msgid is not a number: msgpack: found nil"},
	{"method no text", "94 00 05 07 90", "method name of message of type 0: msgpack: found uint where str"},
	{"method bin", "94 00 05 c4 01 6d 90", "method name of message of type 0: msgpack: found bin"},
	{"method longer than the message", "94 00 05 db ff ff ff ff 6d 90", "method name of message of type 0: unexpected EOF"},
	{"method nil, one way", "93 02 c0 90", "method name of message of type 2: msgpack: found nil"},
	{"error broken", "94 01 05 c1 c0", "error of response 5: msgpack: byte 0xc1"},
	{"error cut off", "94 01 05 92 01", "error of response 5: unexpected EOF"},
}

func TestIllegalMessages(t *testing.T) {
	for _, tt := range illegalTests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse(testkit.Unhex(t, tt.hex), 3)
			var perr *fault.ProtocolError
			require.ErrorAs(t, err, &perr)
			require.ErrorContains(t, err, tt.err)
			require.ErrorContains(t, err, "viaduct: protocol error: ")
		})
	}
}

// TestParams: how many there are costs one call at most.
func TestParams(t *testing.T) {
	for _, tt := range []struct {
		name, hex string
		want      int // what is in the argument afterwards; it was 9
		err       string
	}{
		{"none", "94 00 05 a1 6d 90", 9, ""},
		{"one", "94 00 05 a1 6d 91 07", 7, ""},
		{"one nil", "94 00 05 a1 6d 91 c0", 9, ""},
		{"one, fifth element", "95 00 05 a1 6d 91 07 a1 78", 7, ""},
		{"two", "94 00 05 a1 6d 92 07 08", 9, "type mismatch: call has 2 parameters, the method takes one"},
		{"no array", "94 00 05 a1 6d 07", 9, "params are not an array: msgpack: found uint"},
		{"missing", "94 00 05 a1 6d", 9, "truncated argument"},
		{"none, bytes behind", "94 00 05 a1 6d 90 07", 9, "bytes left over"},
		{"one, bytes behind", "94 00 05 a1 6d 91 07 08", 9, "bytes left over"},
		{"one of another type", "94 00 05 a1 6d 91 a1 78", 9, "type mismatch: MessagePack str into Go type int"},
		{"one broken", "94 00 05 a1 6d 91 c1", 9, "0xc1"},
		{"one cut off", "94 00 05 a1 6d 91 cd 01", 9, "truncated argument"},
		{"one too deep", "95 00 05 a1 6d 91 91 91 91 91 91 91 91 91 91 91 91 c0 c0", 9, "nested deeper"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Parse(testkit.Unhex(t, tt.hex), 10)
			require.NoError(t, err)
			arg := 9
			codec := Codec{Body: &body.Codec{MaxDepth: 10}}
			require.NoError(t, codec.DecodeArgument(&m, nil, nil), "nobody wants it")
			err = codec.DecodeArgument(&m, &arg, nil)
			require.Equal(t, tt.want, arg)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			var berr *fault.BodyError
			require.ErrorAs(t, err, &berr)
			require.ErrorContains(t, err, tt.err)
			require.ErrorContains(t, err, "viaduct: cannot decode arguments of m, type *int: ")
		})
	}
}

func TestErrorText(t *testing.T) {
	for s, want := range map[string]string{
		"94 01 05 c0 07":                   "",
		"94 01 05 a2 6e 6f c0":             "no",
		"94 01 05 92 00 a2 6e 6f c0":       `[0, "no"]`,
		"94 01 05 c4 02 6e 6f c0":          "no",
		"94 01 05 a0 c0":                   "unknown error", // no text would be success
		"94 01 05 81 a4 63 6f 64 65 05 c0": `{"code": 5}`,
		"94 01 05 c2 c0":                   "false",
		"94 01 05 d5 01 ff ff c0":          "ext(1, ffff)",
	} {
		m, err := Parse(testkit.Unhex(t, s), 10)
		require.NoError(t, err)
		require.Equal(t, want, plain.ErrorText(&m), s)
	}
}
