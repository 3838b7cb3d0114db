//go:build unix

package conformance_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rawParent speaks with a child byte by byte.
type rawParent struct {
	cmd      *exec.Cmd
	in       *os.File // to the child
	out      *os.File // from it
	stderr   bytes.Buffer
	received chan []byte // all that came, when the child has closed its end
}

func startRaw(t *testing.T, name string) *rawParent {
	t.Helper()
	p := &rawParent{cmd: testerCommand(t, name), received: make(chan []byte, 1)}
	for i, arg := range p.cmd.Args { // the sentinel stands where it belongs
		if strings.Contains(arg, "viaduct") && i > 0 {
			p.cmd.Args = append(p.cmd.Args[:i], p.cmd.Args[i+1:]...)
			break
		}
	}
	p.cmd.Args = append(p.cmd.Args, "viaduct.1", "fd:3,4")
	childIn, in, err := os.Pipe()
	require.NoError(t, err)
	out, childOut, err := os.Pipe()
	require.NoError(t, err)
	p.in, p.out = in, out
	p.cmd.ExtraFiles = []*os.File{childIn, childOut}
	p.cmd.Stderr = &p.stderr
	require.NoError(t, p.cmd.Start())
	childIn.Close()
	childOut.Close()
	t.Cleanup(func() {
		in.Close()
		p.cmd.Process.Kill()
		p.cmd.Wait()
		out.Close()
	})
	return p
}

// greet says hello, reads that of the child and what credit it gives.
func (p *rawParent) greet(t *testing.T, hello []byte) {
	t.Helper()
	require.NoError(t, p.out.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err := p.in.Write(hello)
	require.NoError(t, err)
	head := p.read(t, 16)
	p.read(t, int(binary.LittleEndian.Uint32(head[12:])))
	p.read(t, 3*8)
}

func (p *rawParent) read(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(p.out, b)
	require.NoError(t, err)
	return b
}

// ends writes, and requires that the child ends the link, and itself, although this end stays open.
func (p *rawParent) ends(t *testing.T, write []byte) string {
	t.Helper()
	go func() {
		b, _ := io.ReadAll(p.out)
		p.received <- b
	}()
	_, err := p.in.Write(write)
	if err != nil {
		require.ErrorContains(t, err, "broken pipe")
	}
	<-p.received
	require.Error(t, p.cmd.Wait(), "it ends with an error")
	return p.stderr.String()
}

// theHello is that of a parent, with these pairs besides, all of fixed size.
func theHello(low, high int, pairs string) []byte {
	m := unhex("b  max_message ce08000000  nonce c41000112233445566778899aabbccddeeff" + pairs)
	m[0] = byte(0x80 + strings.Count(pairs, "=") + 2)
	b := binary.LittleEndian.AppendUint16([]byte("\xf1VIADUCT"), uint16(low))
	b = binary.LittleEndian.AppendUint16(b, uint16(high))
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(m))), m...)
}

func unhex(s string) (b []byte) {
	for _, word := range strings.Fields(s) {
		if name := strings.TrimSuffix(word, "="); len(name) > 3 && strings.Trim(name, "0123456789abcdef") != "" {
			b = append(append(b, byte(0xa0+len(name))), name...)
			continue
		}
		if word == "b" {
			b = append(b, 0)
			continue
		}
		part, err := hex.DecodeString(word)
		if err != nil {
			panic(fmt.Sprintf("%q: %v", word, err))
		}
		b = append(b, part...)
	}
	return b
}

// frameOf is a frame with a payload.
func frameOf(kind byte, id uint32, payload string) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{kind, 0}, uint16(len(payload)))
	return append(binary.LittleEndian.AppendUint32(b, id), payload...)
}

// What must not come ends the link, and the child says what it was. (That it does in Go is tested elsewhere.)
func TestModulesHostile(t *testing.T) {
	big := strings.Repeat("\x00", 32768)
	first := func(total uint64) string {
		return string(binary.LittleEndian.AppendUint64(nil, total)) + big[:32760]
	}
	open := frameOf(0x40, 5, "\x00\x01\x00\x00\x00\x00\x00\x00")
	for _, tt := range []struct {
		name  string
		hello []byte // nil: a good one
		write []byte
		says  string
	}{
		{"no hello", []byte("GET / HTTP/1.1\r\n\r\n"), nil, "which is no hello"},
		{"other versions", theHello(2, 3, ""), nil, "versions 2 to 3, this child 1 to 1"},
		{"no versions", theHello(3, 1, ""), nil, "versions 3 to 1"},
		{"a hello without end", append([]byte("\xf1VIADUCT\x01\x00\x01\x00"), 0xff, 0xff, 0xff, 0xff), nil, "4294967295 bytes"},
		{"a hello with a map of four billion", []byte("\xf1VIADUCT\x01\x00\x01\x00\x05\x00\x00\x00\xdf\xff\xff\xff\xff"), nil, "more values than bytes"},
		{"a hello that is no map", []byte("\xf1VIADUCT\x01\x00\x01\x00\x01\x00\x00\x00\x05"), nil, "no map"},
		{"another encoding", theHello(1, 1, " encoding= a3676f62"), nil, "encoding is gob"},
		{"a need", theHello(1, 1, " needs= 93 a56f74686572 a0 a0"), nil, "other"},

		{"kind", nil, frameOf(0x35, 0, ""), "a frame of kind 0x35"},
		{"second byte", nil, []byte{0x30, 1, 0, 0, 0, 0, 0, 0}, "a frame of kind 0x30"},
		{"length", nil, append([]byte{0x10, 0, 0xff, 0xff, 0, 0, 0, 0}, big...), "65535 bytes"},
		{"a ping with something", nil, frameOf(0x30, 1, "x"), "a frame of kind 0x30"},
		{"total length", nil, frameOf(0x14, 1, first(1<<62)), "long message of 4611686018427387904 bytes"},
		{"short long message", nil, frameOf(0x14, 1, first(32768)), "long message of 32768 bytes"},
		{"two of one number", nil, append(frameOf(0x14, 1, first(99999)), frameOf(0x14, 1, first(99999))...), "within one of that number"},
		{"notifications in one another", nil, append(frameOf(0x16, 1, first(99999)), frameOf(0x16, 2, first(99999))...), "notification within another"},
		{"piece", nil, frameOf(0x18, 9, "x"), "a piece of message 9"},
		{"abort", nil, frameOf(0x1c, 9, ""), "an abort of message 9"},
		{"no credit", nil, frameOf(0x20, 0, ""), "credit of 0"},
		{"much credit", nil, append(frameOf(0x21, 1<<30, ""), frameOf(0x21, 1, "")...), "credit of 1,"},
		{"data of no stream", nil, frameOf(0x42, 3, "x"), "stream 3"},
		{"data before the accept", nil, append(open[:16:16], frameOf(0x40, 5, "\x00\x01\x00\x00\x00\x00\x00\x00")...), "an open of 5"},
		{"window", nil, frameOf(0x40, 1, "\xff\xff\xff\xff\x00\x00\x00\x00"), "a window of 4294967295"},
		{"accept of nothing", nil, frameOf(0x41, 0, "\x00\x00\x00\x00"), "stream 0"},

		{"no array", nil, frameOf(0x10, 0, "\x05"), "malformed message"},
		{"no MessagePack", nil, frameOf(0x10, 0, "\xc1"), "malformed message"},
		{"elements", nil, frameOf(0x10, 0, "\x93\x00\x01\xa1m"), "3 elements"},
		{"type", nil, frameOf(0x10, 0, "\x94\x07\x01\xa1m\x90"), "type 7"},
		{"a reply as a call", nil, frameOf(0x10, 0, "\x94\x01\x01\xc0\xc0"), "type 1"},
		{"msgid", nil, frameOf(0x10, 0, "\x94\x00\xa1x\xa1m\x90"), "malformed message"},
		{"large msgid", nil, frameOf(0x10, 0, "\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1m\x90"), "msgid of 4294967296"},
		{"method", nil, frameOf(0x10, 0, "\x94\x00\x01\x05\x90"), "malformed message"},
		{"malformed error", nil, frameOf(0x11, 0, "\x94\x01\x01\xa5x"), "malformed message"},
		{"urgent", nil, frameOf(0x13, 0, "\x93\x02\xa1m\x91\x01"), "no cancel"},
		{"cancel of nothing", nil, frameOf(0x13, 0, "\x93\x02\xa8$/cancel\x90"), "cancel"},
	} {
		for _, name := range []string{"python", "node"} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				p := startRaw(t, name)
				if tt.hello == nil {
					p.greet(t, theHello(1, 1, " features= 91 a773747265616d73"))
				}
				require.Contains(t, p.ends(t, append(tt.hello, tt.write...)), tt.says)
			})
		}
	}
}

// What is wrong with one call costs that call, whatever it claims.
func TestModulesBadCalls(t *testing.T) {
	deep := strings.Repeat("\x91", 5000) + "\xc0"
	var write []byte
	calls := []string{
		"\x94\x00\x00\xa4None\x90",
		"\x94\x00\x01\xa6T.Echo\x05",                              // params that are no array
		"\x94\x00\x02\xa6T.Echo\x91",                              // cut off
		"\x94\x00\x03\xa6T.Echo\x91\x05\x06",                      // something behind them
		"\x94\x00\x04\xa6T.Echo\x91\xdd\xff\xff\xff\xff\x01",      // four billion elements
		"\x94\x00\x05\xa6T.Echo\x91\xdf\xff\xff\xff\xff\x01\x01",  // pairs
		"\x94\x00\x06\xa6T.Echo\x91\xc6\xff\xff\xff\xff\x01",      // bytes
		"\x94\x00\x07\xa6T.Echo\x91\xc1",                          // no MessagePack
		"\x94\x00\x08\xa6T.Echo" + deep,                           // nested
		"\x95\x00\x09\xa6T.Echo\x91\x05\x05",                      // what goes with it is no map
		"\x95\x00\x0a\xa6T.Echo\x91\x05\x81\xa7timeout\xa1x",      // nor is that a number
		"\x94\x00\x0b\xa6T.Echo\x91\x81\x91\x01\x01",              // a key that is an array
		"\x95\x00\x0c\xa6T.Echo\x91\x05\x81\xa6within\xa3not\xc0", // and something behind it
	}
	for _, call := range calls {
		write = append(write, frameOf(0x10, 0, call)...)
	}
	write = append(write, frameOf(0x10, 0, "\x94\x00\x7f\xa6T.Echo\x91\x05")...)   // and one that is right
	write = append(write, frameOf(0x13, 0, "\x93\x02\xa8$/cancel\x92\x7f\x01")...) // which is cancelled, perhaps too late
	write = append(write, []byte{0x90, 7, 2, 0, 0, 0, 0, 0, 1, 2}...)              // and a frame that may be skipped
	write = append(write, frameOf(0x10, 0, "\x94\x00\x7e\xa6T.Echo\x91\xa2ok")...) // and another
	write = append(write, frameOf(0x12, 0, "\x93\x02\xa5$/log\x92\x00\x01")...)    // and a notification that is not known
	for _, name := range []string{"python", "node"} {
		t.Run(name, func(t *testing.T) {
			p := startRaw(t, name)
			p.greet(t, theHello(1, 1, ""))
			_, err := p.in.Write(append(frameOf(0x21, 1<<20, ""), write...))
			require.NoError(t, err)
			replies := make(map[byte]string)
			for len(replies) < len(calls)+2 {
				head := p.read(t, 8)
				payload := p.read(t, int(binary.LittleEndian.Uint16(head[2:])))
				if head[0] == 0x11 {
					require.Equal(t, "\x94\x01\xce\x00\x00\x00", string(payload[:6]))
					replies[payload[6]] = string(payload[7:])
				}
			}
			for i := range calls {
				require.NotEqual(t, byte(0xc0), replies[byte(i)][0], "call %d has succeeded", i)
			}
			require.Equal(t, "\xc0\xa2ok", replies[0x7e])
			p.in.Close()
			require.NoError(t, p.cmd.Wait()) // a parent that is gone is no error
		})
	}
}
