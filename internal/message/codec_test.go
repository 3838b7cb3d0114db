package message

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestBufferReuse: what has been in a buffer of the pool does not come back.
func TestBufferReuse(t *testing.T) {
	for range 100 {
		msg, err := plain.EncodeRequest("Some.Method", strings.Repeat("x", 100), body.NoLimit)
		require.NoError(t, err)
		buffer.Put(msg)
		msg, err = plain.EncodeRequest("M", 1, body.NoLimit)
		require.NoError(t, err)
		require.Equal(t, testkit.Unhex(t, "94 00 ce 00 00 00 00 a1 4d 91 01"), *msg)
		buffer.Put(msg)
		b := buffer.Get()
		require.Empty(t, *b)
		buffer.Put(b)
	}
	large := bytes.Repeat([]byte{1}, 3<<20)
	buffer.Put(&large)
	require.LessOrEqual(t, cap(*buffer.Get()), 2<<20)
}

// TestEncoded: params that were encoded before go as they are, and a result can be decoded later.
func TestEncoded(t *testing.T) {
	c := &Codec{Body: new(body.Codec)}
	encoded, err := c.EncodeParams("A.B", []int{1, 2}, 100)
	require.NoError(t, err)
	want, err := c.EncodeRequest("A.B", []int{1, 2}, 100)
	require.NoError(t, err)
	got, err := c.EncodeRequest("A.B", encoded, 100)
	require.NoError(t, err)
	require.Equal(t, *want, *got)
	note, err := c.EncodeNotification("A.B", encoded, 100)
	require.NoError(t, err)
	require.Equal(t, []byte("\x93\x02\xa3A.B\x91\x92\x01\x02"), *note)
	_, err = c.EncodeRequest("A.B", encoded, len(*want)-1)
	require.ErrorAs(t, err, new(*fault.SizeError))
	_, err = c.EncodeParams("A.B", make(chan int), 100)
	require.ErrorAs(t, err, new(*fault.BodyError))
	_, err = c.EncodeParams("A.B", "text", 3)
	require.ErrorAs(t, err, new(*fault.SizeError))

	var kept Encoded
	require.NoError(t, c.DecodeReply(&Message{Body: []byte{0x92, 1, 2}}, "A.B", &kept))
	var list []int
	require.NoError(t, c.DecodeEncoded(&kept, "A.B", &list))
	require.Equal(t, []int{1, 2}, list)
	require.ErrorAs(t, c.DecodeEncoded(&kept, "A.B", new(string)), new(*fault.BodyError))
}
