package logwire

import (
	"bytes"
	"context"
	"encoding/hex"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct/internal/message"
	"github.com/viaduct-go/viaduct/internal/testkit"
)

// encodeLog returns the message that a record becomes.
func encodeLog(h slog.Handler, r slog.Record) []byte {
	var e encoder
	e.b, e.limit = appendHead(nil), headSize+maxRecord
	e.record(&r, h.(*handler))
	return e.b
}

// nullSender is one whose link is not there.
func nullSender() *Sender { return NewSender(&Host{}, true) }

// TestLogBytes: what records are on the wire.
func TestLogBytes(t *testing.T) {
	const head = "93 02 a5 24 2f 6c 6f 67 dc 00 02 cf 00 00 00 00 00 00 00 00 "
	at := time.Unix(1, 0)
	for _, test := range []struct {
		h     slog.Handler
		at    time.Time
		level slog.Level
		attrs []any
		hex   string
	}{
		{newHandler(nullSender(), nil), at, slog.LevelInfo, []any{"n", 5}, "94 d6 ff 00 00 00 01 00 a2 68 69 de 00 01 a1 6e 05"},
		{newHandler(nullSender(), nil), time.Time{}, slog.LevelDebug, nil, "94 c0 fc a2 68 69 de 00 00"},
		{newHandler(nullSender(), nil), at, slog.LevelError, []any{"i", -1, "j", int64(1) << 32, "u", uint(1), "f", 1.5, "b", true, "s", "x", "d", time.Duration(1), "t", at, "y", []byte{7}, "z", nil},
			"94 d6 ff 00 00 00 01 08 a2 68 69 de 00 0a a1 69 ff a1 6a d3 00 00 00 01 00 00 00 00 a1 75 cf 00 00 00 00 00 00 00 01 a1 66 cb 3f f8 00 00 00 00 00 00 a1 62 c3" +
				" a1 73 a1 78 a1 64 d7 64 00 00 00 00 00 00 00 01 a1 74 d6 ff 00 00 00 01 a1 79 c4 01 07 a1 7a c0"},
		{newHandler(nullSender(), nil).WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g").WithGroup("h"), at, 0, []any{slog.Group("i", "b", 2), slog.Group("j")},
			"94 d6 ff 00 00 00 01 00 a2 68 69 de 00 02 a1 61 01 a1 67 de 00 01 a1 68 de 00 01 a1 69 de 00 01 a1 62 02"},
		{newHandler(nullSender(), nil).WithAttrs([]slog.Attr{slog.Int("a", 1)}).WithGroup("g").WithGroup("h"), at, 0, nil,
			"94 d6 ff 00 00 00 01 00 a2 68 69 de 00 01 a1 61 01"},
	} {
		r := slog.NewRecord(test.at, test.level, "hi", 0)
		r.Add(test.attrs...)
		require.Equal(t, strings.ReplaceAll(head+test.hex, " ", ""), hex.EncodeToString(encodeLog(test.h, r)))
	}
}

// logOf returns what a message with these params brings, and how much of it is lost.
func logOf(params []byte) (records []slog.Record, lost int) {
	n, dropped, b, err := readHead(params)
	if err != nil {
		return nil, 1
	}
	lost = int(min(dropped, math.MaxInt32-1))
	for ; n > 0; n-- {
		record, rest, err := nextRecord(b)
		if err != nil {
			return records, lost + n
		}
		if r, err := decodeRecord(record); err != nil {
			lost++
		} else {
			records = append(records, r)
		}
		b = rest
	}
	return records, lost
}

// logParams are params of $/log: how many records are in them, and how many are lost.
var logParams = []struct {
	hex        string
	good, lost int
}{
	{"91 00", 0, 0},
	{"91 05", 0, 5},
	{"92 00 94 d6 ff 00 00 00 01 00 a2 68 69 81 a1 6e 05", 1, 0},
	{"dd 00 00 00 03 d0 02 94 c0 fc a0 80 dc 00 04 c0 d1 00 04 d9 01 61 de 00 00", 2, 2},                                     // longer formats
	{"92 00 96 c0 00 a0 80 c0 c0", 1, 0},                                                                                     // room for growth
	{"92 00 95 c0 00 a0 80 93 a1 66 a1 67 07", 1, 0},                                                                         // with source
	{"92 00 95 c0 00 a0 80 93 a1 66 a1 67 a1 68", 1, 0},                                                                      // and one that is none
	{"92 00 94 c0 00 a0 84 01 93 01 02 03 c0 81 a1 61 d4 05 06 ca 3f 80 00 00 c7 00 ff cf ff ff ff ff ff ff ff ff c3", 1, 0}, // keys and values of all sorts
	{"92 00 94 c0 ce 7f ff ff ff a0 80", 1, 0},
	{"92 00 94 c0 d3 80 00 00 00 00 00 00 00 a0 80", 1, 0},
	{"90", 0, 1},
	{"c0", 0, 1},
	{"", 0, 1},
	{"80", 0, 1},
	{"91 ff", 0, 1},
	{"91 a1 78", 0, 1},
	{"92 00 c1", 0, 1},
	{"92 00", 0, 1},
	{"93 00 94 c0 00 a0", 0, 2}, // cut off
	{"93 00 93 c0 00 a0 94 c0 00 a0 80", 1, 1},       // too few elements
	{"93 00 94 01 00 a0 80 94 c0 00 a0 80", 1, 1},    // a time that is none
	{"92 00 94 d6 ff 00 00 00 01 a1 78 a0 80", 0, 1}, // a level
	{"92 00 94 c0 ce 80 00 00 00 a0 80", 0, 1},       // out of range
	{"92 00 94 c0 00 07 80", 0, 1},                   // a message
	{"92 00 94 c0 00 a0 90", 0, 1},                   // attributes
	{"92 00 94 c0 00 a0 81 a1 61", 0, 1},
	{"92 cf ff ff ff ff ff ff ff ff c0", 0, math.MaxInt32},
}

func TestLogParams(t *testing.T) {
	for _, test := range logParams {
		records, lost := logOf(testkit.Unhex(t, test.hex))
		require.Len(t, records, test.good, test.hex)
		require.Equal(t, test.lost, lost, test.hex)
	}
	deep := append(testkit.Unhex(t, "93 00 94 c0 00 a0"), bytes.Repeat([]byte{0x81, 0xa1, 'g'}, maxDepth)...)
	records, lost := logOf(append(append(deep, 5), testkit.Unhex(t, "94 c0 00 a0 80")...))
	require.Len(t, records, 2)
	require.Zero(t, lost)
	deep = append(testkit.Unhex(t, "93 00 94 c0 00 a0"), bytes.Repeat([]byte{0x81, 0xa1, 'g'}, maxDepth+1)...)
	_, lost = logOf(append(append(deep, 5), testkit.Unhex(t, "94 c0 00 a0 80")...))
	require.Equal(t, 2, lost)
	large := append(testkit.Unhex(t, "93 00 94 c0 00 c6 00 01 00 00"), make([]byte, maxRecord)...)
	records, lost = logOf(append(append(large, 0x80), testkit.Unhex(t, "94 c0 00 a0 80")...))
	require.Len(t, records, 1, "a large one costs itself alone")
	require.Equal(t, 1, lost)
}

// TestLogExample: the example in the text is what is sent and taken.
func TestLogExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/PROTOCOL.md")
	require.NoError(t, err)
	const long = "93 02 a5 24 2f 6c 6f 67 dc 00 02 cf 00 00 00 00 00 00 00 00 94 d6 ff 00 00 00 01 00 a2 68 69 de 00 01 a1 6e 05"
	const short = "93 02 a5 24 2f 6c 6f 67 92 00 94 d6 ff 00 00 00 01 00 a2 68 69 81 a1 6e 05"
	require.True(t, strings.Contains(string(text), short))
	m, err := message.Parse(testkit.Unhex(t, short), 100)
	require.NoError(t, err)
	require.True(t, m.IsLog())
	records, lost := logOf(m.Body)
	require.Zero(t, lost)
	r := slog.NewRecord(time.Unix(1, 0), slog.LevelInfo, "hi", 0)
	r.Add("n", 5)
	require.Equal(t, []slog.Record{r}, records)
	require.True(t, strings.Contains(string(text), long))
	require.Equal(t, testkit.Unhex(t, long), encodeLog(newHandler(nullSender(), nil), r))
}

// FuzzLog: no panic, memory in proportion to the bytes, and records that any handler can show.
func FuzzLog(f *testing.F) {
	for _, test := range logParams {
		f.Add(testkit.Unhex(f, test.hex))
	}
	for _, b := range testkit.Hostile() {
		f.Add(append([]byte{0x92, 0}, b...))
		f.Add(append([]byte{0x92, 0, 0x94, 0xc0, 0, 0xa0, 0x81, 0xa1, 'k'}, b...))
		f.Add(append([]byte{0x92, 0, 0x95, 0xc0, 0, 0xa0, 0x80}, b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var records []slog.Record
		decode := func() { records, _ = logOf(b) }
		if len(b) <= 1000 {
			decode()
		} else if n := testkit.Allocated(decode); n > uint64(320*len(b)+1<<20) {
			t.Fatalf("%d bytes took %d of memory", len(b), n)
		}
		for _, r := range records {
			var out bytes.Buffer
			if err := slog.NewTextHandler(&out, nil).Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			if err := slog.NewJSONHandler(&out, nil).Handle(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			again, lost := logOf(encodeLog(newHandler(nullSender(), nil), r)[8:])
			if len(again)+lost != 1 {
				t.Fatalf("%d records, %d lost", len(again), lost)
			}
		}
	})
}

// TestLogAllocs: those of one record, but for what r.Source and other types need.
func TestLogAllocs(t *testing.T) {
	s := nullSender()
	h := newHandler(s, nil).WithAttrs([]slog.Attr{slog.String("a", "b")}).(*handler)
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "message", 0)
	r.Add("i", 5, "s", "text", "d", time.Second)
	e := new(encoder)
	e.limit = headSize + maxRecord
	testkit.Allocs(t, 0, "encoding a record", func() {
		e.b = appendHead(e.b[:0])
		e.record(&r, h)
	})
	record := encodeLog(h, r)[headSize:]
	testkit.Allocs(t, 6, "decoding: message, list, two keys more than a byte long, two texts", func() {
		if _, err := decodeRecord(record); err != nil {
			t.Fatal(err)
		}
	})
}
