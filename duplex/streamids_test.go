package duplex

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// openFrame opens stream id, with a window.
func openFrame(id, window uint32) []byte {
	b := appendHeader(nil, kindOpen, 8, id)
	b = binary.LittleEndian.AppendUint32(b, window)
	return binary.LittleEndian.AppendUint32(b, 0)
}

// TestOpenIDs: an id is greater than the ones before, as serial numbers are.
func TestOpenIDs(t *testing.T) {
	tests := []struct {
		name  string
		legal []uint32
		id    uint32
		err   string
	}{
		{"same", []uint32{0}, 0, "open of stream 0, but 0 has been opened before"},
		{"lower", []uint32{0, 7}, 6, "open of stream 6, but 7 has been opened before"},
		{"first in the far half", nil, 1 << 31, "open of stream 2147483648, but 4294967295 has been opened before"},
		{"far", []uint32{1, 1 << 31}, 0, "open of stream 0, but 2147483648 has been opened before"},
		{"last", []uint32{5, 5 + 1<<31 - 1, 1<<32 - 1}, 1<<32 - 1, "open of stream 4294967295, but 4294967295 has been opened before"},
		{"over the end", []uint32{5, 5 + 1<<31 - 1, 1<<32 - 1, 0, 4}, 3, "open of stream 3, but 4 has been opened before"},
		{"in use", []uint32{5, 5 + 1<<31 - 1, 1<<32 - 1, 4}, 5, "open of stream 5, which is open already"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPeer(t, nil)
				var reads []<-chan result
				for _, id := range tt.legal {
					_, err := p.raw.Write(openFrame(id, 8))
					require.NoError(t, err)
					o := requireNow(t, getting(p.Accept))
					require.NoError(t, o.err)
					require.Equal(t, Addr(fmt.Sprint("opener-", id)), o.conn.RemoteAddr())
					reads = append(reads, reading(o.conn, 1))
				}
				requireBlocked(t, reads...)
				p.raw.Write(openFrame(tt.id, 8))
				var pe *ProtocolError
				require.ErrorAs(t, p.Wait(), &pe)
				require.Equal(t, tt.err, pe.Reason)
				for _, r := range reads {
					require.ErrorAs(t, requireNow(t, r).err, &pe)
				}
			})
		})
	}
}

// TestNeverOpened: a frame of a stream that was never opened is a protocol error, whatever its id,
// until the ids have begun again: then those of the far half may have been opened.
func TestNeverOpened(t *testing.T) {
	const half, last = 1 << 31, 1<<32 - 1
	credit := func(by kind, id uint32) []byte {
		return binary.LittleEndian.AppendUint32(appendHeader(nil, kindMore|by, 4, id), 1)
	}
	tests := []struct {
		name   string
		opened []uint32 // by the other side, and forgotten
		id     uint32
		legal  bool
	}{
		{"the first", nil, 0, false},
		{"in the far half", nil, half, false},
		{"the last", nil, last, false},
		{"opened", []uint32{0, 5}, 5, true},
		{"the next", []uint32{0, 5}, 6, false},
		{"half of all further", []uint32{0, 5}, 6 + half, false},
		{"the one before the first", []uint32{5}, last, false},
		{"the first behind half of all", []uint32{half - 2, half}, half + 1, false},
		{"an old one", []uint32{half - 2, half}, 0, true},
		{"all have been", []uint32{half - 2, half, last}, 7, true},
		{"behind the end", []uint32{half - 2, half, last, 0}, 0, true},
		{"before the end", []uint32{half - 2, half, last, 0}, last, true},
		{"the next behind the end", []uint32{half - 2, half, last, 0}, 1, false},
		{"an old one from behind the end", []uint32{half - 2, half, last, 0}, half + 1, true},
	}
	for _, mine := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, ", mine: ", mine), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newRawPeer(t, nil)
					by := byOpener
					if mine {
						by = byAcceptor
						for _, id := range tt.opened {
							p.streams.nextID += uint64(id - uint32(p.streams.nextID))
							ctx, cancel := context.WithCancel(t.Context())
							o := getting(func() (net.Conn, error) { return p.Open(ctx) })
							synctest.Wait()
							cancel() // the stream is forgotten
							require.Error(t, requireNow(t, o).err)
						}
					} else {
						for _, id := range tt.opened {
							p.raw.Write(openFrame(id, 8))
							p.raw.Write(binary.LittleEndian.AppendUint32(appendHeader(nil, kindReset|byOpener, 4, id), 0))
						}
					}
					synctest.Wait()
					require.NoError(t, p.Err())
					p.raw.Write(credit(by, tt.id))
					synctest.Wait()
					if tt.legal {
						require.NoError(t, p.Err())
						return
					}
					var pe *ProtocolError
					require.ErrorAs(t, p.Wait(), &pe)
					require.Equal(t, fmt.Sprintf("frame of stream %d, which has never been opened", tt.id), pe.Reason)
				})
			})
		}
	}
}

// TestOpenWindow: it may be of any size up to the limit, nothing included.
func TestOpenWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, nil)
		p.out()
		for i, window := range []uint32{0, 1, maxWindow} {
			_, err := p.raw.Write(openFrame(uint32(i), window))
			require.NoError(t, err)
			s := requireNow(t, getting(p.Accept)).conn
			require.Equal(t, int64(window), s.(*Stream).out.credit)
		}
		require.NoError(t, p.Err())
		p.raw.Write(openFrame(3, maxWindow+1))
		var pe *ProtocolError
		require.ErrorAs(t, p.Wait(), &pe)
		require.Equal(t, "open frame: window of 1073741825 bytes, limit is 1073741824", pe.Reason)
	})
}

// TestUnansweredByThePeer: who opens streams without reading the answers costs
// no more than is allowed. Opens that are withdrawn do not count.
func TestUnansweredByThePeer(t *testing.T) {
	for _, withdraw := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x, raw := net.Pipe()
			c := New(x, &Options{Backlog: 1})
			defer raw.Close()
			synctest.Wait() // the writer is at the first credit, and nobody reads
			open := func(id uint32) {
				b := openFrame(id, 8)
				if withdraw && id > 0 {
					b = appendHeader(b, kindReset|byOpener, 4, id)
					b = binary.LittleEndian.AppendUint32(b, 0)
				}
				raw.Write(b)
				synctest.Wait()
			}
			for id := range uint32(maxUnanswered) { // the first waits for Accept
				open(id)
			}
			require.NoError(t, c.Err())
			open(maxUnanswered)
			if withdraw {
				require.NoError(t, c.Err())
				require.Equal(t, traces{table: 1, waiting: 1, counted: 1}, tracesOf(c))
				raw.Close()
				require.Error(t, c.Wait())
				return
			}
			var pe *ProtocolError
			require.ErrorAs(t, c.Wait(), &pe)
			require.Equal(t, "more than 256 streams opened without waiting for an answer", pe.Reason)
		})
	}
}

// TestStreamFrameCutOff: the connection may end between frames only.
func TestStreamFrameCutOff(t *testing.T) {
	eachRole(t, func(t *testing.T, r streamRole, p *rawPeer) {
		s := r.stream(t, p, "08 00 00 00")
		p.send(t, r.got(0x42)+"00 05 00 00 00 00 00 +3")
		require.Equal(t, result{3, nil}, requireNow(t, reading(s, 10))) // what has come is read
		p.raw.Close()
		requireOpErr(t, requireNow(t, reading(s, 10)).err, "read", p.Wait())
	})
}
