package rpcpipe_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/viaduct-go/viaduct"
	"github.com/viaduct-go/viaduct/rpcpipe"
)

// logbook is a handler that keeps what it is given.
type logbook struct {
	mu      sync.Mutex // guards what follows
	records []slog.Record
	dropped int   // what the library says of others
	before  []int // how many had come or were dropped before each record
	came    chan struct{}
}

func newLogbook() *logbook { return &logbook{came: make(chan struct{}, 1)} }

func (l *logbook) Enabled(context.Context, slog.Level) bool { return true }
func (l *logbook) WithAttrs([]slog.Attr) slog.Handler       { panic("not for this") }
func (l *logbook) WithGroup(string) slog.Handler            { panic("not for this") }

const dropsText = "viaduct: log records of the other side were dropped"

func (l *logbook) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Message == dropsText {
		if r.Level != slog.LevelWarn {
			panic(r.Level)
		}
		l.dropped += int(attrsOf(r)["dropped"].(uint64))
	} else {
		l.before = append(l.before, len(l.records)+l.dropped)
		l.records = append(l.records, r)
	}
	select {
	case l.came <- struct{}{}:
	default:
	}
	return nil
}

// waitFor waits for n records, those dropped included, and returns the others.
func (l *logbook) waitFor(n int) []slog.Record {
	for {
		l.mu.Lock()
		records, dropped := l.records, l.dropped
		l.mu.Unlock()
		if len(records)+dropped >= n {
			return records
		}
		<-l.came
	}
}

// gap returns an error if drops are not reported where the records are missing that logMany has
// numbered.
func (l *logbook) gap() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, r := range l.records {
		if i := attrsOf(r)["i"].(int64); int(i) != l.before[k] {
			return fmt.Errorf("record %d came behind %d, those dropped included", i, l.before[k])
		}
	}
	return nil
}

// attrsOf returns the attributes of r, groups as maps.
func attrsOf(r slog.Record) map[string]any {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	return attrMap(attrs)
}

func attrMap(attrs []slog.Attr) map[string]any {
	m := map[string]any{}
	for _, a := range attrs {
		if a.Value.Kind() == slog.KindGroup {
			m[a.Key] = attrMap(a.Value.Group())
		} else {
			m[a.Key] = a.Value.Any()
		}
	}
	return m
}

// logPair returns a peer whose records go to handler.
func logPair(t *testing.T, handler slog.Handler) *rpcpipe.Peer {
	a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: handler}, nil)
	t.Cleanup(func() {
		a.Close()
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	})
	return b
}

// logMany logs n records and returns how long that took.
func logMany(log *slog.Logger, n int) time.Duration {
	begin := time.Now()
	for i := range n {
		log.Info("something has happened", "i", i, "name", "of some length", "took", time.Second)
	}
	return time.Since(begin)
}

// TestLogAsSlogWants: what package slog asks of a handler.
func TestLogAsSlogWants(t *testing.T) {
	var book *logbook
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		book = newLogbook()
		return logPair(t, book).LogHandler(nil)
	}, func(t *testing.T) map[string]any {
		r := book.waitFor(1)[0]
		m := attrsOf(r)
		m[slog.MessageKey], m[slog.LevelKey] = r.Message, r.Level
		if !r.Time.IsZero() {
			m[slog.TimeKey] = r.Time
		}
		return m
	})
}

type loud struct{ N int }

func (l loud) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("n", l.N), slog.Any("inner", deep(l.N)))
}

type deep int

func (d deep) LogValue() slog.Value { return slog.StringValue(fmt.Sprint("deep ", int(d))) }

type endless struct{}

func (e endless) LogValue() slog.Value { return slog.GroupValue(slog.Any("more", e)) }

type faulty struct{ text string }

func (f *faulty) Error() string { return f.text }

type panicking struct{}

func (panicking) MarshalText() ([]byte, error) { panic("no text") }

// TestLogValues: values keep their kinds, and become text where slog has none.
func TestLogValues(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890, time.UTC)
	for name, test := range map[string]struct{ sent, got any }{
		"string":        {"text \xff", "text \xff"},
		"empty":         {"", ""},
		"int":           {-5, int64(-5)},
		"large int":     {int64(1) << 62, int64(1) << 62},
		"int of 32":     {int64(1) << 32, int64(1) << 32},
		"small uint":    {uint8(5), uint64(5)},
		"large uint":    {^uint64(0), ^uint64(0)},
		"float":         {1.5, 1.5},
		"bool":          {true, true},
		"duration":      {-time.Second, -time.Second},
		"time":          {at, at.Local()},
		"early time":    {time.Date(1, 2, 3, 4, 5, 6, 7, time.UTC), time.Date(1, 2, 3, 4, 5, 6, 7, time.UTC).Local()},
		"nil":           {nil, nil},
		"bytes":         {[]byte("\x00\x01"), []byte("\x00\x01")},
		"error":         {errors.New("no luck"), "no luck"},
		"nil error":     {(*faulty)(nil), "<nil>"},
		"text":          {netip.MustParseAddr("::1"), "::1"},
		"struct":        {struct{ A, B int }{1, 2}, "{A:1 B:2}"},
		"panic":         {panicking{}, "!PANIC: no text"},
		"group":         {slog.GroupValue(slog.Int("a", 1), slog.Group("b", "c", 2)), map[string]any{"a": int64(1), "b": map[string]any{"c": int64(2)}}},
		"valuer":        {loud{7}, map[string]any{"n": int64(7), "inner": "deep 7"}},
		"list":          {[]string{"a", "b"}, "[a b]"},
		"large, wanted": {strings.Repeat("x", 30<<10), strings.Repeat("x", 30<<10)},
	} {
		for encoding := range encodings {
			t.Run(name+"/"+encoding, func(t *testing.T) {
				book := newLogbook()
				opts, other := shelfOptions(encoding), shelfOptions(encoding)
				opts.LogHandler = book
				a, b := rpcpipe.Pair(opts, other)
				defer a.Close()
				slog.New(b.LogHandler(nil)).Info("message", "key", test.sent)
				r := book.waitFor(1)[0]
				require.Equal(t, "message", r.Message)
				require.Equal(t, map[string]any{"key": test.got}, attrsOf(r))
			})
		}
	}
}

// TestLogRecord: all that a record has.
func TestLogRecord(t *testing.T) {
	book := newLogbook()
	p := logPair(t, book)
	level := new(slog.LevelVar)
	log := slog.New(p.LogHandler(&slog.HandlerOptions{AddSource: true, Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case a.Key == "password":
			return slog.String(a.Key, "-")
		case a.Key == "gone":
			return slog.Attr{}
		}
		return slog.Any(strings.Join(append(groups, a.Key), "."), a.Value)
	}}))
	log.Debug("is not wanted")
	level.Set(slog.LevelDebug)
	before := time.Now()
	log = log.With("a", 1, "gone", 2).WithGroup("g").With("b", 2).WithGroup("empty")
	log.WithGroup("h").Debug("hello", "password", "secret", slog.Group("i", "c", 3))
	log.Log(t.Context(), slog.LevelError+3, "nothing in empty")

	r := book.waitFor(2)[0]
	require.Equal(t, slog.LevelDebug, r.Level)
	require.Equal(t, "hello", r.Message)
	require.WithinRange(t, r.Time, before.Round(0), time.Now())
	attrs := attrsOf(r)
	source := attrs[slog.SourceKey].(*slog.Source)
	require.Equal(t, "log_test.go", filepath.Base(source.File))
	require.Contains(t, source.Function, "TestLogRecord")
	require.Positive(t, source.Line)
	delete(attrs, slog.SourceKey)
	require.Equal(t, map[string]any{"a": int64(1), "g": map[string]any{"g.b": int64(2), "empty": map[string]any{"h": map[string]any{
		"password": "-", "i": map[string]any{"g.empty.h.i.c": int64(3)},
	}}}}, attrs)

	r = book.waitFor(2)[1]
	require.Equal(t, slog.LevelError+3, r.Level)
	require.Equal(t, map[string]any{"g.b": int64(2)}, attrsOf(r)["g"])
}

// TestLogTooMuch: what is too large or too deep for a record costs itself alone.
func TestLogTooMuch(t *testing.T) {
	book := newLogbook()
	log := slog.New(logPair(t, book).LogHandler(nil))
	log.Info(strings.Repeat("m", 2000), "large", make([]byte, 100_000))
	log.With("large", strings.Repeat("x", 100_000)).Info("with")
	log.Info("endless", "value", endless{})
	for range 100 {
		log = log.WithGroup("g")
	}
	log.Info("deep", "value", 1)
	records := book.waitFor(4)
	require.Equal(t, strings.Repeat("m", 2000), records[0].Message)
	require.Equal(t, map[string]any{"!TOOLARGE": "record of more than 32748 bytes"}, attrsOf(records[0]))
	require.Contains(t, attrsOf(records[1]), "!TOOLARGE")
	for i, name := range []string{"more", "g"} {
		m, levels := attrsOf(records[2+i]), 0
		if i == 0 {
			m = m["value"].(map[string]any)
		}
		for next, ok := m, true; ok; next, ok = m[name].(map[string]any) {
			m = next
			levels++
		}
		require.Equal(t, 31+i, levels, "%v", m)
	}
}

// TestLogContext: a handler is told whose record it has, and may call back.
func TestLogContext(t *testing.T) {
	there := newService()
	from := make(chan *rpcpipe.Peer, 1)
	a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: handlerFunc(func(ctx context.Context, _ slog.Record) {
		p := rpcpipe.FromContext(ctx)
		if err := p.CallContext(ctx, "Service.Add", Args{1, 2}, nil); err != nil {
			t.Error(err)
		}
		from <- p
	})}, there.options())
	defer a.Close()
	slog.New(b.LogHandler(nil)).Info("message")
	require.Same(t, a, <-from)
}

// handlerFunc is a slog.Handler for all levels.
type handlerFunc func(context.Context, slog.Record)

func (f handlerFunc) Enabled(context.Context, slog.Level) bool { return true }
func (f handlerFunc) WithAttrs([]slog.Attr) slog.Handler       { panic("not for this") }
func (f handlerFunc) WithGroup(string) slog.Handler            { panic("not for this") }
func (f handlerFunc) Handle(ctx context.Context, r slog.Record) error {
	f(ctx, r)
	return nil
}

// TestLogOrder: records are handled in the order they were logged, whether they had to wait or not.
func TestLogOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		book := newLogbook()
		a, b := rpcpipe.Pair(&rpcpipe.Options{LogHandler: handlerFunc(func(ctx context.Context, r slog.Record) {
			<-gate
			book.Handle(ctx, r)
		})}, nil)
		const n = 3000
		log := slog.New(b.LogHandler(nil))
		for i := range n {
			log.Info("message", "i", i)
			if i%1000 == 0 {
				synctest.Wait()
			}
		}
		close(gate)
		for i, r := range book.waitFor(n) {
			require.EqualValues(t, i, attrsOf(r)["i"])
		}
		require.NoError(t, a.Close())
		require.NoError(t, a.Wait())
		require.NoError(t, b.Wait())
	})
}

// TestLogOfItself: the Logger of a peer may be built over its own LogHandler. A handler that is at
// fault does not make it go round.
func TestLogOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books := []*logbook{newLogbook(), newLogbook()}
		var peers [2]*rpcpipe.Peer
		loggers := [2]*slog.Logger{}
		for i := range peers {
			loggers[i] = slog.New(lateHandler{func() slog.Handler { return peers[i].LogHandler(nil) }})
		}
		peers[0], peers[1] = rpcpipe.Pair(
			&rpcpipe.Options{Logger: loggers[0], LogHandler: books[0]},
			&rpcpipe.Options{Logger: loggers[1], LogHandler: books[1]})
		for range 200 {
			require.NoError(t, peers[0].Notify(t.Context(), "Nobody.There", 1))
			require.NoError(t, peers[1].Notify(t.Context(), "Nobody.There", 1))
		}
		for i, book := range books { // each side hears what the other one complains of
			records := book.waitFor(1)
			require.NotEmpty(t, records, i)
			require.Contains(t, records[0].Message, "notification failed")
		}
		require.NoError(t, peers[0].Shutdown(t.Context()))
		require.NoError(t, peers[0].Wait())
		require.NoError(t, peers[1].Wait())
	})
}

// lateHandler is a handler that is made only when it is needed.
type lateHandler struct{ make func() slog.Handler }

func (h lateHandler) Enabled(ctx context.Context, l slog.Level) bool { return h.make().Enabled(ctx, l) }
func (h lateHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.make().Handle(ctx, r)
}
func (h lateHandler) WithAttrs([]slog.Attr) slog.Handler { panic("not for this") }
func (h lateHandler) WithGroup(string) slog.Handler      { panic("not for this") }

// TestLogName: the name is not for users.
func TestLogName(t *testing.T) {
	p := logPair(t, newLogbook())
	var body *viaduct.BodyError
	require.ErrorAs(t, p.Notify(t.Context(), "$/log", 1), &body)
}
