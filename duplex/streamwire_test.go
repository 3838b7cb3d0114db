package duplex

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A streamRole is what a Conn is of a stream, 0, whose other end the test plays.
type streamRole struct {
	name     string
	own, raw byte // the low bit of the frames of the Conn, and of those of the test
}

var streamRoles = []streamRole{{"opener", 0, 1}, {"acceptor", 1, 0}}

// sent is a frame's first byte from the Conn, and got is one to it.
func (r streamRole) sent(kind byte) string { return fmt.Sprintf("%02x ", kind+r.own) }
func (r streamRole) got(kind byte) string  { return fmt.Sprintf("%02x ", kind+r.raw) }

// send sends frames, which are all read.
func (p *rawPeer) send(t testing.TB, lines ...string) {
	t.Helper()
	_, err := p.raw.Write(wire(lines...))
	require.NoError(t, err)
	synctest.Wait()
}

// stream begins stream 0, which may send window bytes; so may the other side.
func (r streamRole) stream(t *testing.T, p *rawPeer, window string) *Stream {
	t.Helper()
	require.Empty(t, p.out())
	var o opened
	if r.own == 0 {
		call := opening(t.Context(), p.Conn)
		requireWire(t, wire("40 00 08 00 00 00 00 00 "+window+" 00 00 00 00"), p.out())
		p.send(t, "41 00 04 00 00 00 00 00 "+window)
		o = requireNow(t, call)
	} else {
		p.send(t, "40 00 08 00 00 00 00 00 "+window+" 00 00 00 00")
		require.Empty(t, p.out()) // until somebody accepts
		o = requireNow(t, getting(p.Accept))
		requireWire(t, wire("41 00 04 00 00 00 00 00 "+window), p.out())
	}
	require.NoError(t, o.err)
	return o.conn.(*Stream)
}

// requireUp checks that the link is up and the Conn knows no stream.
func (p *rawPeer) requireUp(t testing.TB) {
	t.Helper()
	p.out()
	p.send(t, "30 00 00 00 2a 00 00 00")
	require.Equal(t, wire("31 00 00 00 2a 00 00 00"), p.out())
	require.NoError(t, p.Err())
	requireNoStreams(t, p.Conn)
}

func eachRole(t *testing.T, f func(t *testing.T, r streamRole, p *rawPeer)) {
	for _, r := range streamRoles {
		t.Run(r.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPeer(t, &Options{StreamWindow: 8})
				p.out()
				f(t, r, p)
			})
		})
	}
}

// TestStreamGolden: each kind of frame, in both directions.
func TestStreamGolden(t *testing.T) {
	eachRole(t, func(t *testing.T, r streamRole, p *rawPeer) {
		s := r.stream(t, p, "08 00 00 00")
		write := doing(func() (int, error) { return s.Write([]byte("hello, world")) })
		requireWire(t, wire(r.sent(0x42)+"00 08 00 00 00 00 00 68 65 6c 6c 6f 2c 20 77"), p.out())
		p.send(t, r.got(0x44)+"00 04 00 00 00 00 00 01 00 00 00")
		requireWire(t, wire(r.sent(0x42)+"00 01 00 00 00 00 00 6f"), p.out())
		p.send(t, r.got(0x44)+"00 04 00 00 00 00 00 00 01 00 00")
		requireWire(t, wire(r.sent(0x42)+"00 03 00 00 00 00 00 72 6c 64"), p.out())
		require.Equal(t, result{12, nil}, requireNow(t, write))

		p.send(t, r.got(0x42)+"00 03 00 00 00 00 00 61 62 63")
		require.Equal(t, result{3, nil}, requireNow(t, reading(s, 10)))
		require.Empty(t, p.out()) // less than half of the window
		p.send(t, r.got(0x42)+"00 01 00 00 00 00 00 64")
		require.Equal(t, result{1, nil}, requireNow(t, reading(s, 10)))
		requireWire(t, wire(r.sent(0x44)+"00 04 00 00 00 00 00 04 00 00 00"), p.out())

		require.NoError(t, s.CloseWrite())
		requireWire(t, wire(r.sent(0x46)+"00 00 00 00 00 00 00"), p.out())
		p.send(t, r.got(0x46)+"00 00 00 00 00 00 00")
		require.Equal(t, result{0, io.EOF}, requireNow(t, reading(s, 10)))
		require.NoError(t, s.Close())
		require.Empty(t, p.out())
		p.requireUp(t)
	})
}

// TestStreamGoldenEnds: what closing and resetting sends, and what is answered.
func TestStreamGoldenEnds(t *testing.T) {
	const rest = "00 00 00 00 00 00 00"
	ends := []struct {
		name string
		do   func(t *testing.T, r streamRole, p *rawPeer, s *Stream)
	}{
		{"close", func(t *testing.T, r streamRole, p *rawPeer, s *Stream) {
			require.NoError(t, s.Close())
			got := p.out()
			want := []string{r.sent(0x46) + rest, r.sent(0x48) + rest}
			if len(got) > 0 && got[0] != 0x46+r.own { // the order does not matter
				want[0], want[1] = want[1], want[0]
			}
			requireWire(t, wire(want...), got)
			p.send(t, r.got(0x42)+"00 05 00 00 00 00 00 +5") // crosses the stop
			require.Empty(t, p.out())
			require.Zero(t, s.in.chunks.size)
			require.Equal(t, 1, tracesOf(p.Conn).table)
			p.send(t, r.got(0x46)+rest)
		}},
		{"reset", func(t *testing.T, r streamRole, p *rawPeer, s *Stream) {
			require.NoError(t, s.Reset())
			requireWire(t, wire(r.sent(0x4a)+"00 04 00 00 00 00 00 00 00 00 00"), p.out())
		}},
		{"reset behind both ends", func(t *testing.T, r streamRole, p *rawPeer, s *Stream) {
			p.send(t, r.got(0x42)+"00 05 00 00 00 00 00 +5", r.got(0x46)+rest)
			require.NoError(t, s.CloseWrite())
			requireWire(t, wire(r.sent(0x46)+rest), p.out())
			require.NoError(t, s.Reset()) // drops the data, and says nothing
			require.Empty(t, p.out())
			requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", net.ErrClosed)
		}},
		{"is stopped", func(t *testing.T, r streamRole, p *rawPeer, s *Stream) {
			write := writing(s, 20)
			p.out()
			p.send(t, r.got(0x48)+rest)
			requireWire(t, wire(r.sent(0x46)+rest), p.out())
			w := requireNow(t, write)
			require.Equal(t, 8, w.n)
			requireOpErr(t, w.err, "write", ErrStopped)
			p.send(t, r.got(0x48)+rest) // again
			require.Empty(t, p.out())
			requireBlocked(t, reading(s, 10))
			p.send(t, r.got(0x46)+rest)
		}},
		{"is reset", func(t *testing.T, r streamRole, p *rawPeer, s *Stream) {
			p.send(t, r.got(0x42)+"00 05 00 00 00 00 00 +5", r.got(0x4a)+"00 04 00 00 00 00 00 ff ff ff ff")
			require.Empty(t, p.out())
			requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", ErrReset)
			requireOpErr(t, requireNow(t, writing(s, 10)).err, "write", ErrReset)
		}},
	}
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, r streamRole, p *rawPeer) {
				s := r.stream(t, p, "08 00 00 00")
				e.do(t, r, p, s)
				p.requireUp(t)
				// It is forgotten: nothing of it matters any more.
				p.send(t,
					r.got(0x42)+"00 00 80 00 00 00 00 +32768",
					r.got(0x46)+rest, r.got(0x46)+rest, r.got(0x48)+rest,
					r.got(0x44)+"00 04 00 00 00 00 00 00 00 00 00",
					r.got(0x44)+"00 04 00 00 00 00 00 ff ff ff ff",
					r.got(0x4a)+"00 04 00 00 00 00 00 00 00 00 00",
				)
				if r.own == 0 {
					p.send(t, "41 00 04 00 00 00 00 00 ff ff ff ff")
				}
				require.Empty(t, p.out())
				p.requireUp(t)
				require.NoError(t, s.Close())
				require.NoError(t, s.Reset())
				require.Empty(t, p.out())
			})
		})
	}
}

// TestOpenGolden: opens and what is said instead of an accept.
func TestOpenGolden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		for i, code := range []string{"00", "01", "02", "03", "04", "05", "ff"} {
			o := openingOffer(t.Context(), p.Conn, 0x11223344)
			id := fmt.Sprintf("%02x 00 00 00 ", i)
			requireWire(t, wire("40 00 08 00 "+id+"00 00 01 00 44 33 22 11"), p.out())
			p.send(t, "4b 00 04 00 "+id+code+" 00 00 00")
			got := requireNow(t, o)
			requireOpErr(t, got.err, "open", ErrRefused)
			if i > 0 {
				want := []string{"", "too many streams wait", "listener is closed", "not there any more", "shutting down", "code 5", "code 255"}
				require.ErrorContains(t, got.err, want[i])
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		o := opening(ctx, p.Conn)
		requireWire(t, wire("40 00 08 00 07 00 00 00 00 00 01 00 00 00 00 00"), p.out())
		cancel()
		requireOpErr(t, requireNow(t, o).err, "open", context.Canceled)
		requireWire(t, wire("4a 00 04 00 07 00 00 00 00 00 00 00"), p.out())
		p.send(t, "41 00 04 00 07 00 00 00 00 00 01 00", "43 00 01 00 07 00 00 00 61") // has crossed it
		require.Empty(t, p.out())
		p.requireUp(t)
	})
}

// TestRefusedGolden: the codes with which this side answers an open, and an offer that is opened.
func TestRefusedGolden(t *testing.T) {
	open := func(id, name string) string {
		return "40 00 08 00 " + id + " 00 00 00 08 00 00 00 " + name + " 00 00 00"
	}
	refused := func(id, code string) []byte { return wire("4b 00 04 00 " + id + " 00 00 00 " + code + " 00 00 00") }
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{Backlog: 1})
		p.out()
		p.send(t, open("00", "00"))
		require.Empty(t, p.out())
		p.send(t, open("01", "00"))
		requireWire(t, refused("01", "01"), p.out())
		p.send(t, open("05", "01")) // there may be gaps
		requireWire(t, refused("05", "03"), p.out())
		p.send(t, "4a 00 04 00 05 00 00 00 00 00 00 00", "42 00 03 00 05 00 00 00 +3") // have crossed that
		require.NoError(t, p.Listener().Close())
		requireWire(t, refused("00", "02"), p.out())
		p.send(t, open("06", "00"))
		requireWire(t, refused("06", "02"), p.out())

		name, offered := p.Offer()
		require.Equal(t, uint32(1), name)
		write := writing(offered, 3)
		require.Empty(t, p.out())
		p.send(t, open("07", "01"))
		requireWire(t, append(wire("41 00 04 00 07 00 00 00 00 00 01 00", "43 00 03 00 07 00 00 00"), body(3, 3)...), p.out())
		require.Equal(t, result{3, nil}, requireNow(t, write))
		p.send(t, open("08", "01"))
		requireWire(t, refused("08", "03"), p.out())
		require.NoError(t, offered.(*Stream).Reset())
		p.requireUp(t)

		shut := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := sending(ctx, p.ClientLane(), []byte("waits"), false) // holds Shutdown up
		p.send(t, "20 00 00 00 00 00 01 00")
		require.NoError(t, requireNow(t, calls))
		go func() { shut <- p.Shutdown(ctx) }()
		p.out()
		p.send(t, open("09", "00"))
		requireWire(t, refused("09", "04"), p.out())
		cancel()
		require.ErrorIs(t, <-shut, context.Canceled)
	})
}

// TestStreamIllegal: each breach ends the link with an error that names it, and
// what comes next to it, before, does not.
func TestStreamIllegal(t *testing.T) {
	const id0, id1 = "00 00 00 00 ", "01 00 00 00 "
	tests := []struct {
		name        string
		legal       []string // kinds are those of the opener where the test is that
		illegal     string
		err         string
		openerOnly  bool // of tests about what the Conn has opened
		notAccepted bool
	}{
		{"data beyond the credit", []string{"42 00 08 00 " + id0 + "+8"}, "42 00 01 00 " + id0 + "+1", "data of 1 bytes beyond the credit of a stream, of which 0 are left", false, false},
		{"data beyond the credit at once", nil, "42 00 09 00 " + id0 + "+9", "data of 9 bytes beyond the credit of a stream, of which 8 are left", false, false},
		{"data behind the end", []string{"42 00 01 00 " + id0 + "+1", "46 00 00 00 " + id0}, "42 00 01 00 " + id0 + "+1", "data behind the end of a stream", false, false},
		{"credit of zero", []string{"44 00 04 00 " + id0 + "01 00 00 00"}, "44 00 04 00 " + id0 + "00 00 00 00", "stream credit of 0 bytes makes 9, limit is 1073741824", false, false},
		{"credit overflow", []string{"44 00 04 00 " + id0 + "f8 ff ff 3f"}, "44 00 04 00 " + id0 + "01 00 00 00", "stream credit of 1 bytes makes 1073741825, limit is 1073741824", false, false},
		{"credit overflow at once", nil, "44 00 04 00 " + id0 + "ff ff ff ff", "stream credit of 4294967295 bytes makes 4294967303, limit is 1073741824", false, false},
		{"second accept", nil, "41 00 04 00 " + id0 + "01 00 00 00", "second accept of stream 0", true, false},
		{"data before the accept", nil, "42 00 01 00 " + id0 + "+1", "data frame of stream 0, which has not been accepted", false, true},
		{"end before the accept", nil, "46 00 00 00 " + id0, "end frame of stream 0, which has not been accepted", false, true},
		{"stop before the accept", nil, "48 00 00 00 " + id0, "stop frame of stream 0, which has not been accepted", false, true},
		{"credit before the accept", nil, "44 00 04 00 " + id0 + "01 00 00 00", "stream credit frame of stream 0, which has not been accepted", false, true},
		{"large window", nil, "41 00 04 00 " + id0 + "01 00 00 40", "accept frame: window of 1073741825 bytes, limit is 1073741824", true, true},
		{"accept of nothing", nil, "41 00 04 00 " + id1 + "01 00 00 00", "frame of stream 1, which has never been opened", true, false},
		{"data of nothing", nil, "42 00 01 00 " + id1 + "+1", "frame of stream 1, which has never been opened", false, false},
		{"credit of nothing", nil, "44 00 04 00 " + id1 + "01 00 00 00", "frame of stream 1, which has never been opened", false, false},
		{"end of nothing", nil, "46 00 00 00 " + id1, "frame of stream 1, which has never been opened", false, false},
		{"stop of nothing", nil, "48 00 00 00 " + id1, "frame of stream 1, which has never been opened", false, false},
		{"reset of nothing", nil, "4a 00 04 00 " + id1 + "01 00 00 00", "frame of stream 1, which has never been opened", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, r streamRole, p *rawPeer) {
				if tt.openerOnly && r.own != 0 {
					return
				}
				byRaw := func(line string) string {
					if strings.HasPrefix(line, "41") {
						return line
					}
					b := wire(line[:2])[0]
					return r.got(b) + line[2:]
				}
				switch {
				case tt.notAccepted && r.own == 0:
					opening(t.Context(), p.Conn)
					p.out()
				case tt.notAccepted:
					p.send(t, "40 00 08 00 00 00 00 00 08 00 00 00 00 00 00 00")
				default:
					r.stream(t, p, "08 00 00 00")
				}
				for _, line := range tt.legal {
					p.send(t, byRaw(line))
				}
				p.out()
				require.NoError(t, p.Err())
				p.raw.Write(wire(byRaw(tt.illegal)))
				err := p.Wait()
				var pe *ProtocolError
				require.ErrorAs(t, err, &pe)
				require.Equal(t, tt.err, pe.Reason)
			})
		})
	}
}

// TestStreamSecondEnd: one is legal while this side has not ended its half, a second is not.
func TestStreamSecondEnd(t *testing.T) {
	eachRole(t, func(t *testing.T, r streamRole, p *rawPeer) {
		r.stream(t, p, "08 00 00 00")
		p.send(t, r.got(0x46)+"00 00 00 00 00 00 00")
		require.NoError(t, p.Err())
		p.raw.Write(wire(r.got(0x46) + "00 00 00 00 00 00 00"))
		var pe *ProtocolError
		require.ErrorAs(t, p.Wait(), &pe)
		require.Equal(t, "second end of stream 0", pe.Reason)
	})
}
