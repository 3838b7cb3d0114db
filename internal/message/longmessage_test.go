package message

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/body"
	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// longRequest is a request of more than 64 KiB with params that are nothing, and end behind them.
func longRequest(end []byte) []byte {
	b := AppendRequest(nil, "m")
	b[0]++
	return append(append(b, bytes.Repeat([]byte{0xc1}, maxLook)...), end...)
}

// TestLongRequestIsSplit: the reader finds what is behind the params of a long message without
// looking through these.
func TestLongRequestIsSplit(t *testing.T) {
	says := Info{Timeout: time.Hour, Metadata: map[string]string{"k": "v"}}
	b := says.Append(longRequest(nil))
	b[0] = 0x95
	m, err := Parse(b, 10)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte{0xc1}, maxLook), m.Body)
	info := InfoOf(&m)
	require.NoError(t, info.Malformed)
	md, err := info.Metadata()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, md)
	require.NotZero(t, info.Deadline)

	// Up to where the element may make the message a long one.
	short := says.Append(make([]byte, maxLook-2*maxMetadata))
	require.False(t, bytes.Contains(short, []byte(infoEnd)))
	long := says.Append(make([]byte, maxLook-2*maxMetadata+1))
	require.Equal(t, len(long)-(maxLook-2*maxMetadata+1), sizeAtEnd(long))
}

// TestLongRequestWithoutSize: to who takes what is behind the params it is an error, to others
// nothing.
func TestLongRequestWithoutSize(t *testing.T) {
	for name, end := range map[string]string{
		"none":      "80",
		"too large": "81 a4 73 69 7a 65 ce ff ff ff ff",
		"nothing":   "81 a4 73 69 7a 65 ce 00 00 00 00",
	} {
		m, err := Parse(longRequest(testkit.Unhex(t, end)), 10)
		require.NoError(t, err)
		require.Equal(t, errNoSize, InfoOf(&m).Malformed, name)
	}
	m, err := Parse(longRequest(testkit.Unhex(t, "81 a4 73 69 7a 65 ce 00 00 00 08")), 10)
	require.NoError(t, err)
	require.Error(t, InfoOf(&m).Malformed, "a size that is not the element's")

	b := AppendRequest(nil, "m")
	b[0]++
	b = mpack.AppendArray(b, 1)
	b = mpack.AppendString(b, strings.Repeat("x", maxLook))
	m, err = Parse(append(b, 0x80), 10)
	require.NoError(t, err)
	var s string
	require.NoError(t, plain.DecodeArgument(&m, &s, nil))
	require.Len(t, s, maxLook)
}

// TestLongError: an error that is long is decoded by who waits for it.
func TestLongError(t *testing.T) {
	text := strings.Repeat("x", maxLook)
	m, err := Parse(AppendErrorText(nil, 5, text), 10)
	require.NoError(t, err)
	require.EqualError(t, extended.Error(&m), text)

	f := &Failure{&fault.Error{Code: 7, Message: text}, text, false}
	m, err = Parse(extended.AppendFailure(nil, 5, f, body.NoLimit), 10)
	require.NoError(t, err)
	var got *fault.Error
	require.ErrorAs(t, extended.Error(&m), &got)
	require.Equal(t, f.Err, got)

	b := append(testkit.Unhex(t, "94 01 05 92"), bytes.Repeat([]byte{0xc1}, maxLook)...)
	m, err = Parse(b, 10)
	require.NoError(t, err)
	require.EqualError(t, extended.Error(&m), "viaduct: cannot decode the error that came, 65537 bytes: msgpack: byte 0xc1 starts no value")
	_, err = Parse(append(b[:4:4], 0xc1), 10)
	require.ErrorContains(t, err, "error of response 5", "the reader looks at short ones")
	_, err = Parse(append(testkit.Unhex(t, "94 01 05 c1"), b...), 10)
	require.ErrorContains(t, err, "error of response 5")
}

// TestDeepError: data that is deeper than values may be costs the data, be the message long or not:
// neither the rest of the error nor the link.
func TestDeepError(t *testing.T) {
	for _, text := range []string{"deep", strings.Repeat("x", maxLook)} {
		data := any(1)
		for range 20 {
			data = []any{data}
		}
		f := &Failure{fmt.Errorf("%w: %w", &fault.Error{Code: 7, Message: text, Data: data}, io.EOF), text + ": EOF", false}
		shallow := &Codec{Body: &body.Codec{MaxDepth: 10}, Extended: true}
		b := extended.AppendFailure(nil, 5, f, body.NoLimit)
		m, err := Parse(b, 10)
		require.NoError(t, err)
		err = shallow.Error(&m)
		require.EqualError(t, err, text+": EOF")
		require.ErrorIs(t, err, io.EOF)
		var got *fault.Error
		require.ErrorAs(t, err, &got)
		require.Equal(t, 7, got.Code)
		require.ErrorContains(t, got.Data.(error), "nested deeper than the limit of 10")
	}
	// One that is of no viaduct is a text.
	m, err := Parse(append(append(testkit.Unhex(t, "94 01 05"), bytes.Repeat([]byte{0x91}, 20)...), 0xc0, 0xc0), 10)
	require.NoError(t, err)
	require.EqualError(t, extended.Error(&m), strings.Repeat("[", 20)+"null"+strings.Repeat("]", 20))
}

// TestManyNames: an error cannot make this side hold more than it is.
func TestManyNames(t *testing.T) {
	b := mpack.AppendMap(nil, 2)
	b = mpack.AppendStrings(b, keyText, "x", keyIs)
	b = mpack.AppendArray(b, 1000)
	for range 1000 {
		b = mpack.AppendString(b, "io.EOF")
	}
	f := extended.readError(b)
	require.Len(t, f.parts, maxNames)

	b = mpack.AppendMap(nil, 1001)
	b = mpack.AppendStrings(b, keyText, "x")
	for range 1000 {
		b = mpack.AppendArray(mpack.AppendString(b, keyPanic), 2)
		b = mpack.AppendStrings(b, "a", "b")
	}
	require.LessOrEqual(t, len(extended.readError(b).parts), maxParts)
}
