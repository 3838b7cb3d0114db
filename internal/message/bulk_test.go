package message

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/buffer"
	"github.com/viaduct-go/viaduct/internal/testkit"
	"github.com/viaduct-go/viaduct/internal/tuning"
)

type file struct {
	Name string
	Data []byte
}

// largeFile is a request with a MiB in it.
func largeFile() (sent *file, request []byte) {
	sent = &file{"name", make([]byte, 1<<20)}
	for i := range sent.Data { // pages that have been written to, not one page of zeros
		sent.Data[i] = byte(i)
	}
	msg, err := plain.EncodeRequest("Raw.Put", sent, body.NoLimit)
	if err != nil {
		panic(err)
	}
	defer buffer.Put(msg)
	return sent, slices.Clone(*msg)
}

// TestBulk: a large []byte is copied once on its way out and not at all on its way in.
func TestBulk(t *testing.T) {
	if testkit.RaceEnabled {
		t.Skip("pools drop things at random under the race detector")
	}
	if !tuning.LargeBuffers {
		t.Skip("large buffers are not kept")
	}
	sent, request := largeFile()
	var got file
	require.Less(t, allocatedBy(20, func() {
		msg, _ := plain.EncodeRequest("Raw.Put", sent, body.NoLimit)
		buffer.Put(msg)
	}), 20*len(sent.Data)/4, "encoding into a buffer of the pool takes no memory for the bytes")
	require.Less(t, allocatedBy(20, func() { decodeFile(t, request, &got) }), 1000*20, "what is decoded aliases the message")
	require.Equal(t, sent, &got)
}

func decodeFile(t testing.TB, request []byte, got *file) {
	m, err := Parse(request, 100)
	if err == nil {
		err = plain.DecodeArgument(&m, got, nil)
	}
	require.NoError(t, err)
}

// allocatedBy is how many bytes n times f take.
func allocatedBy(n int, f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		f()
	}
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

var sink []byte

// BenchmarkBulk: beside a copy, to compare with.
func BenchmarkBulk(b *testing.B) {
	sent, request := largeFile()
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			sink = slices.Clone(request)
		}
	})
	b.Run("encode into a buffer of the pool", func(b *testing.B) {
		for b.Loop() {
			msg, _ := plain.EncodeRequest("Raw.Put", sent, body.NoLimit)
			buffer.Put(msg)
		}
	})
	b.Run("encode into a fresh buffer", func(b *testing.B) {
		for b.Loop() {
			sink, _ = plain.Body.AppendParams(AppendRequest(nil, "Raw.Put"), sent, body.NoLimit)
		}
	})
	b.Run("decode", func(b *testing.B) {
		var got file
		for b.Loop() {
			decodeFile(b, request, &got)
		}
	})
}
