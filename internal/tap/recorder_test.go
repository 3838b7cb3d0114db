package tap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

func frame(kind byte, id uint32, payload ...byte) []byte {
	b := []byte{kind, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, id)
	return append(b, payload...)
}

func request(id uint32, method, argument string) []byte {
	b := mpack.AppendUint(mpack.AppendArray(nil, 4), Request)
	b = mpack.AppendUint(b, uint64(id))
	return mpack.AppendString(mpack.AppendArray(mpack.AppendString(b, method), 1), argument)
}

func response(id uint32, err, result string) []byte {
	b := mpack.AppendUint(mpack.AppendArray(nil, 4), Response)
	b = mpack.AppendUint(b, uint64(id))
	if err == "" {
		return mpack.AppendString(mpack.AppendNil(b), result)
	}
	return mpack.AppendNil(mpack.AppendString(b, err))
}

func notification(method, argument string) []byte {
	b := mpack.AppendUint(mpack.AppendArray(nil, 3), Notification)
	return mpack.AppendString(mpack.AppendArray(mpack.AppendString(b, method), 1), argument)
}

// script is a connection that takes what is written, and has this to be read.
type script struct {
	io.Reader
	bytes.Buffer
	most int // of a write without waiting
}

func (s *script) Read(p []byte) (int, error) { return s.Reader.Read(p) }
func (s *script) Close() error               { return nil }

func (s *script) WriteNow(p []byte) (int, error) { return s.Write(p[:min(len(p), s.most)]) }

var someInfo = Info{
	Role: Parent, Program: "child", Eager: true,
	Here:  Side{Pid: 7, Name: "app", Version: "1.2", Lang: "go", Encoding: "msgpack", Bodies: []string{"msgpack", "gob"}, Features: []string{"calls"}, MaxMessage: 1 << 27},
	There: Side{Pid: 8, Encoding: "msgpack"},
}

// quiet returns a Recorder whose writes never take long, however busy the machine is.
func quiet(c Config) *Recorder {
	r := New(c)
	r.blocked = time.Hour
	return r
}

// TestBlocked: a write that takes long is told, with the time at which it began.
func TestBlocked(t *testing.T) {
	r := New(Config{})
	r.blocked = 0 // each does
	play(t, r, 1<<20)
	var b bytes.Buffer
	_, err := r.WriteTo(&b)
	require.NoError(t, err)
	_, list, err := readAll(b.Bytes())
	require.Equal(t, io.EOF, err)
	require.Len(t, list, 18)
	assert.Equal(t, KindBlocked, list[10].Kind)
	assert.True(t, list[10].Out)
	assert.GreaterOrEqual(t, list[10].Blocked, time.Duration(0)) // a clock may be coarse
	assert.LessOrEqual(t, list[10].At+list[10].Blocked, list[17].At)
	assert.Equal(t, KindFrame, list[9].Kind)
}

// traffic is what both sides say: with a secret wherever there may be one.
func traffic() (out, in [][]byte) {
	const secret = "s3cret"
	long := request(2, "A.Long", strings.Repeat(secret, 9000))
	first := binary.LittleEndian.AppendUint64(nil, uint64(len(long)))
	first = append(first, long[:32760]...)
	out = [][]byte{
		frame(0x20, 4096),
		frame(0x10, 0, request(1, "A.B", secret)...),
		frame(0x14, 0, first...),
		frame(0x18, 0, long[32760:]...),
		frame(0x12, 0, notification("A.Say", secret)...),
		frame(0x40, 0, 0, 0, 1, 0, 0, 0, 0, 0),
		frame(0x42, 0, []byte(secret)...),
		frame(0x13, 0, append(mpack.AppendString(mpack.AppendUint(mpack.AppendArray(nil, 3), Notification), "$/cancel"), 0x91, 1)...),
		frame(0x32, 0),
		[]byte(secret), // behind a bye: nothing
	}
	in = [][]byte{
		frame(0x20, 262144),
		frame(0x11, 0, response(1, "", secret)...),
		frame(0x11, 0, response(2, "an error with a "+secret, "")...),
		frame(0x41, 0, 0, 0, 1, 0),
		frame(0x43, 0, []byte(secret)...),
		frame(0x90, 5, []byte(secret)...),
		frame(0x11, 0, response(3, "", secret)...)[:12], // cut
	}
	return out, in
}

// play has traffic go through a tapped connection, in bits of so many bytes.
func play(t *testing.T, r *Recorder, bit int) {
	out, in := traffic()
	u, err := r.Use(func(string, ...any) {})
	require.NoError(t, err)
	below := &script{Reader: bytes.NewReader(bytes.Join(in, nil)), most: 3}
	conn := u.Link(below, &someInfo)
	all := bytes.Join(out, nil)
	for left := all; len(left) > 0; {
		p := left[:min(bit, len(left))]
		n, err := conn.(interface{ WriteNow([]byte) (int, error) }).WriteNow(p)
		require.NoError(t, err)
		m, err := conn.Write(p[n:])
		require.NoError(t, err)
		left = left[n+m:]
	}
	require.Equal(t, all, below.Buffer.Bytes())
	got, err := io.ReadAll(io.LimitReader(struct{ io.Reader }{conn}, 1<<30))
	require.NoError(t, err)
	require.Equal(t, bytes.Join(in, nil), got)
	u.Release()
}

// readAll returns all records, and the error behind the last.
func readAll(b []byte) (r *Reader, list []Record, err error) {
	r, err = NewReader(bytes.NewReader(b))
	for err == nil {
		var rec Record
		if rec, err = r.Next(); err == nil {
			rec.Frame.Payload = bytes.Clone(rec.Frame.Payload)
			list = append(list, rec)
		}
	}
	return r, list, err
}

// TestRecord: what went over a link is in the file, with contents and without, however it was cut on
// its way.
func TestRecord(t *testing.T) {
	for _, contents := range []bool{false, true} {
		for _, bit := range []int{1, 7, 1000, 1 << 20} {
			name := filepath.Join(testkit.TempDir(t), "a.tap")
			play(t, quiet(Config{File: name, Contents: contents}), bit)
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Equal(t, contents, bytes.Contains(b, []byte("s3cret")), "a secret is in the file")
			r, list, err := readAll(b)
			require.Equal(t, io.EOF, err)
			assert.Equal(t, contents, r.Contents)
			assert.Less(t, time.Since(r.Begin).Abs(), time.Hour)
			require.Len(t, list, 1+9+6+1)
			assert.Equal(t, someInfo, list[0].Info)
			var names []Name
			for i, rec := range list[1:16] {
				assert.Equal(t, KindFrame, rec.Kind)
				assert.Equal(t, i < 9, rec.Out)
				assert.Equal(t, uint32(1), rec.Link)
				assert.GreaterOrEqual(t, rec.At, list[i].At)
				if rec.Frame.Named {
					names = append(names, rec.Frame.Name)
				}
			}
			assert.Equal(t, []Name{
				{Type: Request, ID: 1, Method: "A.B"}, {Type: Request, ID: 2, Method: "A.Long"},
				{Type: Notification, Method: "A.Say"}, {Type: Notification, ID: 1, Method: "$/cancel"},
				{Type: Response, ID: 1}, {Type: Response, ID: 2, Failed: true},
			}, names)
			assert.Equal(t, uint64(54014), list[3].Frame.Total)
			assert.Equal(t, 32768, list[3].Frame.Length)
			assert.Equal(t, []byte{0, 0, 1, 0, 0, 0, 0, 0}, list[6].Frame.Payload)
			assert.Equal(t, uint32(12), list[16].Partial)
			assert.Zero(t, list[16].Unsent)
			if contents {
				out, _ := traffic()
				assert.Equal(t, out[3][8:], list[4].Frame.Payload)
			}
			if runtime.GOOS != "windows" {
				info, err := os.Stat(name)
				require.NoError(t, err)
				assert.Equal(t, os.FileMode(0o600), info.Mode())
			}
		}
	}
}

// TestUnsent: what was recorded ahead of a write that fails is known not to have left.
func TestUnsent(t *testing.T) {
	r := quiet(Config{})
	u, err := r.Use(nil)
	require.NoError(t, err)
	conn := u.Link(&failing{took: 3}, &someInfo)
	_, err = conn.Write(frame(0x10, 0, request(1, "A.B", "")...))
	require.Error(t, err)
	_, err = conn.(interface{ WriteNow([]byte) (int, error) }).WriteNow(nil)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	u.Release()
	var b bytes.Buffer
	_, err = r.WriteTo(&b)
	require.NoError(t, err)
	_, list, err := readAll(b.Bytes())
	require.Equal(t, io.EOF, err)
	require.Len(t, list, 3)
	assert.Equal(t, uint64(8+9-3), list[2].Unsent)
}

type failing struct {
	io.ReadCloser
	took int
}

func (f *failing) Write([]byte) (int, error) { return f.took, io.ErrClosedPipe }

// TestCut: of a file that is cut anywhere the whole records before are read, and then an error that
// says where.
func TestCut(t *testing.T) {
	name := filepath.Join(testkit.TempDir(t), "a.tap")
	play(t, quiet(Config{File: name}), 1<<20)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	ends := map[int]int{headerSize: 0} // where records end, and how many there are then
	for at, n := headerSize, 0; at < len(b); {
		at += prefixSize + int(binary.LittleEndian.Uint32(b[at:]))
		n++
		ends[at] = n
	}
	last := 0
	for at := range b {
		_, list, err := readAll(b[:at])
		if n, ok := ends[at]; ok {
			last = n
			assert.Equal(t, io.EOF, err, "cut at byte %d", at)
			assert.Len(t, list, n)
			continue
		}
		var cut *CutError
		require.ErrorAs(t, err, &cut, "cut at byte %d", at)
		assert.Len(t, list, last)
		assert.Equal(t, last, cut.Records)
		if at > headerSize {
			assert.Equal(t, last, ends[int(cut.At)])
			assert.Contains(t, err.Error(), "is cut")
		}
	}
}

// TestDamaged: a byte that is another one is found, wherever it is.
func TestDamaged(t *testing.T) {
	r := quiet(Config{})
	play(t, r, 1<<20)
	var file bytes.Buffer
	_, err := r.WriteTo(&file)
	require.NoError(t, err)
	for at := range file.Bytes() {
		b := bytes.Clone(file.Bytes())
		b[at] ^= 0x40
		_, _, err := readAll(b)
		require.Error(t, err)
		assert.NotEqual(t, io.EOF, err, "byte %d", at)
	}
	b := bytes.Clone(file.Bytes())
	b[8] = 2
	_, _, err = readAll(b)
	var other *VersionError
	require.ErrorAs(t, err, &other)
	assert.Contains(t, err.Error(), "version 2 of the format, and this program reads version 1")
	_, _, err = readAll([]byte("#!/bin/sh\nexit"))
	require.ErrorAs(t, err, new(*NoTapError))
	assert.Contains(t, err.Error(), `begins with "#!/bin/s"`)
}

// TestRing: of more than finds room the latest is kept, with how each link has begun.
func TestRing(t *testing.T) {
	r := quiet(Config{MaxBytes: LeastBytes})
	u, err := r.Use(nil)
	require.NoError(t, err)
	gone, err := r.Use(nil)
	require.NoError(t, err)
	conn := u.Link(&script{}, &someInfo)
	gone.Link(&script{}, &someInfo)
	gone.Release()
	for id := range uint32(5000) {
		_, err := conn.Write(frame(0x10, 0, request(id, "A.B", "x")...))
		require.NoError(t, err)
	}
	u.Release()
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, int64(b.Len()), n)
	assert.LessOrEqual(t, n, int64(LeastBytes+1000))
	assert.Greater(t, n, int64(LeastBytes*9/10))
	_, list, err := readAll(b.Bytes())
	require.Equal(t, io.EOF, err)
	assert.Equal(t, KindBegin, list[0].Kind)
	assert.Equal(t, uint32(1), list[0].Link)
	require.Equal(t, KindLost, list[1].Kind)
	// Of 5,000 frames, two ends and this side's begin some are here; the lost one is not among them.
	assert.Equal(t, uint64(5003-(len(list)-1)), list[1].Lost)
	assert.Equal(t, uint32(4999), list[len(list)-2].Frame.Name.ID)
	assert.Equal(t, KindEnd, list[len(list)-1].Kind)

	name := filepath.Join(testkit.TempDir(t), "saved.tap")
	require.NoError(t, r.Save(name))
	saved, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, b.Bytes(), saved)
	assert.ErrorContains(t, r.Save(name), "is there already")
}

// FuzzReader: whatever a file holds, reading it ends, and does not panic.
func FuzzReader(f *testing.F) {
	for _, contents := range []bool{false, true} {
		r := quiet(Config{Contents: contents})
		u, err := r.Use(nil)
		require.NoError(f, err)
		conn := u.Link(&script{}, &someInfo)
		out, _ := traffic()
		conn.Write(bytes.Join(out[5:], nil))
		conn.Write(out[1])
		u.Release()
		var b bytes.Buffer
		r.WriteTo(&b)
		f.Add(b.Bytes())
		f.Add(appendRecord(bytes.Clone(b.Bytes()), record{kind: KindBlocked}, appendUint64(5)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, list, err := readAll(b)
		require.Error(t, err)
		if len(list) > len(b)/minRecord {
			t.Fatalf("%d records in %d bytes", len(list), len(b))
		}
		// Behind the checksums, which stop most of it.
		r := &Reader{Contents: len(b)%2 == 0}
		if len(b) >= headSize {
			r.parse(b)
		}
		NameOf(b)
	})
}

// TestShortFirst: a frame that the other side must not send is recorded as it came, and hides nothing
// of what comes behind it.
func TestShortFirst(t *testing.T) {
	for _, contents := range []bool{false, true} {
		r := quiet(Config{Contents: contents})
		u, err := r.Use(nil)
		require.NoError(t, err)
		conn := u.Link(&script{}, &someInfo)
		_, err = conn.Write(frame(0x14, 7, []byte("abc")...))
		require.NoError(t, err)
		u.Release()
		var b bytes.Buffer
		_, err = r.WriteTo(&b)
		require.NoError(t, err)
		_, list, err := readAll(b.Bytes())
		require.Equal(t, io.EOF, err)
		require.Len(t, list, 3)
		assert.Equal(t, byte(0x14), list[1].Frame.Kind)
		assert.Equal(t, 3, list[1].Frame.Length)
		assert.Equal(t, KindEnd, list[2].Kind)
	}
}

// TestLostBeforeEnd: what finds no room last of all is counted as well, ahead of the link's end.
func TestLostBeforeEnd(t *testing.T) {
	f := file{max: DefaultFile, wake: make(chan struct{}, 1)}
	one := make([]byte, 1<<10)
	for f.lost < 10 {
		f.append(record{kind: KindFrame}, one)
	}
	before := len(f.buffer)
	f.append(record{kind: KindEnd}, make([]byte, 12))
	assert.Zero(t, f.lost)
	assert.Equal(t, before+minRecord+8+minRecord+12, len(f.buffer))
}
