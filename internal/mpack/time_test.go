package mpack_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// TestZonedTime: the bytes, and what comes back as package time has it in its own.
func TestZonedTime(t *testing.T) {
	at := func(offset int) time.Time { return time.Unix(1, 2).In(time.FixedZone("", offset)) }
	for _, tt := range []struct {
		t     time.Time
		bytes string
	}{
		{at(2 * 3600), "d8 ff 00 00 00 02 00 00 00 00 00 00 00 01 00 00 1c 20"},
		{at(-1), "d8 ff 00 00 00 02 00 00 00 00 00 00 00 01 ff ff ff ff"},
		{time.Unix(-1, 0).In(time.FixedZone("", 60)), "d8 ff 00 00 00 00 ff ff ff ff ff ff ff ff 00 00 00 3c"},
	} {
		b := mpack.AppendZonedTime(nil, tt.t)
		require.Equal(t, testkit.Unhex(t, tt.bytes), b)
		got, err := mpack.ParseTime(b[2:])
		require.NoError(t, err)
		if _, offset := got.Zone(); offset == -1 {
			require.True(t, tt.t.Equal(got))
			continue // package time's own bytes are wrong about that
		}
		var want time.Time
		own, err := tt.t.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, want.UnmarshalBinary(own))
		require.Equal(t, want, got)
	}
	now := time.Now().Round(0)
	got, err := mpack.ParseTime(mpack.AppendZonedTime(nil, now)[2:])
	require.NoError(t, err)
	require.Equal(t, now, got, "the machine's own zone")
	for _, bad := range []string{"00 00 00 02 00 00 00 00 00 00 00 01 00 00 1c", "7f ff ff ff 00 00 00 00 00 00 00 01 00 00 1c 20"} {
		_, err := mpack.ParseTime(testkit.Unhex(t, bad))
		require.Error(t, err)
	}
	// However far away it is said to be.
	got, err = mpack.ParseTime(testkit.Unhex(t, "00 00 00 02 80 00 00 00 00 00 00 00 80 00 00 00"))
	require.NoError(t, err)
	require.NotEmpty(t, got.String())
}

func TestSizes(t *testing.T) {
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		require.Equal(t, len(mpack.AppendString(nil, string(make([]byte, n)))), mpack.SizeOfString(n))
		require.Equal(t, len(mpack.AppendBin(nil, make([]byte, n))), mpack.SizeOfBin(n))
	}
}
