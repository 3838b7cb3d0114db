package duplex

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// portions is what a connection brings, read by read.
type portions [][]byte

func (p *portions) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; len((*p)[0]) == 0 {
		*p = (*p)[1:]
	}
	return n, nil
}

// TestReadBuffer: a connection that brings little has a small buffer, also when it has brought much
// before, and nothing is lost where one takes the other's place.
func TestReadBuffer(t *testing.T) {
	var want []byte
	var src portions
	bring := func(times, n int) {
		for range times {
			b := bytes.Repeat([]byte{byte(len(want)), byte(len(want) >> 8)}, n/2)
			want, src = append(want, b...), append(src, b)
		}
	}
	bring(10, 100)
	bring(10, 3000)
	bring(2, smallRead)
	bring(10, 20000)
	bring(2*littleReads, 100)
	bring(3, readSize)
	r := newReader(nil, &src)
	var got []byte
	var sizes []int
	for r.fill(7) == nil { // and leave something
		if n := len(r.buf); len(sizes) == 0 || sizes[len(sizes)-1] != n {
			sizes = append(sizes, n)
		}
		for r.w-r.r >= 7 {
			b := make([]byte, 5)
			require.NoError(t, r.read(b))
			got = append(got, b...)
		}
	}
	got = append(got, r.buf[r.r:r.w]...)
	require.Equal(t, want, got)
	require.Equal(t, []int{smallRead, readSize, smallRead, readSize}, sizes)
}
