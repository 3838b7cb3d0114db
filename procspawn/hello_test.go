package procspawn

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/handles"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// sampleHello is the example of PROTOCOL.md.
func sampleHello() Hello {
	h := Hello{
		MinVersion: 1, MaxVersion: 1,
		Pid: 4711, Lang: "go", Name: "app", AppVersion: "1.2",
		MaxMessage: handles.DefaultMaxMessage,
		Encoding:   "msgpack",
		Bodies:     []string{"msgpack", "gob"},
		Features:   []string{"x"},
		WordBits:   64,
	}
	copy(h.nonce[:], "0123456789abcdef")
	return h
}

const goldenHello = "f1" + "56494144554354" + // magic
	"0100" + "0100" + "81000000" + // versions, size
	"8a" +
	"a3" + "706964" + "cd1267" + // pid
	"a4" + "6c616e67" + "a2" + "676f" + // lang
	"a4" + "6e616d65" + "a3" + "617070" + // name
	"a7" + "76657273696f6e" + "a3" + "312e32" + // version
	"ab" + "6d61785f6d657373616765" + "ce08000000" + // max_message
	"a6" + "626f64696573" + "92" + "a7" + "6d73677061636b" + "a3" + "676f62" + // bodies
	"a8" + "6665617475726573" + "91" + "a178" + // features
	"a4" + "776f7264" + "40" + // word
	"a5" + "6f72646572" + "a6" + "6c6974746c65" + // order
	"a5" + "6e6f6e6365" + "c410" + "30313233343536373839616263646566" // nonce

func TestHelloGolden(t *testing.T) {
	h := sampleHello()
	require.Equal(t, goldenHello, hex.EncodeToString(h.append(nil)))

	prefix := []byte("before")
	b := h.append(prefix)
	assert.Equal(t, "before"+string(h.append(nil)), string(b))

	// Not a byte more than its own is read, however the bytes come.
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"whole":    func(r io.Reader) io.Reader { return r },
		"one byte": iotest.OneByteReader,
		"half":     iotest.HalfReader,
		"data+err": iotest.DataErrReader,
	} {
		buf := bytes.NewBuffer(h.append(nil))
		if name != "data+err" { // which reads ahead
			buf.WriteString("next")
		}
		got, err := readHello(wrap(buf), nil)
		require.NoError(t, err, name)
		assert.Empty(t, cmp.Diff(h, got, cmp.AllowUnexported(Hello{})), name)
		if name != "data+err" {
			assert.Equal(t, "next", buf.String(), name)
		}
	}
}

func TestHelloOfThisProcess(t *testing.T) {
	h := newHello(&Options{hello: handles.Hello{MaxMessage: 12345}})
	got, err := readHello(bytes.NewReader(h.append(nil)), nil)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(h, got, cmp.AllowUnexported(Hello{})))
	assert.Equal(t, os.Getpid(), got.Pid)
	assert.EqualValues(t, 12345, got.MaxMessage)
	assert.Equal(t, "go", got.Lang)
	assert.Equal(t, []string{"msgpack"}, got.Bodies)
	assert.Equal(t, 32<<(^uint(0)>>63), got.WordBits)
	assert.Equal(t, runtime.GOARCH == "s390x" || runtime.GOARCH == "ppc64" || runtime.GOARCH == "mips", got.BigEndian)
	other := newHello(nil)
	assert.NotEqual(t, h.nonce, other.nonce)
	assert.EqualValues(t, handles.DefaultMaxMessage, other.MaxMessage)
}

// pair is a key and value of a hello's map.
type pair struct {
	key   string
	value []byte
}

func helloPairs() []pair {
	return []pair{
		{"max_message", mpack.AppendUint(nil, 1000)},
		{"nonce", mpack.AppendBin(nil, make([]byte, 16))},
	}
}

// rawHello makes a hello of any version range and pairs.
func rawHello(lo, hi uint16, pairs ...pair) []byte {
	m := mpack.AppendMap(nil, len(pairs))
	for _, p := range pairs {
		m = append(mpack.AppendString(m, p.key), p.value...)
	}
	return rawHelloMap(lo, hi, m)
}

func rawHelloMap(lo, hi uint16, m []byte) []byte {
	b := []byte(helloMagic)
	b = binary.LittleEndian.AppendUint16(b, lo)
	b = binary.LittleEndian.AppendUint16(b, hi)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(m)))
	return append(b, m...)
}

type helloCase struct {
	name  string
	bytes []byte
	want  string // part of the error; "" if the hello is good
}

func helloCases() []helloCase {
	must := helloPairs()
	with := func(p ...pair) []byte { return rawHello(1, 1, append(p, must...)...) }
	str := func(s string) []byte { return mpack.AppendString(nil, s) }
	num := func(n uint64) []byte { return mpack.AppendUint(nil, n) }
	nest := func(n int) []byte { return append(bytes.Repeat([]byte{0x91}, n), 0xc0) }
	h := sampleHello()
	good := h.append(nil)
	big := make([]byte, 16<<10)
	return []helloCase{
		{"sample", good, ""},
		{"required only", rawHello(1, 1, must...), ""},
		{"another order", rawHello(1, 1, must[1], must[0]), ""},
		{"a later maximum", rawHello(1, 7, must...), ""},
		{"versions from 0", rawHello(0, 1, must...), ""},
		{"unknown keys", with(pair{"later", num(1)}, pair{"deep", nest(7)}, pair{"", []byte{0xc0}}), ""},
		{"unknown keys nested too deep", with(pair{"deep", nest(8)}), "limit of 8"},
		{"pid in a wider format", with(pair{"pid", []byte{0xcf, 0, 0, 0, 0, 0, 0, 0, 5}}), ""},
		{"pid in a signed format", with(pair{"pid", []byte{0xd0, 5}}), ""},
		{"largest pid", with(pair{"pid", num(math.MaxInt32)}), ""},
		{"pid over the limit", with(pair{"pid", num(math.MaxInt32 + 1)}), `key "pid": is 2147483648`},
		{"negative pid", with(pair{"pid", []byte{0xff}}), `key "pid"`},
		{"pid of a wrong type", with(pair{"pid", str("5")}), `key "pid": msgpack: found str where uint was expected`},
		{"lang of a wrong type", with(pair{"lang", num(5)}), `key "lang"`},
		{"name of a wrong type", with(pair{"name", []byte{0xc0}}), `key "name"`},
		{"version of a wrong type", with(pair{"version", num(5)}), `key "version"`},
		{"bodies of a wrong type", with(pair{"bodies", str("gob")}), `key "bodies"`},
		{"an element of bodies of a wrong type", with(pair{"bodies", []byte{0x92, 0xa0, 1}}), `key "bodies"`},
		{"features of a wrong type", with(pair{"features", []byte{0x80}}), `key "features"`},
		{"no features", with(pair{"features", []byte{0x90}}), ""},
		{"word of a wrong type", with(pair{"word", str("64")}), `key "word"`},
		{"order of a wrong type", with(pair{"order", num(1)}), `key "order"`},
		{"big", with(pair{"order", str("big")}), ""},
		{"order unknown", with(pair{"order", str("middle")}), `key "order": is "middle"`},
		{"max_message of a wrong type", rawHello(1, 1, pair{"max_message", str("1")}, must[1]), `key "max_message"`},
		{"max_message of 0", rawHello(1, 1, pair{"max_message", num(0)}, must[1]), `key "max_message": is 0`},
		{"largest max_message", rawHello(1, 1, pair{"max_message", num(math.MaxUint64)}, must[1]), ""},
		{"max_message missing", rawHello(1, 1, must[1]), `key "max_message" is missing`},
		{"nonce missing", rawHello(1, 1, must[0]), `key "nonce" is missing`},
		{"nonce of a wrong type", rawHello(1, 1, must[0], pair{"nonce", str("0123456789abcdef")}), `key "nonce"`},
		{"nonce too short", rawHello(1, 1, must[0], pair{"nonce", mpack.AppendBin(nil, make([]byte, 15))}), `key "nonce": has 15 bytes, 16`},
		{"nonce too long", rawHello(1, 1, must[0], pair{"nonce", mpack.AppendBin(nil, make([]byte, 17))}), `key "nonce": has 17 bytes, 16`},
		{"a key twice", with(pair{"pid", num(1)}, pair{"pid", num(1)}), `key "pid" stands in the map twice`},
		{"a key that is no string", rawHelloMap(1, 1, []byte{0x81, 1, 1}), "a key of the map"},
		{"no map", rawHelloMap(1, 1, []byte{0x90}), "found array where map was expected"},
		{"an empty map", rawHelloMap(1, 1, []byte{0x80}), "is missing"},
		{"nothing for a map", rawHelloMap(1, 1, nil), "hello is damaged"},
		{"bytes behind the map", rawHelloMap(1, 1, append(bytes.Clone(good[helloHead:]), 0)), "left over"},
		{"a map cut short inside", rawHelloMap(1, 1, good[helloHead:len(good)-1]), "hello is damaged"},
		{"a byte that is no msgpack", with(pair{"later", []byte{0xc1}}), "0xc1"},
		{"a map at the limit", rawHelloMap(1, 1, append([]byte{0x81, 0xa1, 'x', 0xc5, 0x3f, 0xf8}, big[:16<<10-8]...)), "hello is damaged"},
		{"a map over the limit", rawHelloMap(1, 1, append(big, 0)), "map of 16385 bytes, the limit is 16384"},
		{"a map of 4 GiB", append(bytes.Clone(good[:12]), 0xff, 0xff, 0xff, 0xff), "map of 4294967295 bytes"},
		{"versions upside down", rawHello(2, 1, must...), "versions from 2 to 1"},
		{"later versions", rawHello(2, 3, must...), "speaks protocol versions 2 to 3, this side 1 to 1: build this program with a later"},
		{"later versions and another map", rawHelloMap(2, 2, []byte{0xc1}), "versions 2 to 2, this side 1 to 1"},
		{"later versions and a huge map", append(rawHello(2, 2)[:12], 0xff, 0xff, 0, 0), "versions 2 to 2, this side 1 to 1"},
		{"earlier versions", rawHello(0, 0, must...), "versions 0 to 0, this side 1 to 1: build the other program with a later"},
		{"nothing", nil, "EOF"},
		{"half a head", good[:9], "hello ends after 9 of the 16 bytes of its head"},
		{"a head", good[:16], "hello ends after 0 of the 129 bytes of its map"},
		{"half a map", good[:50], "hello ends after 34 of the 129 bytes of its map"},
		{"text", []byte("usage: prog [options]\n"), `are "usage: prog [opt", a hello beginning with "\xf1VIADUCT" was expected`},
		{"short text", []byte("hi\n"), `are "hi\n", a hello`},
		{"a magic that ends otherwise", []byte("\xf1VIADUCK12345678"), `"\xf1VIADUCK12345678"`},
	}
}

func TestReadHello(t *testing.T) {
	for _, tt := range helloCases() {
		t.Run(tt.name, func(t *testing.T) {
			h, err := readHello(bytes.NewReader(tt.bytes), nil)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			again, err := readHello(bytes.NewReader(h.append(nil)), nil)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(h, again, cmp.AllowUnexported(Hello{})))
		})
	}
}

// A wrong first byte is noticed without waiting for the rest of the head.
func TestReadHelloFailsEarly(t *testing.T) {
	_, err := readHello(io.MultiReader(strings.NewReader("h"), iotest.ErrReader(errors.New("read too far"))), nil)
	var magic *MagicError
	require.ErrorAs(t, err, &magic)
	assert.Equal(t, "h", string(magic.Found))

	_, err = readHello(idleReader{}, nil)
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func FuzzReadHello(f *testing.F) {
	for _, tt := range helloCases() {
		f.Add(tt.bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		h, err := readHello(r, nil)
		if err != nil {
			return
		}
		read := len(b) - r.Len()
		if size := int(binary.LittleEndian.Uint32(b[12:])); read != helloHead+size {
			t.Fatalf("read %d bytes of a hello with a map of %d", read, size)
		}
		again, err := readHello(bytes.NewReader(h.append(nil)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, again, cmp.AllowUnexported(Hello{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

// shakeBoth shakes hands over two ends at the same time.
func shakeBoth(a, b io.ReadWriteCloser, oa, ob *Options) (la, lb *Link, ea, eb error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		lb, eb = Handshake(context.Background(), b, ob)
	}()
	la, ea = Handshake(context.Background(), a, oa)
	<-done
	return
}

func TestHandshake(t *testing.T) {
	noLeaks(t)
	a, b := net.Pipe()
	la, lb, ea, eb := shakeBoth(a, b, &Options{hello: handles.Hello{MaxMessage: 1000}}, nil)
	require.NoError(t, ea)
	require.NoError(t, eb)
	assert.Equal(t, 1, la.Version())
	assert.EqualValues(t, handles.DefaultMaxMessage, la.Remote().MaxMessage)
	assert.EqualValues(t, 1000, lb.Remote().MaxMessage)

	go la.Write([]byte("moo"))
	buf := make([]byte, 3)
	_, err := io.ReadFull(lb, buf)
	require.NoError(t, err)
	assert.Equal(t, "moo", string(buf))

	_, err = la.WriteNow(buf)
	assert.ErrorIs(t, err, errors.ErrUnsupported)

	require.NoError(t, la.Close())
	require.NoError(t, la.Close())
	_, err = la.Read(buf)
	assert.ErrorIs(t, err, os.ErrClosed)
	_, err = la.Write(buf)
	assert.ErrorIs(t, err, os.ErrClosed)
	_, err = lb.Read(buf)
	assert.Equal(t, io.EOF, err)
	lb.Close()
}

func TestHandshakeRefuses(t *testing.T) {
	for _, tt := range helloCases() {
		t.Run(tt.name, func(t *testing.T) {
			noLeaks(t)
			a, b := net.Pipe()
			heard := make(chan error, 1)
			go func() {
				// As a peer does: its own hello, and at the same time ours.
				go func() {
					b.Write(tt.bytes)
					if len(tt.bytes) < helloHead || strings.Contains(tt.want, "ends after") {
						b.Close()
					}
				}()
				_, err := readHello(b, nil)
				heard <- err
			}()
			l, err := Handshake(context.Background(), a, nil)
			herr := <-heard
			if tt.want == "" {
				require.NoError(t, err)
				assert.NoError(t, herr)
				l.Close()
				b.Close()
				return
			}
			require.ErrorContains(t, err, tt.want)
			var refused *VersionError
			if errors.As(err, &refused) {
				assert.NoError(t, herr, "a refused peer must be able to refuse as well")
				assert.Equal(t, [2]int{1, 1}, [2]int{refused.LocalMin, refused.LocalMax})
			}
			_, err = a.Write([]byte{0})
			assert.ErrorIs(t, err, io.ErrClosedPipe, "the connection must be closed")
			b.Close()
		})
	}
}

func TestHandshakeEcho(t *testing.T) {
	noLeaks(t)
	a, b := net.Pipe()
	go func() {
		io.Copy(b, b)
		b.Close()
	}()
	_, err := Handshake(context.Background(), a, nil)
	var echoed *EchoError
	require.ErrorAs(t, err, &echoed)
	assert.ErrorContains(t, err, "our own hello came back")
}

func TestHandshakeTimeout(t *testing.T) {
	noLeaks(t)
	a, b := net.Pipe()
	defer b.Close()
	_, err := Handshake(context.Background(), a, &Options{HandshakeTimeout: 20 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualError(t, err, "procspawn: handshake: no hello within 20ms")

	a, b = net.Pipe()
	defer b.Close()
	cause := errors.New("no more time")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(10*time.Millisecond, func() { cancel(cause) })
	_, err = Handshake(ctx, a, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	assert.EqualError(t, err, "procspawn: handshake: no hello before the context ended: no more time")
}

// stuckConn is a connection whose Close wakes nobody.
type stuckConn struct{ stuck chan struct{} }

func (c stuckConn) Read([]byte) (int, error)  { <-c.stuck; return 0, io.EOF }
func (c stuckConn) Write([]byte) (int, error) { <-c.stuck; return 0, io.EOF }
func (c stuckConn) Close() error              { <-c.stuck; return nil }

func TestHandshakeReturnsFromStuckConnection(t *testing.T) {
	waits(t)
	c := stuckConn{make(chan struct{})}
	within(t, 5*time.Second, "handshake", func() {
		_, err := Handshake(context.Background(), c, &Options{HandshakeTimeout: time.Millisecond})
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	close(c.stuck)
}
