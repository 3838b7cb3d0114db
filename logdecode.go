package viaduct

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/viaduct-go/viaduct/internal/mpack"
)

// nextLogRecord splits the first record off b. An error is about all that is in b: it is
// not known where the next one would begin.
func nextLogRecord(b []byte) (record, rest []byte, err error) {
	n, err := mpack.Skip(b, 1+maxLogDepth)
	if err != nil {
		return nil, nil, err
	}
	return b[:n], b[n:], nil
}

var errLogRecord = errors.New("not a log record")

// decodeLogRecord decodes what nextLogRecord has split off. Elements behind
// those that it knows are room for growth.
func decodeLogRecord(b []byte) (r slog.Record, err error) {
	if len(b) > maxLogRecord {
		return r, &SizeError{Size: len(b), Limit: maxLogRecord}
	}
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 4 {
		return r, errLogRecord
	}
	when, b, err := decodeLogValue(b)
	if err != nil {
		return r, err
	}
	if when.Kind() == slog.KindTime {
		r.Time = when.Time()
	} else if when.Any() != nil {
		return r, errLogRecord
	}
	level, err := mpack.ReadHead(b)
	if err != nil || level.Kind != mpack.Int && (level.Kind != mpack.Uint || level.Num > math.MaxInt32) {
		return r, errLogRecord
	}
	b = b[level.Size:]
	r.Level = slog.Level(max(math.MinInt32, min(int64(level.Num), math.MaxInt32)))
	message, b, err := mpack.ReadString(b)
	if err != nil {
		return r, errLogRecord
	}
	r.Message = string(message)
	h, err := mpack.ReadHead(b)
	if err != nil || h.Kind != mpack.Map {
		return r, errLogRecord
	}
	attrs, b, err := decodeLogAttrs(b[h.Size:], h)
	if err != nil {
		return r, err
	}
	if n > 4 {
		if source := decodeLogSource(b); source != nil {
			r.AddAttrs(slog.Any(slog.SourceKey, source))
		}
	}
	r.AddAttrs(attrs...)
	return r, nil
}

// decodeLogSource returns nil if there is none.
func decodeLogSource(b []byte) *slog.Source {
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 3 {
		return nil
	}
	function, b, err := mpack.ReadString(b)
	if err != nil {
		return nil
	}
	file, b, err := mpack.ReadString(b)
	if err != nil {
		return nil
	}
	line, _, err := mpack.ReadUint(b)
	if err != nil || line > math.MaxInt32 {
		return nil
	}
	return &slog.Source{Function: string(function), File: string(file), Line: int(line)}
}

// decodeLogAttrs reads the pairs of the map h, and recurses as deep as nextLogRecord has allowed.
func decodeLogAttrs(b []byte, h mpack.Head) (attrs []slog.Attr, rest []byte, err error) {
	attrs = make([]slog.Attr, h.Elems/2) // each is in b
	for i := range attrs {
		a := &attrs[i]
		var key slog.Value
		if key, b, err = decodeLogValue(b); err != nil {
			return nil, nil, err
		}
		a.Key = key.String()
		if a.Value, b, err = decodeLogValue(b); err != nil {
			return nil, nil, err
		}
	}
	return attrs, b, nil
}

// decodeLogValue reads one value. Every length in b has been checked.
func decodeLogValue(b []byte) (v slog.Value, rest []byte, err error) {
	h, err := mpack.ReadHead(b)
	if err != nil {
		return v, nil, err
	}
	start := b
	b = b[h.Size:]
	payload, rest := b[:h.Bytes], b[h.Bytes:]
	switch h.Kind {
	case mpack.Nil:
		return v, rest, nil
	case mpack.Bool:
		return slog.BoolValue(h.Num == 1), rest, nil
	case mpack.Int:
		return slog.Int64Value(int64(h.Num)), rest, nil
	case mpack.Uint:
		if h.Size == 1+8 { // a number that is meant to be an int64 is in another format
			return slog.Uint64Value(h.Num), rest, nil
		}
		return slog.Int64Value(int64(h.Num)), rest, nil
	case mpack.Float:
		if h.Size == 1+4 {
			return slog.Float64Value(float64(math.Float32frombits(uint32(h.Num)))), rest, nil
		}
		return slog.Float64Value(math.Float64frombits(h.Num)), rest, nil
	case mpack.Str:
		return slog.StringValue(string(payload)), rest, nil
	case mpack.Bin:
		return slog.AnyValue([]byte(string(payload))), rest, nil
	case mpack.Ext:
		return decodeLogExt(int8(h.Num), payload), rest, nil
	case mpack.Map:
		attrs, rest, err := decodeLogAttrs(b, h)
		return slog.GroupValue(attrs...), rest, err
	}
	size, err := mpack.Skip(start, len(start)) // an array, which slog has not: for people to read
	if err != nil {
		return v, nil, err
	}
	text, err := mpack.Text(start[:size])
	return slog.StringValue(text), start[size:], err
}

func decodeLogExt(code int8, p []byte) slog.Value {
	switch {
	case code == -1:
		if t, err := parseTime(p); err == nil {
			return slog.TimeValue(t.Local())
		}
	case code == extDuration && len(p) == 8:
		return slog.DurationValue(time.Duration(binary.BigEndian.Uint64(p)))
	}
	return slog.StringValue(fmt.Sprintf("ext(%d, %x)", code, p[:min(len(p), 16)]))
}
