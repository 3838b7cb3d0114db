package duplex

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// wire turns lines of hex into bytes. "+n" at the end of a line stands for n
// bytes 61.
func wire(lines ...string) []byte {
	var b []byte
	for _, line := range lines {
		digits, fill, found := strings.Cut(line, "+")
		b = append(b, unhex(digits)...)
		if found {
			var n int
			if _, err := fmt.Sscan(fill, &n); err != nil {
				panic(err)
			}
			b = append(b, bytes.Repeat([]byte{0x61}, n)...)
		}
	}
	return b
}

// rawPeer is a link whose other end is played by the test.
type rawPeer struct {
	*Conn
	raw net.Conn

	mu  sync.Mutex
	got []byte
}

// newRawPeer is for use in a bubble.
func newRawPeer(t testing.TB, opts *Options) *rawPeer {
	x, raw := net.Pipe()
	p := &rawPeer{Conn: New(x, opts), raw: raw}
	go func() {
		buf := make([]byte, 100<<10)
		for {
			n, err := raw.Read(buf)
			p.mu.Lock()
			p.got = append(p.got, buf[:n]...)
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		p.Close()
		raw.Close()
		p.Wait()
	})
	return p
}

// out returns what the link has written since, once all goroutines wait.
func (p *rawPeer) out() []byte {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

func requireWire(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		require.Failf(t, "not what was expected", "want %d bytes: % x\n got %d bytes: % x",
			len(want), want[:min(len(want), 48)], len(got), got[:min(len(got), 48)])
	}
}

// A step of an example: side B is played by the test, A is a Conn.
type step struct {
	from  string // "A" or "B"
	bytes []byte
}

// The example of the protocol's text, line by line. A has a window of 64 bytes.
const example = `
A  20 00 00 00 40 00 00 00                           credit call: 64
A  21 00 00 00 40 00 00 00                           credit reply: 64
A  22 00 00 00 40 00 00 00                           credit notification: 64
B  20 00 00 00 00 00 04 00                           credit call: 262144
B  21 00 00 00 00 00 04 00                           credit reply: 262144
B  22 00 00 00 00 00 04 00                           credit notification: 262144
A  10 00 05 00 00 00 00 00 68 65 6c 6c 6f            whole call "hello", costs B's credit 37
B  11 00 02 00 00 00 00 00 68 69                     whole reply "hi", costs A's credit 34
A  21 00 00 00 22 00 00 00                           credit reply: 34, for the reply was taken
A  16 00 00 80 00 00 00 00 00 c0 00 00 00 00 00 00 +32760    first notification 0: total 49152, costs 32800
B  26 00 00 00 00 00 00 00                           grant notification 0
A  1a 00 08 40 00 00 00 00 +16392                    piece notification 0: the last
A  14 00 00 80 00 00 00 00 01 80 00 00 00 00 00 00 +32760    first call 0: total 32769
A  1c 00 00 00 00 00 00 00                           abort call 0: its sender gave up before the grant
B  24 00 00 00 00 00 00 00                           grant call 0: crossed the abort, means nothing
B  30 00 00 00 2a 00 00 00                           ping 42
A  31 00 00 00 2a 00 00 00                           pong 42
A  32 00 00 00 00 00 00 00                           bye
`

func exampleSteps() []step { return stepsOf(example) }

func stepsOf(example string) (steps []step) {
	for line := range strings.Lines(strings.TrimSpace(example)) {
		from, rest, _ := strings.Cut(strings.TrimSpace(line), "  ")
		digits, _, _ := strings.Cut(rest, "   ")
		s := step{from, wire(digits)}
		if n := len(steps); n > 0 && steps[n-1].from == from {
			steps[n-1].bytes = append(steps[n-1].bytes, s.bytes...)
		} else {
			steps = append(steps, s)
		}
	}
	return steps
}

// player plays side B of an example, and checks what A says.
type player struct {
	p     *rawPeer
	steps []step
}

// next plays the next step, which is to be that of a side.
func (pl *player) next(t *testing.T, from string) {
	t.Helper()
	s := pl.steps[0]
	pl.steps = pl.steps[1:]
	require.Equal(t, from, s.from)
	if from == "A" {
		requireWire(t, s.bytes, pl.p.out())
		return
	}
	_, err := pl.p.raw.Write(s.bytes)
	require.NoError(t, err)
	synctest.Wait()
}

// TestExample plays the example, and finds it in the protocol's text.
func TestExample(t *testing.T) {
	var text []byte
	for _, name := range []string{"PROTOCOL-frames.md", "../docs/PROTOCOL.md"} {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte("crossed the abort")) {
			text = b
		}
	}
	require.Contains(t, string(text), example)

	synctest.Test(t, func(t *testing.T) {
		p := newRawPeer(t, &Options{Window: 64})
		receive(p.ClientLane(), false)
		play := player{p, exampleSteps()}
		next := func(from string) { t.Helper(); play.next(t, from) }
		ctx, cancel := context.WithCancel(t.Context())
		next("A")
		next("B")
		require.NoError(t, p.ClientLane().Send(ctx, []byte("hello"), false))
		next("A")
		next("B")
		sent := sending(ctx, p.ClientLane(), bytes.Repeat([]byte{0x61}, 49152), true)
		next("A")
		next("B")
		require.NoError(t, <-sent)
		sent = sending(ctx, p.ClientLane(), bytes.Repeat([]byte{0x61}, 32769), false)
		synctest.Wait() // the last piece of the one before and the first frame of this one are out
		cancel()
		require.ErrorIs(t, <-sent, context.Canceled)
		next("A")
		next("B")
		require.NoError(t, p.Close())
		next("A")
		require.Empty(t, play.steps)
	})
}

// TestReceiveGolden reads each kind of message frame written by hand.
func TestReceiveGolden(t *testing.T) {
	for cl, lane := range map[class]func(*Conn) *Lane{call: (*Conn).ServerLane, reply: (*Conn).ClientLane, notification: (*Conn).ServerLane} {
		t.Run(cl.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newRawPeer(t, &Options{Window: 1 << 20, MaxMessage: 1 << 20})
				in := receive(lane(p.Conn), false)
				p.out()
				k := func(base byte) string { return fmt.Sprintf("%02x", base+byte(cl)) }
				_, err := p.raw.Write(wire(
					k(0x10)+" 00 03 00 00 00 00 00 61 62 63",
					"9c ff 05 00 ff ff ff ff 01 02 03 04 05", // skipped
					k(0x14)+" 00 00 80 07 00 00 00 02 80 00 00 00 00 00 00 +32760",
				))
				require.NoError(t, err)
				requireWire(t, wire(k(0x24)+" 00 00 00 07 00 00 00"), p.out())
				_, err = p.raw.Write(wire(
					k(0x18)+" 00 01 00 07 00 00 00 62",
					k(0x18)+" 00 09 00 07 00 00 00 63 64 65 66 67 68 69 6a 6b",
					k(0x14)+" 00 00 80 08 00 00 00 02 80 00 00 00 00 00 00 +32760",
					k(0x1c)+" 00 00 00 08 00 00 00",
				))
				require.NoError(t, err)
				synctest.Wait()
				want := [][]byte{[]byte("abc"), append(bytes.Repeat([]byte("a"), 32760), "bcdefghijk"...)}
				require.Equal(t, want, in.take())
				requireWire(t, wire(k(0x24)+" 00 00 00 08 00 00 00"), p.out())
				requireIdle(t, p.Conn)
			})
		})
	}
}

func TestPongIsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, raw := net.Pipe()
		c := New(x, nil)
		defer c.Wait()
		defer c.Close()
		synctest.Wait() // the writer is at the first credit, and nobody reads
		// What is owed is one pong, however many pings come.
		for i := range byte(100) {
			_, err := raw.Write([]byte{0x30, 0, 0, 0, i, 0, 0, 0})
			require.NoError(t, err)
		}
		synctest.Wait()
		got := make([]byte, 4*headerSize)
		_, err := io.ReadFull(raw, got)
		require.NoError(t, err)
		requireWire(t, wire("31 00 00 00 63 00 00 00"), got[3*headerSize:])
		raw.Close()
	})
}
