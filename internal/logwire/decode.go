package logwire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/viaduct-go/viaduct/internal/fault"
	"github.com/viaduct-go/viaduct/internal/mpack"
)

// nextRecord splits the first record off b. An error is about all that is in b: it is
// not known where the next one would begin.
func nextRecord(b []byte) (record, rest []byte, err error) {
	n, err := mpack.Skip(b, 1+maxDepth)
	if err != nil {
		return nil, nil, err
	}
	return b[:n], b[n:], nil
}

var errRecord = errors.New("not a log record")

// decodeRecord decodes what nextRecord has split off. Elements behind
// those that it knows are room for growth.
func decodeRecord(b []byte) (r slog.Record, err error) {
	if len(b) > maxRecord {
		return r, &fault.SizeError{Size: len(b), Limit: maxRecord}
	}
	n, b, err := mpack.ReadArray(b)
	if err != nil || n < 4 {
		return r, errRecord
	}
	when, b, err := decodeValue(b)
	if err != nil {
		return r, err
	}
	if when.Kind() == slog.KindTime {
		r.Time = when.Time()
	} else if when.Any() != nil {
		return r, errRecord
	}
	level, err := mpack.ReadHead(b)
	if err != nil || level.Kind != mpack.Int && (level.Kind != mpack.Uint || level.Num > math.MaxInt32) {
		return r, errRecord
	}
	b = b[level.Size:]
	r.Level = slog.Level(max(math.MinInt32, min(int64(level.Num), math.MaxInt32)))
	message, b, err := mpack.ReadString(b)
	if err != nil {
		return r, errRecord
	}
	r.Message = string(message)
	h, err := mpack.ReadHead(b)
	if err != nil || h.Kind != mpack.Map {
		return r, errRecord
	}
	attrs, b, err := decodeAttrs(b[h.Size:], h)
	if err != nil {
		return r, err
	}
	if n > 4 {
		if source := decodeSource(b); source != nil {
			r.AddAttrs(slog.Any(slog.SourceKey, source))
		}
	}
	r.AddAttrs(attrs...)
	return r, nil
}

// decodeSource returns nil if there is none.
func decodeSource(b []byte) *slog.Source {
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

// decodeAttrs reads the pairs of the map h, and recurses as deep as nextRecord has allowed.
func decodeAttrs(b []byte, h mpack.Head) (attrs []slog.Attr, rest []byte, err error) {
	attrs = make([]slog.Attr, h.Elems/2) // each is in b
	for i := range attrs {
		a := &attrs[i]
		var key slog.Value
		if key, b, err = decodeValue(b); err != nil {
			return nil, nil, err
		}
		a.Key = key.String()
		if a.Value, b, err = decodeValue(b); err != nil {
			return nil, nil, err
		}
	}
	return attrs, b, nil
}

// decodeValue reads one value. Every length in b has been checked.
func decodeValue(b []byte) (v slog.Value, rest []byte, err error) {
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
		return slog.Float64Value(h.Float()), rest, nil
	case mpack.Str:
		return slog.StringValue(string(payload)), rest, nil
	case mpack.Bin:
		return slog.AnyValue([]byte(string(payload))), rest, nil
	case mpack.Ext:
		return decodeExt(int8(h.Num), payload), rest, nil
	case mpack.Map:
		attrs, rest, err := decodeAttrs(b, h)
		return slog.GroupValue(attrs...), rest, err
	}
	size, err := mpack.Skip(start, len(start)) // an array, which slog has not: for people to read
	if err != nil {
		return v, nil, err
	}
	text, err := mpack.Text(start[:size])
	return slog.StringValue(text), start[size:], err
}

func decodeExt(code int8, p []byte) slog.Value {
	switch {
	case code == mpack.ExtTime:
		if t, err := mpack.ParseTime(p); err == nil {
			return slog.TimeValue(t.Local())
		}
	case code == extDuration && len(p) == 8:
		return slog.DurationValue(time.Duration(binary.BigEndian.Uint64(p)))
	}
	return slog.StringValue(fmt.Sprintf("ext(%d, %x)", code, p[:min(len(p), 16)]))
}
