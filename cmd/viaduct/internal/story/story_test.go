package story

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
	"github.com/viaduct-go/viaduct/internal/tap"
)

// link is a link that is recorded, with what the two sides say.
type link struct {
	t    *testing.T
	rec  *tap.Recorder
	use  *tap.Use
	conn io.ReadWriteCloser
	in   *bytes.Buffer
}

type below struct {
	*bytes.Buffer
	io.Writer
}

func (b below) Write(p []byte) (int, error) { return b.Writer.Write(p) }
func (below) Close() error                  { return nil }

func newLink(t *testing.T, c tap.Config) *link {
	l := &link{t: t, rec: tap.New(c), in: new(bytes.Buffer)}
	var err error
	if l.use, err = l.rec.Use(nil); err != nil {
		t.Fatal(err)
	}
	l.conn = l.use.Link(below{l.in, io.Discard}, &tap.Info{Role: tap.Parent})
	return l
}

func frame(kind byte, id uint32, payload []byte) []byte {
	b := binary.LittleEndian.AppendUint16([]byte{kind, 0}, uint16(len(payload)))
	return append(binary.LittleEndian.AppendUint32(b, id), payload...)
}

func (l *link) says(out bool, kind byte, id uint32, payload []byte) {
	l.t.Helper()
	b := frame(kind, id, payload)
	if out {
		l.conn.Write(b)
		return
	}
	l.in.Write(b)
	if _, err := io.ReadFull(l.conn, make([]byte, len(b))); err != nil {
		l.t.Fatal(err)
	}
}

func (l *link) read() *Story {
	l.t.Helper()
	l.use.Release()
	var b bytes.Buffer
	if _, err := l.rec.WriteTo(&b); err != nil {
		l.t.Fatal(err)
	}
	st, err := Read(&b)
	if err != nil {
		l.t.Fatal(err)
	}
	return st
}

func request(id uint64, method string) []byte {
	b := mpack.AppendUint(append(mpack.AppendArray(nil, 4), 0), id)
	return mpack.AppendArray(mpack.AppendString(b, method), 0)
}

func find(st *Story, what What) (found []*Event) {
	for _, e := range st.Events {
		if e.What == what {
			found = append(found, e)
		}
	}
	return found
}

// TestCredit: for how long a side was not allowed to send is told, of what both sides sent.
func TestCredit(t *testing.T) {
	for _, out := range []bool{true, false} {
		l := newLink(t, tap.Config{})
		l.says(!out, 0x20, 50, nil)
		l.says(out, 0x10, 0, request(1, "A.B")) // costs 39
		l.says(out, 0x10, 0, request(2, "A.B"))
		l.says(!out, 0x20, 20, nil) // not enough
		l.says(!out, 0x20, 20, nil)
		found := find(l.read(), OutOfCredit)
		if len(found) != 1 || found[0].Out != out || found[0].Class != "call" || found[0].Took <= 0 {
			t.Errorf("from here %v: %+v", out, found)
		}
	}
}

// TestLong: a message of several frames, its grant, and one that was given up.
func TestLong(t *testing.T) {
	l := newLink(t, tap.Config{Contents: true})
	message := append(request(7, "A.Long"), make([]byte, 100000)...)
	first := binary.LittleEndian.AppendUint64(nil, uint64(len(message)))
	l.says(true, 0x14, 3, append(first, message[:32760]...))
	l.says(false, 0x24, 3, nil)
	l.says(true, 0x18, 3, message[32760:65000])
	l.says(true, 0x18, 3, message[65000:96000])
	l.says(true, 0x18, 3, message[96000:])
	l.says(true, 0x14, 4, append(first, message[:32760]...))
	l.says(true, 0x1c, 4, nil)
	st := l.read()
	calls := find(st, CallMade)
	if len(calls) != 2 || calls[0].Size != uint64(len(message)) || !bytes.Equal(calls[0].Message, message) || calls[1].Message != nil || !calls[1].Call.Aborted {
		t.Errorf("%d calls", len(calls))
	}
	if g := find(st, Granted); len(g) != 1 || g[0].Call != calls[0].Call || g[0].Method != "A.Long" {
		t.Errorf("%+v", g)
	}
}

// TestGap: where something is missing nothing is told that may be wrong.
func TestGap(t *testing.T) {
	l := newLink(t, tap.Config{MaxBytes: tap.LeastBytes})
	l.says(false, 0x20, 50, nil)
	for id := range uint64(3000) {
		l.says(true, 0x10, 0, request(id, "A.B"))
	}
	l.says(false, 0x20, 1<<20, nil)
	st := l.read()
	if st.Lost == 0 || len(st.Links) != 1 || !st.Links[0].Gap || !st.Links[0].Known || len(find(st, OutOfCredit)) != 0 {
		t.Errorf("lost %d, %+v", st.Lost, st.Links[0])
	}
}

// TestAnything: frames that make no sense are told all the same.
func TestAnything(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	kinds := []byte{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17, 0x18, 0x19, 0x1c, 0x1d, 0x20, 0x21, 0x24, 0x25, 0x30, 0x31, 0x33, 0x34, 0x40, 0x41, 0x42, 0x43, 0x44, 0x46, 0x47, 0x48, 0x4a, 0x4b, 0x60, 0x90}
	for _, contents := range []bool{false, true} {
		l := newLink(t, tap.Config{Contents: contents})
		for range 5000 {
			payload := make([]byte, 8+rnd.Intn(40))
			rnd.Read(payload)
			switch rnd.Intn(3) {
			case 0:
				copy(payload, request(uint64(rnd.Intn(5)), "A"))
			case 1:
				copy(payload, []byte{0x94, 1, byte(rnd.Intn(5)), 0xc0, 1})
			}
			l.says(rnd.Intn(2) == 0, kinds[rnd.Intn(len(kinds))], uint32(rnd.Intn(4)), payload)
		}
		st := l.read()
		if len(st.Events) < 5000 || st.Err != nil {
			t.Errorf("%d events, %v", len(st.Events), st.Err)
		}
		for _, e := range st.Events {
			if e.Took < 0 || e.Took > time.Hour {
				t.Errorf("%+v", e)
			}
		}
	}
	if _, err := Read(strings.NewReader("nothing")); err == nil {
		t.Error("nothing was a record")
	}
}
