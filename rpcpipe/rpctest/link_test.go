package rpctest_test

import (
	"io"
	"math/bits"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/rpcpipe/rpctest"
)

// hello and frames as docs/PROTOCOL.md has them: three frames of 2, 0 and 3 bytes.
const (
	hello  = "\xf1VIADUCT\x01\x00\x01\x00\x01\x00\x00\x00\x80"
	frame1 = "\x10\x00\x02\x00\x00\x00\x00\x00ab"
	frame2 = "\x30\x00\x00\x00\x07\x00\x00\x00"
	frame3 = "\x10\x00\x03\x00\x00\x00\x00\x00cde"
)

// TestFaults: what arrives of bytes to which one thing happens, written whole and byte by byte.
func TestFaults(t *testing.T) {
	const said = hello + frame1 + frame2 + frame3
	for _, tt := range []struct {
		fault rpctest.Fault
		name  string
		want  string
	}{
		{rpctest.Cut(rpctest.Byte(5)), "cut at byte 5", said[:5]},
		{rpctest.Cut(rpctest.Byte(0)), "cut at byte 0", ""},
		{rpctest.Drop(rpctest.Byte(5)), "drop at byte 5", said[:5] + said[6:]},
		{rpctest.Duplicate(rpctest.Byte(5)), "duplicate at byte 5", said[:6] + said[5:]},
		{rpctest.Stall(rpctest.Byte(5)), "stall at byte 5", said[:5]},
		{rpctest.Cut(rpctest.Frame(0)), "cut at frame 0", ""},
		{rpctest.Cut(rpctest.Frame(2)), "cut at frame 2", hello + frame1},
		{rpctest.Drop(rpctest.Frame(2)), "drop at frame 2", hello + frame1 + frame3},
		{rpctest.Duplicate(rpctest.Frame(3)), "duplicate at frame 3", said + frame3},
		{rpctest.Stall(rpctest.Frame(1)), "stall at frame 1", hello},
		{rpctest.Split(3), "split into at most 3 bytes", said},
		{rpctest.Drop(rpctest.Byte(1000)), "", said},
		{rpctest.Drop(rpctest.Frame(4)), "", said},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, step := range []int{len(said), 1} {
					link := rpctest.NewLink(&rpctest.LinkOptions{AToB: []rpctest.Fault{tt.fault}})
					go func() {
						for part := range slicesOf(said, step) {
							link.A.Write([]byte(part))
						}
						link.A.Close()
					}()
					var got []byte
					done := make(chan struct{})
					go func() {
						got, _ = io.ReadAll(link.B)
						close(done)
					}()
					synctest.Wait()
					if strings.HasPrefix(tt.name, "stall") {
						select {
						case <-done:
							t.Fatal("what is stalled has ended")
						default:
						}
						link.Resume()
						<-done
						require.Equal(t, said, string(got), "it goes on")
					} else {
						<-done
						require.Equal(t, tt.want, string(got))
					}
					if tt.name != "" && !strings.HasPrefix(tt.name, "split") {
						require.Equal(t, []string{"A to B: " + tt.name}, link.Happened())
					} else {
						require.Empty(t, link.Happened())
					}
					link.B.Close()
				}
			})
		})
	}
}

// slicesOf cuts s into parts of n bytes.
func slicesOf(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			m := min(n, len(s))
			if !yield(s[:m]) {
				return
			}
			s = s[m:]
		}
	}
}

// TestCorrupt: one bit is another, and the same one for the same seed.
func TestCorrupt(t *testing.T) {
	const said = hello + frame1 + frame3
	send := func(seed uint64, f rpctest.Fault) []byte {
		link := rpctest.NewLink(&rpctest.LinkOptions{Seed: seed, AToB: []rpctest.Fault{f}})
		_, err := io.WriteString(link.A, said)
		require.NoError(t, err)
		require.NoError(t, link.A.Close())
		b, err := io.ReadAll(link.B)
		require.NoError(t, err)
		require.Len(t, b, len(said))
		return b
	}
	places := make(map[int]bool)
	for seed := range uint64(50) {
		for f, where := range map[rpctest.Fault][2]int{
			rpctest.Corrupt(rpctest.Byte(20)): {20, 21},
			rpctest.Corrupt(rpctest.Frame(2)): {len(hello + frame1), len(said)},
		} {
			got := send(seed, f)
			require.Equal(t, got, send(seed, f))
			differ := 0
			for i := range got {
				if n := bits.OnesCount8(got[i] ^ said[i]); n > 0 {
					differ += n
					places[i] = true
					require.True(t, i >= where[0] && i < where[1], "byte %d", i)
				}
			}
			require.Equal(t, 1, differ)
		}
	}
	require.Greater(t, len(places), 5, "the seed decides where")
}

// TestSlow: what comes late and slowly comes when it should.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := rpctest.NewLink(&rpctest.LinkOptions{
			AToB: []rpctest.Fault{rpctest.Delay(time.Second, time.Second), rpctest.Rate(1000)},
			BToA: []rpctest.Fault{rpctest.Delay(time.Minute, time.Hour)},
		})
		begin := time.Now()
		_, err := link.A.Write(make([]byte, 10_000))
		require.NoError(t, err)
		require.Zero(t, time.Since(begin), "it takes 64 KiB at once")
		b := make([]byte, 10_000)
		_, err = io.ReadFull(link.B, b[:1])
		require.NoError(t, err)
		require.Equal(t, time.Second+20*time.Millisecond, time.Since(begin), "a fiftieth of a second's bytes at once")
		_, err = io.ReadFull(link.B, b[1:])
		require.NoError(t, err)
		require.Equal(t, 11*time.Second, time.Since(begin))

		begin = time.Now()
		for i := range 10 {
			_, err := link.B.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		for i := range 10 {
			_, err := io.ReadFull(link.A, b[:1])
			require.NoError(t, err)
			require.Equal(t, byte(i), b[0], "in their order")
			require.GreaterOrEqual(t, time.Since(begin), time.Minute)
		}
		require.LessOrEqual(t, time.Since(begin), time.Hour)
		link.A.Close()
		link.B.Close()
	})
}

// TestFull: a direction takes 64 KiB, and then waits until somebody reads, or an end is closed.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := rpctest.NewLink(nil)
		type result struct {
			n   int
			err error
		}
		wrote := make(chan result, 1)
		write := func() {
			n, err := link.A.Write(make([]byte, 100_000))
			wrote <- result{n, err}
		}
		go write()
		synctest.Wait()
		require.Empty(t, wrote)
		_, err := io.ReadFull(link.B, make([]byte, 100_000))
		require.NoError(t, err)
		require.Equal(t, result{100_000, nil}, <-wrote)
		go write()
		synctest.Wait()
		require.Empty(t, wrote)
		link.Cut()
		require.Equal(t, result{65536, io.ErrClosedPipe}, <-wrote)
		b, err := io.ReadAll(link.B)
		require.NoError(t, err)
		require.Len(t, b, 65536, "what was taken arrives")
		_, err = link.B.Write([]byte{1})
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.NoError(t, link.B.Close())
		require.NoError(t, link.B.Close())
		_, err = link.B.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe)
	})
}

// TestBadFaults: a fault that has no meaning is a mistake in the test.
func TestBadFaults(t *testing.T) {
	for want, f := range map[string]rpctest.Fault{
		"rpctest: rate of 0 bytes/s: 1 or more was expected":            rpctest.Rate(0),
		"rpctest: split into at most -1 bytes: 1 or more was expected":  rpctest.Split(-1),
		"rpctest: delay of 2s to 1s: 0 <= least <= most was expected":   rpctest.Delay(2*time.Second, time.Second),
		"rpctest: cut at byte -1: bytes and frames count from 0":        rpctest.Cut(rpctest.Byte(-1)),
		"rpctest: corrupt at frame -3: bytes and frames count from 0":   rpctest.Corrupt(rpctest.Frame(-3)),
		"rpctest: delay of -1ns to 1s: 0 <= least <= most was expected": rpctest.Delay(-1, time.Second),
		"rpctest: split into at most 0 bytes: 1 or more was expected":   rpctest.Split(0),
		"rpctest: duplicate at byte -9: bytes and frames count from 0":  rpctest.Duplicate(rpctest.Byte(-9)),
	} {
		require.PanicsWithValue(t, want, func() { rpctest.NewLink(&rpctest.LinkOptions{BToA: []rpctest.Fault{f}}) })
	}
}

// TestOtherBytes: what is no hello and has no frames goes through, and so does half a frame when
// its writer has ended.
func TestOtherBytes(t *testing.T) {
	link := rpctest.NewLink(&rpctest.LinkOptions{AToB: []rpctest.Fault{rpctest.Drop(rpctest.Frame(9))}})
	said := make([]byte, 10_000) // a hello with a map of no bytes, and frames of none
	_, err := link.A.Write(said[:9_999])
	require.NoError(t, err)
	require.NoError(t, link.A.Close())
	b, err := io.ReadAll(link.B)
	require.NoError(t, err)
	require.Len(t, b, 9_999-8)
}
