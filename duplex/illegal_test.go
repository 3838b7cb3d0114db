package duplex

import (
	"bytes"
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// firstOf70000 opens a long message of each class; the limits in illegalTests
// let one be granted and another wait.
const (
	firstCall7         = "14 00 00 80 07 00 00 00 70 11 01 00 00 00 00 00 +32760"
	firstCall8         = "14 00 00 80 08 00 00 00 70 11 01 00 00 00 00 00 +32760"
	firstNotification7 = "16 00 00 80 07 00 00 00 70 11 01 00 00 00 00 00 +32760"
	piece7             = "18 00 00 80 07 00 00 00 +32768" // 4472 bytes are left
)

var illegalTests = []struct {
	name  string
	lines []string
	err   string
}{
	{"message over the limit", []string{"14 00 00 80 00 00 00 00 71 11 01 00 00 00 00 00"}, "call message of 70001 bytes, limit is 70000"},
	{"huge message", []string{"15 00 00 80 00 00 00 00 ff ff ff ff ff ff ff ff"}, "reply message of 18446744073709551615 bytes, limit is 70000"},
	{"first that fits one frame", []string{"14 00 00 80 05 00 00 00 00 80 00 00 00 00 00 00"}, "first frame of call message 5: length 32768 fits one frame"},
	{"first of nothing", []string{"16 00 00 80 05 00 00 00 00 00 00 00 00 00 00 00"}, "first frame of notification message 5: length 0 fits one frame"},
	{"id in use", []string{firstCall7, "14 00 00 80 07 00 00 00 70 11 01 00 00 00 00 00"}, "first frame of call message 7, which is open already"},
	{"piece of nothing", []string{"18 00 01 00 07 00 00 00"}, "piece of call message 7, which is not open"},
	{"piece of another class", []string{firstCall7, "19 00 01 00 07 00 00 00"}, "piece of reply message 7, which is not open"},
	{"piece not granted", []string{firstCall7, firstCall8, "18 00 01 00 08 00 00 00"}, "piece of call message 8, which has not been granted"},
	{"piece too long", []string{firstCall7, piece7, "18 00 79 11 07 00 00 00"}, "piece of call message 7 goes beyond its length of 70000"},
	{"piece behind the last", []string{firstCall7, piece7, "18 00 78 11 07 00 00 00 +4472", "18 00 01 00 07 00 00 00"}, "piece of call message 7, which is not open"},
	{"abort of nothing", []string{"1d 00 00 00 01 00 00 00"}, "abort of reply message 1, which is not open"},
	{"abort twice", []string{firstCall7, "1c 00 00 00 07 00 00 00", "1c 00 00 00 07 00 00 00"}, "abort of call message 7, which is not open"},
	{"piece behind the abort", []string{firstCall7, "1c 00 00 00 07 00 00 00", "18 00 01 00 07 00 00 00"}, "piece of call message 7, which is not open"},
	{"credit of zero", []string{"20 00 00 00 00 00 00 00"}, "call credit of 0 bytes makes 0, limit is 1073741824"},
	{"credit overflow", []string{"21 00 00 00 00 00 00 40", "21 00 00 00 01 00 00 00"}, "reply credit of 1 bytes makes 1073741825, limit is 1073741824"},
	{"credit overflow at once", []string{"22 00 00 00 ff ff ff ff"}, "notification credit of 4294967295 bytes makes 4294967295, limit is 1073741824"},
	{"credit overrun", []string{"10 00 00 80 00 00 00 00 +32768", "10 00 00 80 00 00 00 00 +32768", "10 00 00 80 00 00 00 00 +32768", "10 00 01 00 00 00 00 00"},
		"call message beyond the credit: 70000 bytes granted, all used"},
	{"credit overrun by a long message", []string{firstCall7, firstCall8, "14 00 00 80 09 00 00 00 70 11 01 00 00 00 00 00 +32760", "14 00 00 80 0a 00 00 00 70 11 01 00 00 00 00 00"},
		"call message beyond the credit: 70000 bytes granted, all used"},
	{"notification overtakes", []string{firstNotification7, "12 00 01 00 00 00 00 00"}, "notification comes before the one ahead of it has ended"},
	{"long notification overtakes", []string{firstNotification7, "16 00 00 80 08 00 00 00 70 11 01 00 00 00 00 00"}, "notification 8 begins before the one ahead of it has ended"},
	{"streams are reserved to the last", []string{"4f 00 00 00 00 00 00 00"}, "unknown frame kind 0x4f"},
	{"long urgent", []string{"17 00 00 80 00 00 00 00"}, "unknown frame kind 0x17"},
	{"text", []string{"48 54 54 50 2f 31 2e 31"}, "stop frame: second byte is 0x54, not zero"},
}

// TestIllegal: each breach ends the link with an error that names it.
func TestIllegal(t *testing.T) {
	tests := illegalTests
	for _, tt := range headerTests {
		if tt.err != "" {
			tests = append(tests, struct {
				name  string
				lines []string
				err   string
			}{tt.hex, []string{tt.hex}, tt.err})
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPeer(t, &Options{MaxMessage: 70000, Window: 70000})
				p.out()
				p.raw.Write(wire(tt.lines...)) // its last bytes may not be read any more
				err := p.Wait()
				var pe *ProtocolError
				require.ErrorAs(t, err, &pe)
				require.Equal(t, tt.err, pe.Reason)
				require.Equal(t, err, p.Err())
				_, rerr := p.ServerLane().ReadMessage()
				for rerr == nil {
					_, rerr = p.ServerLane().ReadMessage()
				}
				require.Equal(t, err, rerr)
				require.Equal(t, err, p.ClientLane().WriteMessage([]byte("x")))
			})
		})
	}
}

// TestCutOff: the stream may end between frames only.
func TestCutOff(t *testing.T) {
	whole := wire("10 00 03 00 00 00 00 00 61 62 63")
	for n := range len(whole) + 1 {
		synctest.Test(t, func(t *testing.T) {
			p := newRawPeer(t, nil)
			p.out()
			_, err := p.raw.Write(whole[:n])
			require.NoError(t, err)
			p.raw.Close()
			want := io.ErrUnexpectedEOF
			if n == 0 || n == len(whole) {
				want = io.EOF
			}
			require.Equal(t, want, p.Wait(), "after %d bytes", n)
		})
	}
}

// TestNothingTakenOnTrust: what a first frame claims costs no memory before it comes.
func TestNothingTakenOnTrust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{MaxMessage: 1 << 30})
		p.out()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := p.raw.Write(wire(
			"14 00 00 80 07 00 00 00 00 00 00 40 00 00 00 00 +32760",
			"18 00 01 00 07 00 00 00 +1",
		))
		require.NoError(t, err)
		synctest.Wait()
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
		require.NoError(t, p.Err())
	})
}

// TestBye: it is the last frame, and what follows costs nothing.
func TestBye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		bye := wire("32 00 00 00 00 00 00 00")
		_, err := p.raw.Write(bytes.Repeat(bye, 100_000))
		require.NoError(t, err)
		p.Conn.mu.Lock()
		require.Len(t, p.timers, 1)
		p.Conn.mu.Unlock()
		p.raw.Close()
		require.ErrorIs(t, p.Wait(), ErrPeerClosed)
	})
}

// FuzzReader feeds a link arbitrary bytes while it sends.
func FuzzReader(f *testing.F) {
	for _, tt := range illegalTests {
		f.Add(wire(tt.lines...))
	}
	for _, s := range exampleSteps() {
		f.Add(s.bytes)
	}
	var all []byte
	for _, s := range exampleSteps() {
		if s.from == "B" {
			all = append(all, s.bytes...)
		}
	}
	f.Add(all)
	for _, frames := range streamSeeds {
		f.Add(wire(frames...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			x, raw := net.Pipe()
			c := New(x, &Options{MaxMessage: 70000, Window: 70000})
			server, client := receive(c.ServerLane(), true), receive(c.ClientLane(), true)
			go io.Copy(io.Discard, raw)
			ctx, cancel := context.WithCancel(t.Context())
			for i, n := range []int{10, 40000, 70000, 32768} {
				sending(ctx, c.ClientLane(), body(i, n), false)
				sending(ctx, c.ClientLane(), body(i, n), true)
				sending(ctx, c.ServerLane(), body(i, n), false)
			}
			go c.Open(ctx)
			_, offered := c.Offer()
			go offered.Write(body(1, 100))
			go echoAll(c)
			raw.Write(b)
			synctest.Wait()
			got := 0
			for _, msg := range append(server.take(), client.take()...) {
				got += len(msg)
			}
			// Nothing was taken: in each class one window, one message more, and the rest of one
			// granted.
			require.LessOrEqual(t, got, int(numClasses)*(70000+maxPayload+70000))
			cancel()
			raw.Close()
			require.Error(t, c.Wait())
		})
	})
}
