package duplex

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/framesum"
	"github.com/viaduct-go/viaduct/internal/handles"
)

// The beginning of the protocol's example with checksums, of a link without hellos.
const exampleChecked = `
A  20 00 00 00 40 00 00 00 94 a0 d6 e4                               credit call: 64
A  21 00 00 00 40 00 00 00 4d d0 e6 5f                               credit reply: 64
A  22 00 00 00 40 00 00 00 d7 37 5a 97                               credit notification: 64
B  20 00 00 00 00 00 04 00 af 9e fa 01                               credit call: 262144
A  10 00 05 00 00 00 00 00 c3 af 3b 88 bb f3 3e c4 68 65 6c 6c 6f    whole call "hello"
`

// TestChecksumWire: the bytes are those of the example.
func TestChecksumWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pl := player{newRawPeer(t, &Options{Window: 64, Checksum: true}), stepsOf(exampleChecked)}
		pl.next(t, "A")
		pl.next(t, "B")
		require.NoError(t, pl.p.ClientLane().WriteMessage([]byte("hello")))
		pl.next(t, "A")
		require.Empty(t, pl.steps)
	})
	text, err := os.ReadFile("../docs/PROTOCOL.md")
	require.NoError(t, err)
	for line := range strings.Lines(strings.TrimSpace(exampleChecked)) {
		if line = strings.TrimSpace(line); line[0] == 'A' {
			require.Contains(t, string(text), "\n"+line+"\n")
		}
	}
}

// seal puts sums into what whole frames b begins with.
func seal(s *framesum.Sums, b []byte) []byte {
	whole := 0
	for len(b)-whole >= headerSize {
		n := headerSize + int(binary.LittleEndian.Uint16(b[whole+2:]))
		if n > len(b)-whole {
			break
		}
		whole += n
	}
	sealed := append(make([]byte, 0, whole+s.Room(b[:whole])), b[:whole]...)
	return append(s.Put(sealed), b[whole:]...)
}

// TestChecksumIllegal: frames that are illegal without sums are so with them.
func TestChecksumIllegal(t *testing.T) {
	for _, tt := range illegalTests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPeer(t, &Options{MaxMessage: 70000, Window: 70000, Checksum: true})
				p.out()
				b := wire(tt.lines...)
				if last := wire(tt.lines[len(tt.lines)-1]); tt.name != "text" { // its payload may not be there
					b = append(b, make([]byte, headerSize+int(binary.LittleEndian.Uint16(last[2:]))-len(last))...)
				} else {
					b = append(b, "\r\n\r\n"...)
				}
				p.raw.Write(seal(framesum.New(0), b))
				p.raw.Close()
				var pe *ProtocolError
				require.ErrorAs(t, p.Wait(), &pe)
				if tt.name == "text" {
					require.Contains(t, pe.Reason, "frame 0 from the other side, at byte 0, has the checksum")
					return
				}
				require.Equal(t, tt.err, pe.Reason)
			})
		})
	}
}

// TestChecksumLongFrame: kinds that are skipped are bounded, too.
func TestChecksumLongFrame(t *testing.T) {
	for n, why := range map[int]string{
		32768: "",
		32769: "kind 0x80 frame with checksums: payload of 32769 bytes, limit is 32768",
		65535: "kind 0x80 frame with checksums: payload of 65535 bytes, limit is 32768",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newRawPeer(t, &Options{Checksum: true})
			b := append(wire("80 77 00 00 00 00 00 00"), make([]byte, n)...)
			binary.LittleEndian.PutUint16(b[2:], uint16(n))
			p.raw.Write(seal(framesum.New(0), b))
			synctest.Wait()
			if why == "" {
				require.NoError(t, p.Err())
				return
			}
			var pe *ProtocolError
			require.ErrorAs(t, p.Wait(), &pe)
			require.Equal(t, why, pe.Reason)
		})
	}
}

// TestChecksumError: it says where, and is a ProtocolError.
func TestChecksumError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{Checksum: true})
		p.raw.Write(wire("20 00 00 00 40 00 00 00 94 a0 d6 e4", "21 00 00 00 40 00 00 00 4d d0 e6 5e"))
		err := p.Wait()
		var ce *ChecksumError
		require.ErrorAs(t, err, &ce)
		require.Equal(t, &ChecksumError{Frame: 1, Offset: 12, Found: 0x5ee6d04d, Expected: 0x5fe6d04d}, ce)
		require.ErrorAs(t, err, new(*ProtocolError))
		require.EqualError(t, err, "duplex: protocol error: frame 1 from the other side, at byte 12, has the checksum 5ee6d04d, 5fe6d04d was expected: bytes were changed, lost, doubled or put in on the way")
	})
}

// TestChecksumOfOneSide: a side that expects sums, and one that does not, both end.
func TestChecksumOfOneSide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		a, b := New(x, &Options{Checksum: true}), New(y, nil)
		require.ErrorAs(t, a.Wait(), new(*ChecksumError))
		require.Error(t, b.Wait())
	})
}

// recording keeps what is written to a connection.
type recording struct {
	io.ReadWriteCloser
	mu    sync.Mutex
	bytes []byte
}

func (r *recording) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.bytes = append(r.bytes, p...)
	r.mu.Unlock()
	return r.ReadWriteCloser.Write(p)
}

// frames cuts what was recorded.
func (r *recording) frames() (list [][]byte) {
	for b := r.bytes; len(b) > 0; {
		n := int(binary.LittleEndian.Uint16(b[2:]))
		n += headerSize + framesum.Of(n)
		list = append(list, b[:n])
		b = b[n:]
	}
	return list
}

// The sums of what was said from A to B, and the other way round, begin with these.
const sumsAB, sumsBA = 0x6ed0ebac, 0xc1fe76ea

func checked(out, in uint32) *Options {
	return &Options{Checksum: true, frames: handles.Frames{Eager: true, SumsOut: out, SumsIn: in}}
}

// heard is what has come at one side: calls and notifications, replies, and a stream.
type heard struct {
	asked, answers *inbox
	stream         chan []byte
}

func hear(c *Conn) *heard {
	h := &heard{receive(c.ServerLane(), false), receive(c.ClientLane(), false), make(chan []byte, 1)}
	go func() {
		defer close(h.stream)
		s, err := c.Accept()
		if err != nil {
			return
		}
		b, err := io.ReadAll(s)
		if err == nil {
			b = append(b, " and the end"...)
		}
		h.stream <- b
	}()
	return h
}

// all returns what has come when the link has ended.
func (h *heard) all() [3][][]byte {
	all := [3][][]byte{h.asked.take(), h.answers.take(), nil}
	for b := range h.stream {
		all[2] = append(all[2], b)
	}
	return all
}

// recordSession returns the frames that one side of a session has sent, and what the other has made of
// them.
func recordSession(t *testing.T) (frames [][]byte, want [3][][]byte) {
	x, y := net.Pipe()
	rec := &recording{ReadWriteCloser: x}
	a, b := New(rec, checked(sumsAB, sumsBA)), New(y, checked(sumsBA, sumsAB))
	h := hear(b)
	ctx := t.Context()
	synctest.Wait()
	require.NoError(t, a.ClientLane().Send(ctx, []byte("a call"), false))
	require.NoError(t, a.ClientLane().Send(ctx, []byte("a notification"), true))
	require.NoError(t, a.ServerLane().Send(ctx, []byte("a reply"), false))
	s, err := a.Open(ctx)
	require.NoError(t, err)
	_, err = s.Write([]byte("bytes of a stream"))
	require.NoError(t, err)
	require.NoError(t, a.ClientLane().Send(ctx, body(1, 40_000), false))
	_, err = s.Write([]byte("more"))
	require.NoError(t, err)
	require.NoError(t, s.(*Stream).CloseWrite())
	require.NoError(t, a.ClientLane().Send(ctx, []byte("another call"), false))
	_, err = a.Ping(ctx)
	require.NoError(t, err)
	synctest.Wait()
	frames = slices.Clone(rec.frames())
	b.Close()
	a.Close()
	a.Wait()
	b.Wait()
	return frames, h.all()
}

// replay says to a Conn what was recorded, piece by piece, and returns what it has made of it, and why
// it has ended. The pieces are apart as some answers have to be sent before the next one comes.
func replay(pieces [][]byte) ([3][][]byte, error) {
	raw, y := net.Pipe()
	b := New(y, checked(sumsBA, sumsAB))
	h := hear(b)
	go io.Copy(io.Discard, raw)
	for _, p := range pieces {
		synctest.Wait()
		raw.Write(p)
	}
	synctest.Wait()
	raw.Close()
	err := b.Wait()
	synctest.Wait()
	return h.all(), err
}

// requirePart checks that got is what want begins with: a part of a stream, too, whose end is not told.
func requirePart(t *testing.T, want, got [3][][]byte, what string) {
	t.Helper()
	for i := range 2 {
		require.LessOrEqual(t, len(got[i]), len(want[i]), what)
		require.Equal(t, want[i][:len(got[i])], append([][]byte{}, got[i]...), what)
	}
	if len(got[2]) > 0 {
		require.True(t, bytes.HasPrefix(want[2][0], got[2][0]), "%s: stream: %q", what, got[2][0])
	}
}

// TestChecksumDamage: whatever is done to a byte or a frame of a session, nothing is made of it but
// what was said before, and the link ends with an error that says which frame it was.
func TestChecksumDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frames, want := recordSession(t)
		require.Greater(t, len(frames), 12)
		require.Len(t, want[0], 4)
		require.Len(t, want[1], 1)
		require.Equal(t, "bytes of a streammore and the end", string(want[2][0]))
		got, err := replay(frames)
		require.Equal(t, io.EOF, err)
		require.Equal(t, want, got)

		// try replays pieces in which the frame with number n is the first that is not right. cutOff says
		// that the end may come before it is whole.
		tries := 0
		try := func(pieces [][]byte, n int, cutOff error, format string, args ...any) {
			tries++
			what := fmt.Sprintf(format, args...)
			got, err := replay(pieces)
			requirePart(t, want, got, what)
			var ce *ChecksumError
			switch {
			case errors.As(err, &ce):
				require.EqualValues(t, n, ce.Frame, what)
			case cutOff != nil:
				require.Equal(t, cutOff, err, what)
			default:
				require.Fail(t, "no ChecksumError", "%s: %v", what, err)
			}
		}
		with := func(n, remove int, in ...[]byte) [][]byte {
			return slices.Concat(frames[:n], in, frames[n+remove:])
		}
		for n, f := range frames {
			var ifLast error
			if n == len(frames)-1 {
				ifLast = io.ErrUnexpectedEOF
			}
			for i := range f {
				if i > 80 && i%1009 != 0 && i < len(f)-20 { // within a long message
					continue
				}
				for bit := range 8 {
					if i >= framesum.Most && bit != i%8 { // package framesum tries each
						continue
					}
					b := bytes.Clone(f)
					b[i] ^= 1 << bit
					try(with(n, 1, b), n, nil, "frame %d, byte %d, bit %d", n, i, bit)
				}
				try(with(n, 1, f[:i], f[i+1:]), n, ifLast, "frame %d, byte %d lost", n, i)
				next := n
				if bytes.Count(f[i:], f[i:i+1]) == len(f)-i { // the last of its bytes are alike
					next = n + 1
				}
				try(with(n, 1, f[:i+1], f[i:]), next, ifLast, "frame %d, byte %d doubled", n, i)
				try(with(n, 1, f[:i], []byte{0x5a}, f[i:]), n, nil, "frame %d, a byte put in ahead of byte %d", n, i)
				try(slices.Concat(frames[:n], [][]byte{f[:i]}), n, cmpEOF(i), "frame %d, cut at byte %d", n, i)
			}
			try(with(n, 1), n, eofIf(n == len(frames)-1), "frame %d lost", n)
			try(with(n, 0, f), n+1, nil, "frame %d doubled", n)
			for m := n + 1; m < len(frames); m++ {
				swapped := slices.Clone(frames)
				swapped[n], swapped[m] = frames[m], f
				try(swapped, n, nil, "frames %d and %d swapped", n, m)
			}
			call := wire("10 00 03 00 00 00 00 00 65 76 69")
			made := framesum.New(sumsAB) // a side that knows the hellos, and not the number
			seal(made, wire("30 00 00 00 00 00 00 00"))
			for name, b := range map[string][]byte{
				"without sums": call, "of another link": seal(framesum.New(0), call), "of the other direction": seal(framesum.New(sumsBA), call),
			} {
				try(with(n, 0, b), n, nil, "frame %d, one put in ahead of it, %s", n, name)
			}
			if n != 1 {
				try(with(n, 0, seal(made, call)), n, nil, "frame %d, one put in ahead of it, with another number", n)
			}
		}
		require.Greater(t, tries, 3_000)
	})
}

// cmpEOF is the end of a link behind so many bytes of a frame.
func cmpEOF(n int) error {
	if n == 0 {
		return io.EOF
	}
	return io.ErrUnexpectedEOF
}

func eofIf(last bool) error {
	if last {
		return io.EOF
	}
	return nil
}

// TestChecksumWrites: of a stream of data each write is two full frames, of 64 KiB with all they have.
func TestChecksumWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, y := net.Pipe()
		sizes := &writeSizes{ReadWriteCloser: x}
		a, b := pairOver(t, sizes, y, &Options{Checksum: true})
		in := receive(b.ServerLane(), false)
		require.NoError(t, a.ClientLane().WriteMessage(body(1, 1<<20)))
		synctest.Wait()
		require.Len(t, in.take(), 1)
		sizes.mu.Lock()
		defer sizes.mu.Unlock()
		full := 0
		for _, n := range sizes.list {
			require.LessOrEqual(t, n, maxWrite)
			if n == maxWrite {
				full++
			}
		}
		require.Equal(t, (1<<20)/maxWrite-1, full, "%v", sizes.list)
		require.LessOrEqual(t, len(sizes.list), full+5, "%v", sizes.list)
	})
}

// writeSizes notes how many bytes are written at once.
type writeSizes struct {
	io.ReadWriteCloser
	mu   sync.Mutex
	list []int
}

func (w *writeSizes) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.list = append(w.list, len(p))
	w.mu.Unlock()
	return w.ReadWriteCloser.Write(p)
}

// TestChecksumOverPipes: both sides send all at once, over links that take little at a time.
func TestChecksumOverPipes(t *testing.T) {
	overPipes(t, &Options{Checksum: true, Keepalive: time.Minute}, func(t *testing.T, a, b *Conn) {
		const count = 300
		atA, atB := receive(a.ServerLane(), false), receive(b.ServerLane(), false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var senders sync.WaitGroup
		for _, c := range []*Conn{a, b} {
			for i := range 4 {
				senders.Go(func() {
					for j := range count / 4 {
						seed := 4*j + i
						if err := c.ClientLane().Send(ctx, body(seed, 8+seed*seed*3), seed%2 == 0); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
		}
		senders.Wait()
		for _, in := range []*inbox{atA, atB} {
			seen := map[int]bool{}
			for _, msg := range in.wait(t, count) {
				seen[checkBody(t, msg)] = true
			}
			require.Len(t, seen, count)
		}
	})
}

// TestChecksumAllocates: a message costs no more memory than without.
func TestChecksumAllocates(t *testing.T) {
	n := map[bool]float64{}
	for _, with := range []bool{false, true} {
		s := &sink{closed: make(chan struct{})}
		c := New(s, &Options{Checksum: with})
		c.writer.update(func() { c.writer.queues.addCredit(notification, maxWindow) })
		msg := body(1, 100)
		n[with] = testing.AllocsPerRun(1000, func() {
			if err := c.ClientLane().Send(context.Background(), msg, true); err != nil {
				t.Fatal(err)
			}
		})
		c.Close()
		c.Wait()
	}
	require.Equal(t, n[false], n[true])
}

// FuzzChecked feeds a link with checksums arbitrary bytes, and arbitrary frames with the right ones.
func FuzzChecked(f *testing.F) {
	for _, tt := range illegalTests {
		f.Add(wire(tt.lines...), true)
	}
	for _, s := range exampleSteps() {
		f.Add(s.bytes, true)
	}
	for _, frames := range streamSeeds {
		f.Add(wire(frames...), true)
	}
	for _, s := range stepsOf(exampleChecked) {
		f.Add(s.bytes, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		synctest.Test(t, func(t *testing.T) {
			x, raw := net.Pipe()
			c := New(x, &Options{MaxMessage: 70000, Window: 70000, Checksum: true})
			server, client := receive(c.ServerLane(), true), receive(c.ClientLane(), true)
			go io.Copy(io.Discard, raw)
			go echoAll(c)
			if right {
				b = seal(framesum.New(0), b)
			}
			raw.Write(b)
			synctest.Wait()
			got := 0
			for _, msg := range append(server.take(), client.take()...) {
				got += len(msg)
			}
			require.LessOrEqual(t, got, len(b))
			raw.Close()
			err := c.Wait()
			known := errors.As(err, new(*ProtocolError)) || errors.Is(err, ErrPeerClosed) || errors.Is(err, io.EOF) ||
				errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrDeadlineExceeded)
			require.True(t, known, "%v", err)
		})
	})
}
