package message

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

var (
	plain   = &Codec{Body: new(body.Codec)}
	shallow = &Codec{Body: &body.Codec{MaxDepth: 100}}
)

func TestAllocs(t *testing.T) {
	small := goldenArgs{1, 2}
	p := &small
	testkit.Allocs(t, 2, "encodeRequest: those of msgpack", func() {
		msg, err := plain.EncodeRequest("Arith.Add", p, body.NoLimit)
		if err != nil {
			t.Fatal(err)
		}
		buffer.Put(msg)
	})
	data := make([]byte, 100)
	testkit.Allocs(t, 1, "encodeRequest of bytes: the interface", func() {
		msg, _ := plain.EncodeRequest("Arith.Add", data, body.NoLimit)
		buffer.Put(msg)
	})
	request := testkit.Unhex(t, "94 00 05 a9 41 72 69 74 68 2e 41 64 64 91 82 a1 41 01 a1 42 02")
	testkit.Allocs(t, 0, "Parse", func() { _, _ = Parse(request, 100) })
	reply := testkit.Unhex(t, "94 01 05 c0 07")
	testkit.Allocs(t, 0, "Parse of a reply", func() { _, _ = Parse(reply, 100) })
	m, err := Parse(request, 100)
	require.NoError(t, err)
	testkit.Allocs(t, 3, "decodeArgument", func() {
		if err := shallow.DecodeArgument(&m, p, nil); err != nil {
			t.Fatal(err)
		}
	})
	var b []byte
	bytesBody := testkit.Unhex(t, "c4 02 61 62")
	testkit.Allocs(t, 0, "decodeBody of bytes", func() { _ = shallow.Body.Decode(bytesBody, &b) })
}
