package message

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/rpctest"
)

// TestBufferReuse: what has been in a buffer of the pool does not come back.
func TestBufferReuse(t *testing.T) {
	for range 100 {
		msg, err := plain.EncodeRequest("Some.Method", strings.Repeat("x", 100), body.NoLimit)
		require.NoError(t, err)
		buffer.Put(msg)
		msg, err = plain.EncodeRequest("M", 1, body.NoLimit)
		require.NoError(t, err)
		require.Equal(t, rpctest.Unhex(t, "94 00 ce 00 00 00 00 a1 4d 91 01"), *msg)
		buffer.Put(msg)
		b := buffer.Get()
		require.Empty(t, *b)
		buffer.Put(b)
	}
	large := bytes.Repeat([]byte{1}, 3<<20)
	buffer.Put(&large)
	require.LessOrEqual(t, cap(*buffer.Get()), 2<<20)
}
